"""What the tests of dumps share: a database with something of everything, its dump, and what is restored from it."""

import base64
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import psutil
from msgspec import UNSET
from psycopg import sql

from lab.postgres import SUPERUSER, PostgresServer
from lambdas.adapters.database_dump import Dump, new_restrict_key, take_dump
from lambdas.adapters.database_proof import prove_restored
from lambdas.adapters.database_rules import give_recorded
from lambdas.adapters.postgres import Login
from lambdas.adapters.postgres_programs import load
from lambdas.adapters.throwaway_database import make_database
from lambdas.domain.backup import MANIFEST_FORMAT, Encryption, Maker, WrappedKey
from lambdas.domain.database_manifest import DatabaseManifest
from lambdas.domain.database_properties import SETTINGS
from lambdas.domain.dump import gunzipped
from lambdas.domain.sql_digest import SqlDigest
from tests.servers.postgres import fresh_database
from tests.servers.vault import until

RESTORED = "mailark_test_smtpy"
SECONDS = 60.0
_ROWS = "create table rows (id int primary key, word text); insert into rows select i, md5(i::text) from {} i"
SOURCE = (
    "create table a (id int primary key, w text); insert into a select i, md5(i::text) from generate_series(1, 2000) i",
    "create table b (id int references a, n int); insert into b select i, i from generate_series(1, 500) i",
    "create index on b (n); create view v as select count(*) from b; create sequence s",
)
"""Two tables of some hundred rows, with a foreign key, an index, a view and a sequence."""
LONG, BIG, SMALL = (_ROWS.format(f"generate_series(1, {count})") for count in (1_500_000, 300_000, 10))


def login_to(server: PostgresServer, database: str, user: str = SUPERUSER, password: str | None = None) -> Login:
    """A login of the superuser, or of another role."""
    return Login(server.host, server.port, database, user, password or server.superuser_password, server.authority.pem)


@dataclass(frozen=True)
class Taken:
    """A dump, in memory."""

    dump: Dump
    packed: bytes

    @property
    def sql(self) -> bytes:
        return b"".join(gunzipped([self.packed]))

    @property
    def manifest(self) -> DatabaseManifest:
        return DatabaseManifest(
            format=MANIFEST_FORMAT,
            backup_id="smtpy_20261122_030000.sql.gz",
            kind="database",
            series="daily",
            key="database/daily/2026-11-22/smtpy_20261122_030000.sql.gz.enc",
            started_at="2026-11-22T03:00:00+00:00",
            finished_at="2026-11-22T03:01:00+00:00",
            plaintext=self.dump.plaintext,
            ciphertext=self.dump.ciphertext,
            encryption=Encryption("aws-encryption-sdk", "none", 0, "key", {}),
            made_by=Maker("op-1", "arn", "eu-central-1"),
            source=self.dump.source,
            contents=self.dump.contents,
        )

    @property
    def settings(self) -> bytes:
        """What the manifest has sealed: the settings of the database, as JSON."""
        assert self.dump.contents.properties is not UNSET
        return base64.b64decode(self.dump.contents.properties.values.message)

    @property
    def rows(self) -> dict[str, int]:
        return {table.title: table.rows for table in self.dump.contents.tables}


def taken(
    login: Login,
    on_piece: Callable[[bytes], None] = lambda _: None,
    seconds: float = SECONDS,
    unreadable: Sequence[str] = (),
) -> Taken:
    """Dump a database, unsealed; `on_piece` is called with each piece before the next is made."""
    pieces: list[bytes] = []

    def write(piece: bytes) -> None:
        pieces.append(piece)
        on_piece(piece)

    roles, restrict_key = WrappedKey("roles.sql", {}, ""), new_restrict_key()
    dump = take_dump(login, restrict_key, roles, _wrapped, lambda sql: iter(sql), write, seconds, unreadable)
    return Taken(dump, b"".join(pieces))


def _wrapped(settings: bytes) -> WrappedKey:
    """Unsealed: whatever is sealed is none of these tests' business."""
    return WrappedKey(SETTINGS, {}, base64.b64encode(settings).decode())


def restored(taken: Taken, server: PostgresServer, login: Login | None = None) -> Login:
    """A new database with the dump in it; where, unless `login` says so: on `server` as its superuser."""
    login = (login or login_to(server, RESTORED)).to(RESTORED)
    make_database(login, taken.dump.source)
    load(login, taken.dump.source.major, gunzipped([taken.packed]), SECONDS)
    give_recorded(login, taken.manifest, taken.settings)
    return login


def prove(login: Login, taken: Taken) -> bool:
    """Whether the bytes are the same, too."""
    loaded = SqlDigest()
    loaded.update(taken.sql)
    return prove_restored(login, taken.manifest, loaded.hexdigest(), SECONDS)


def made(server: PostgresServer, *statements: str, name: str = "smtpy") -> Login:
    """A new database in which these statements have run, one by one."""
    fresh_database(server, name)
    with server.connect(name) as session:
        for statement in statements:
            session.execute(statement.encode())
    return login_to(server, name)


def forget_roles(server: PostgresServer, roles: Iterable[str]) -> None:
    """Remove roles, and the databases in which they may own something."""
    for database in ("smtpy", RESTORED):
        server.drop_database(database)
    with server.connect() as session:
        for role in roles:
            session.execute(sql.SQL("drop role if exists {}").format(sql.Identifier(role)))


def round_trip(server: PostgresServer, *statements: str) -> Taken:
    """Make a database, dump it, restore it beside, and prove that both are the same."""
    dump = taken(made(server, *statements))
    prove(restored(dump, server), dump)
    return dump


def tables_in(server: PostgresServer) -> int:
    """How many tables, indexes and the like the restored database has."""
    query = "select count(*) from pg_class where relnamespace = 'public'::regnamespace"
    count: int = server.query(query, RESTORED)[0][0]
    return count


def sessions_of_mailark(server: PostgresServer) -> int:
    query = "select count(*) from pg_stat_activity where application_name = 'mailark'"
    count: int = server.query(query)[0][0]
    return count


def programs_of(process: psutil.Process | None = None) -> list[psutil.Process]:
    """PostgreSQL's client programs that a process (this one, if none is given) has started and that still run."""
    children = (process or psutil.Process()).children(recursive=True)
    return [child for child in children if _name(child) in ("pg_dump", "pg_dumpall", "psql")]


def _name(process: psutil.Process) -> str:
    try:
        return "" if process.status() == psutil.STATUS_ZOMBIE else process.name()
    except psutil.NoSuchProcess:
        return ""


@contextmanager
def written_to(server: PostgresServer, database: str, statements: Iterable[str]) -> Iterator[Callable[[], int]]:
    """Somebody who runs these statements over and over, each in its own transaction; gives how many have run."""
    stop, runs, orders = threading.Event(), [0], list(statements)

    def write() -> None:
        with server.connect(database) as session:
            while not stop.is_set():
                for order in orders:
                    session.execute(order.encode())
                runs[0] += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        until(lambda: runs[0], "the first write")
        yield lambda: runs[0]
    finally:
        stop.set()
        writer.join()
