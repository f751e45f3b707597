"""A dump and its proof under one snapshot of the source: streamed, in constant memory, nothing on a disk."""

import secrets
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from itertools import takewhile

import psycopg

from lambdas.adapters.database_facts import (
    alembic_revision,
    extensions_of,
    fix_settings,
    large_object_facts,
    roles_used,
    sequence_facts,
    source_of,
    table_facts,
)
from lambdas.adapters.database_rules import rules_of
from lambdas.adapters.database_snapshot import hold_snapshot
from lambdas.adapters.pipes import ahead
from lambdas.adapters.postgres import Login, Rows, connected
from lambdas.adapters.postgres_programs import dumped
from lambdas.domain.backup import Bytes, WrappedKey
from lambdas.domain.database_errors import DumpFailed
from lambdas.domain.database_manifest import DatabaseContents, DatabaseSource, TableFacts
from lambdas.domain.database_proof import certain
from lambdas.domain.database_properties import record
from lambdas.domain.dump import DumpVerifier, gzipped
from lambdas.domain.proof import Measured


@dataclass(frozen=True)
class Dump:
    """What a dump turned out to be: the compressed plaintext, the ciphertext, and what the source held."""

    source: DatabaseSource
    contents: DatabaseContents
    plaintext: Bytes
    ciphertext: Bytes


@dataclass(frozen=True)
class _Held:
    tables: list[TableFacts]
    large_objects: TableFacts


def take_dump(
    login: Login,
    restrict_key: str,
    roles: WrappedKey,
    wrap: Callable[[bytes], WrappedKey],
    seal: Callable[[Iterable[bytes]], Iterator[bytes]],
    write: Callable[[bytes], None],
    seconds: float,
    unreadable: Sequence[str] = (),
) -> Dump:
    """Dump a database, compressed and sealed, piece by piece to `write`, within `seconds`.

    Meanwhile rows and checksums are taken under the very snapshot that pg_dump reads. Raises `DumpFailed`,
    `DumpDamaged` and as `connected` does; whatever was written then is no dump.

    `wrap` seals the settings of the database. `unreadable` are tables (`schema.name`) whose rows are left out, since
    nobody can read them any more.
    """
    plain, encrypted, verifier = Measured(), Measured(), DumpVerifier()

    def verified(pieces: Iterable[bytes]) -> Iterator[bytes]:
        for piece in pieces:
            verifier.update(piece)
            yield piece

    until = time.monotonic() + seconds
    with connected(login, seconds) as session:
        fix_settings(session)
        source, size = source_of(session, login.database)
        before = sequence_facts(session)
        snapshot = hold_snapshot(session, unreadable)
        raw = dumped(login, source, snapshot, restrict_key, seconds, unreadable)
        packed = ahead(gzipped(ahead(verified(ahead(raw)))))
        # From the last to the first: pg_dump ends, so that nobody waits for it, then whoever reads it.
        with _taken_meanwhile(session, unreadable) as facts, closing(packed), closing(raw):
            for piece in encrypted.through(seal(plain.through(packed))):
                write(piece)
                _raise_if_failed(facts)
            sql, held = verifier.finish(), _result(facts, until, seconds)
        extensions, roles_in_use, alembic = extensions_of(session), roles_used(session), alembic_revision(session)
        rules = rules_of(session)
        session.execute("commit")
        contents = DatabaseContents(
            sql=sql,
            restrict_key=restrict_key,
            tables=held.tables,
            sequences=certain(before, sequence_facts(session)),
            extensions=extensions,
            roles=roles_in_use,
            alembic=alembic,
            large_objects=held.large_objects,
            size=size,
            globals=roles,
            left_out=sorted(unreadable),
            properties=record(rules, wrap),
        )
    return Dump(source, contents, Bytes(plain.size, plain.sha256), Bytes(encrypted.size, encrypted.sha256))


def new_restrict_key() -> str:
    """The key of `\\restrict` for one dump: whoever rules the source must not know it (PostgreSQL, CVE-2025-8714)."""
    return secrets.token_hex(16)


@contextmanager
def _taken_meanwhile(session: Rows, unreadable: Sequence[str]) -> Iterator["Future[_Held]"]:
    """What the session's snapshot holds, found in a thread that has ended when the block has."""
    unwanted = threading.Event()

    def held() -> _Held:
        tables = list(takewhile(lambda _: not unwanted.is_set(), table_facts(session, unreadable)))
        return _Held(tables, large_object_facts(session))

    with ThreadPoolExecutor(1, thread_name_prefix="facts") as pool:
        facts = pool.submit(held)
        try:
            yield facts
        except DumpFailed:
            _raise_if_failed(facts)  # what failed first is why: pg_dump needs the session's snapshot
            raise
        finally:
            unwanted.set()
            while not facts.done():
                with suppress(psycopg.Error):
                    session.cancel_safe(timeout=5)
                wait([facts], timeout=1)


def _result(facts: "Future[_Held]", until: float, seconds: float) -> _Held:
    try:
        return facts.result(max(0.0, until - time.monotonic()))
    except TimeoutError:
        raise DumpFailed(program="Counting the rows", problem=f"it took longer than {seconds:.0f} s") from None


def _raise_if_failed(facts: "Future[_Held]") -> None:
    if facts.done():
        facts.result()
