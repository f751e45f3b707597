"""PostgreSQL: how a server is reached. TLS with its name verified, time limits, and errors that name the cure."""

import hashlib
import json
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import certifi
import psycopg
from psycopg import Connection, errors
from psycopg.rows import TupleRow

from lambdas.adapters.aws import client
from lambdas.domain.database_errors import (
    DatabaseCertificateRefused,
    DatabaseDiskFull,
    DatabaseLocked,
    DatabaseLoginRefused,
    DatabaseMissing,
    DatabaseRequestFailed,
    DatabaseUnreachable,
)
from lambdas.domain.estate_database import DatabaseServer, secret_in
from lambdas.domain.mailark_error import MailarkError

MAINTENANCE = "postgres"
"""The database that every server has: for what is done to other databases (PostgreSQL manual, "Template Databases")."""

CONNECT_SECONDS = 10
LOCK_SECONDS = 30
"""Nobody's lock is waited for any longer: who holds it is named instead."""

WHEN_WE_DIE = {"client_connection_check_interval": "5000"}
"""A server looks this often (ms) whether who asked still lives, and else ends what it does for nobody."""

_TLS = re.compile(r"certificate|SSL|TLS", re.IGNORECASE)
_CUT = re.compile(r"SYSCALL|unexpected eof|closed .*unexpectedly|timeout|timed out|reset by peer", re.IGNORECASE)
"""A connection that ended during the handshake says nothing of the certificate."""
_ANSWERED = re.compile(r"failed: (?P<level>[^\W\d_]{4,}): +(?P<problem>.+)")
_NOT_NOW = re.compile(r"starting up|shutting down|recovery|not (?:yet )?accept|too many|connection slots|terminating")
"""What a server answers whatever the role and the password are (PostgreSQL's source, backend_startup.c, postinit.c)."""
_NO_DATABASE = re.compile(r'database "[^"]*" does not exist')

Rows = Connection[TupleRow]


@dataclass(frozen=True)
class Login:
    """How to reach one database of a server. `ca` is PEM, empty for the public ones."""

    host: str
    port: int
    database: str
    user: str
    password: str = field(repr=False)
    ca: str = ""

    def to(self, database: str) -> "Login":
        """The same server and role, another database."""
        return replace(self, database=database)

    @property
    def environment(self) -> dict[str, str]:
        """For PostgreSQL's own programs: nothing of it stands in an argument, which every process could read."""
        return {
            "PGHOST": self.host,
            "PGPORT": str(self.port),
            "PGDATABASE": self.database,
            "PGUSER": self.user,
            "PGPASSWORD": self.password,
            "PGSSLMODE": "verify-full",
            "PGSSLROOTCERT": ca_file(self.ca),
            "PGCONNECT_TIMEOUT": str(CONNECT_SECONDS),
            "PGAPPNAME": "mailark",
        }


def login_of(region: str, server: DatabaseServer, database: str, secret: str | None = None) -> Login:
    """The login that the estate's secret holds for a server; `secret` names another role's than the server's own."""
    answer = client("secretsmanager", region).get_secret_value(SecretId=secret_in(region, secret or server.secret))
    held = json.loads(answer["SecretString"])
    return Login(server.host, server.port, database, held["username"], held["password"], server.ca)


def ca_file(pem: str) -> str:
    """The path of a file with the certificates that a server is held to: libpq takes no other form."""
    if not pem:
        return certifi.where()
    target = Path(tempfile.gettempdir()) / f"mailark-ca-{hashlib.sha256(pem.encode()).hexdigest()[:16]}.pem"
    if not target.exists() or target.read_text() != pem:
        descriptor, unfinished = tempfile.mkstemp(dir=target.parent)
        with os.fdopen(descriptor, "w") as file:
            file.write(pem)
        Path(unfinished).replace(target)
    return str(target)


@contextmanager
def connected(login: Login, statement_seconds: float = 60) -> Iterator[Rows]:
    """A connection that commits each statement by itself, closed at the end of the block.

    No statement may take longer than `statement_seconds`, nor wait longer than `LOCK_SECONDS` for a lock. Raises
    `DatabaseUnreachable`, `DatabaseCertificateRefused`, `DatabaseLoginRefused` and `DatabaseMissing`; whatever a
    statement in the block raises becomes `DatabaseLocked` or `DatabaseRequestFailed`.
    """
    connection = _connect(login, statement_seconds)
    try:
        with _told(login, connection):
            yield connection
    finally:
        connection.close()


