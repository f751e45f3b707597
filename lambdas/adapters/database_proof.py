"""The proof that a restored database is the one that was dumped: what it holds, and what its own dump says."""

import time
from contextlib import closing
from typing import Any

from psycopg import sql

from lambdas.adapters.database_facts import (
    alembic_revision,
    extensions_of,
    fix_settings,
    large_object_facts,
    sequence_facts,
    table_facts,
)
from lambdas.adapters.database_rules import rules_of
from lambdas.adapters.pipes import ahead
from lambdas.adapters.postgres import Login, connected
from lambdas.adapters.postgres_programs import dumped
from lambdas.domain.database_errors import DatabaseCheckFailed, DatabaseNotProved, DatabaseVersionDiffers
from lambdas.domain.database_manifest import DatabaseManifest
from lambdas.domain.database_proof import Found, differences
from lambdas.domain.dump import DumpVerifier
from lambdas.domain.estate_database import DatabaseCheck
from lambdas.domain.sql_digest import SqlDigest

_CHECK_SECONDS = 60


def prove_restored(login: Login, manifest: DatabaseManifest, loaded: str, seconds: float) -> bool:
    """Level `proven`: tables, sequences, large objects and rules as recorded, and the same dump again.

    Whether that is so byte for byte: otherwise it says what was `loaded`, but for the words that PostgreSQL writes
    expressions in (`sql_digest.py`). With an empty `loaded`, where nobody knows that, each byte counts. Takes at most
    `seconds`. Raises `DatabaseNotProved`, `DatabaseVersionDiffers`, and as `take_dump` does.
    """
    until = time.monotonic() + seconds
    with connected(login, seconds) as session:
        major = session.info.server_version // 10_000
        if major != manifest.source.major:  # another pg_dump writes the same in other words
            raise DatabaseVersionDiffers(host=login.host, found=major, wanted=manifest.source.major)
        fix_settings(session)
        session.execute("begin isolation level repeatable read read only")
        found = Found(
            tables=list(table_facts(session, manifest.contents.left_out)),
            large_objects=large_object_facts(session),
            sequences=sequence_facts(session),
            extensions=extensions_of(session),
            alembic=alembic_revision(session),
            rules=rules_of(session),
        )
        if different := differences(manifest.contents, found):
            more = f", and {len(different) - 1} more" if len(different) > 1 else ""
            raise DatabaseNotProved(backup_id=manifest.backup_id, problem=different[0] + more)
        exported: Any = session.execute("select pg_export_snapshot()").fetchone()
        verifier, digest = DumpVerifier(), SqlDigest()
        key, left_out = manifest.contents.restrict_key, manifest.contents.left_out
        raw = dumped(login, manifest.source, exported[0], key, until - time.monotonic(), left_out)
        with closing(ahead(raw)) as pieces, closing(raw):
            for piece in digest.through(pieces):
                verifier.update(piece)
        same = verifier.finish() == manifest.contents.sql
        if not same and digest.hexdigest() != loaded:
            problem = "its own dump is not the one that it was restored from"
            raise DatabaseNotProved(backup_id=manifest.backup_id, problem=problem)
        return same


def run_checks(login: Login, checks: list[DatabaseCheck]) -> int:
    """Ask what the estate asks, without changing anything; how many there were. Raises `DatabaseCheckFailed`."""
    for check in checks:
        with connected(login, _CHECK_SECONDS) as session:
            session.execute("set session characteristics as transaction read only")
            session.execute("set row_security = on")  # it is asked as the services ask, which policies hold for
            cursor = session.execute(sql.SQL(check.sql))
            row = cursor.fetchone() if cursor.description else None
        if row is None or str(row[0]) != check.expect:
            raise DatabaseCheckFailed(name=check.name, database=login.database)
    return len(checks)
