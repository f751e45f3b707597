"""The snapshot that a dump and its proof are taken under, and the locks without which it would not hold.

TRUNCATE, and whatever writes a table anew, is seen by older snapshots too. pg_dump's own locks end with it, and who
counts may come to a table later: so the session that has the snapshot locks every table itself, and then looks whether
each is still what the snapshot shows.
"""

from collections.abc import Sequence
from typing import Any

from psycopg import errors, sql

from lambdas.adapters.database_facts import OWN_TABLES
from lambdas.adapters.postgres import Rows
from lambdas.domain.database_errors import DumpFailed

_TRIES = 10
_TABLES = f"""
select c.oid, n.nspname, c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
 where {OWN_TABLES} order by 2, 3
"""  # noqa: S608  # our own text
_CHANGED = """
select count(*) from pg_class c join pg_namespace n on n.oid = c.relnamespace
 where c.oid = any(%s::oid[])
   and c.relfilenode is distinct from pg_relation_filenode(to_regclass(format('%%I.%%I', n.nspname, c.relname)))
"""
"""pg_class is read as the snapshot has it, and pg_relation_filenode as it is now (PostgreSQL's source, dbsize.c)."""


def hold_snapshot(session: Rows, unreadable: Sequence[str] = ()) -> str:
    """Begin a transaction that only reads, and lock each table in it; the name of its snapshot, for pg_dump.

    Until it ends nobody empties, changes or drops one; the rows of those in `unreadable` (`schema.name`) nobody asks
    for. Raises `DumpFailed` when tables are dropped or emptied faster than they can be locked, and as `connected` does.
    """
    for _ in range(_TRIES):
        session.execute("begin isolation level repeatable read read only")
        exported: Any = session.execute("select pg_export_snapshot()").fetchone()
        tables = [row for row in session.execute(_TABLES).fetchall() if f"{row[1]}.{row[2]}" not in unreadable]
        if _locked(session, tables):
            return str(exported[0])
        session.execute("rollback")
    raise DumpFailed(program="Locking the tables", problem="they are dropped or emptied all the time")


def _locked(session: Rows, tables: Sequence[tuple[Any, ...]]) -> bool:
    """Whether all are locked, and were neither dropped nor written anew since the snapshot."""
    if not tables:
        return True
    names = sql.SQL(", ").join(sql.SQL("only {}").format(sql.Identifier(*row[1:])) for row in tables)
    try:
        session.execute(sql.SQL("lock table {} in access share mode").format(names))
    except (errors.UndefinedTable, errors.InvalidSchemaName, errors.WrongObjectType):
        return False
    changed: Any = session.execute(_CHANGED, [[row[0] for row in tables]]).fetchone()
    return bool(changed[0] == 0)