def _connect(login: Login, statement_seconds: float) -> Rows:
    settings = {
        "statement_timeout": f"{round(statement_seconds * 1000)}",
        "lock_timeout": f"{LOCK_SECONDS * 1000}",
        "idle_in_transaction_session_timeout": "0",
        "idle_session_timeout": "0",
        "default_transaction_read_only": "off",
        **WHEN_WE_DIE,
        "row_security": "off",  # what a policy would hide is refused instead: half a table is no table
        "client_min_messages": "error",
    }
    try:
        connection = psycopg.connect(
            host=login.host,
            port=login.port,
            dbname=login.database,
            user=login.user,
            password=login.password,
            sslmode="verify-full",
            sslrootcert=ca_file(login.ca),
            connect_timeout=CONNECT_SECONDS,
            keepalives_idle=10,
            keepalives_interval=5,
            keepalives_count=3,
            tcp_user_timeout=30_000,
            application_name="mailark",
            client_encoding="UTF8",
            options=" ".join(f"-c {name}={value}" for name, value in settings.items()),
            autocommit=True,
        )
        if connection.info.server_version >= 170_000:
            connection.execute("set transaction_timeout = 0")
        return connection
    except psycopg.OperationalError as error:
        raise unreached(login, str(error)) from None


def unreached(login: Login, text: str) -> MailarkError:
    """What libpq says of a connection that was not made, in Mailark's words. The text never holds a password."""
    problem = " ".join(text.split())
    if _NO_DATABASE.search(problem):
        return DatabaseMissing(host=login.host, database=login.database)
    answered = _ANSWERED.search(problem)
    if answered and answered["level"].isupper() and not _NOT_NOW.search(answered["problem"]):
        return DatabaseLoginRefused(host=login.host, user=login.user, problem=answered["problem"][:200].rstrip("."))
    problem = problem.rpartition("failed: ")[2][:200].rstrip(".")
    told = problem.replace(login.host, "")  # a name may have "tls" in it
    if _TLS.search(told) and not _CUT.search(told):
        return DatabaseCertificateRefused(host=login.host, problem=problem)
    return DatabaseUnreachable(host=login.host, port=login.port, problem=problem)


def is_passing(error: DatabaseUnreachable) -> bool:
    """Whether a server is there and takes no connection now: it starts, stops, replays its log, or is full."""
    return bool(_NOT_NOW.search(str(error.facts["problem"])))


@contextmanager
def _told(login: Login, connection: Rows) -> Iterator[None]:
    try:
        yield
    except errors.LockNotAvailable:
        raise DatabaseLocked(host=login.host, database=login.database, blocker=blocker_of(login)) from None
    except errors.DiskFull:
        raise DatabaseDiskFull(host=login.host) from None
    except psycopg.OperationalError as error:
        if connection.broken or connection.closed:
            problem = f"the connection broke ({error.sqlstate or type(error).__name__})"
            raise DatabaseUnreachable(host=login.host, port=login.port, problem=problem) from None
        raise _failed(login, error) from None
    except psycopg.Error as error:
        raise _failed(login, error) from None


def _failed(login: Login, error: psycopg.Error) -> DatabaseRequestFailed:
    """Its state and its kind: PostgreSQL's own text may quote a row, and a row is nobody's business here."""
    return DatabaseRequestFailed(
        host=login.host, database=login.database, state=error.sqlstate or "none", problem=type(error).__name__
    )


_BLOCKERS = """
select format('%s of %s (pid %s) holds %s%s',
              coalesce(nullif(a.application_name, ''), 'a session'), a.usename, a.pid, l.relation::regclass,
              to_char(a.xact_start at time zone 'utc', '" since "YYYY-MM-DD"T"HH24:MI:SS"Z"'))
  from pg_locks l join pg_stat_activity a on a.pid = l.pid
 where l.granted and l.mode in ('AccessExclusiveLock', 'ExclusiveLock', 'ShareRowExclusiveLock', 'RowExclusiveLock')
   and l.locktype = 'relation' and l.database = (select oid from pg_database where datname = current_database())
   and a.pid <> pg_backend_pid()
 order by l.mode <> 'AccessExclusiveLock', a.xact_start limit 1
"""


def blocker_of(login: Login) -> str:
    """Who holds the strongest and oldest lock in a database: the one that somebody was waiting for, as a rule."""
    try:
        with _connect(login, statement_seconds=10) as connection:
            connection.execute("set search_path = pg_catalog")
            row = connection.execute(_BLOCKERS).fetchone()
    except (MailarkError, psycopg.Error):
        return "a session that could not be asked for"
    return " ".join(str(row[0]).split()) if row else "a session that has ended since"
