"""Where rows were lost, when nobody knows what was deleted: each table of a backup held against the live one."""

from dataclasses import dataclass
from datetime import datetime

from psycopg import sql

from lambdas.adapters.database_facts import fix_settings, table_facts
from lambdas.adapters.missing_rows import MissingRows
from lambdas.adapters.postgres import Login, connected
from lambdas.adapters.recovery_session import Session, identifier
from lambdas.adapters.row_recovery import STATEMENT_SECONDS, reading, recovery_sessions
from lambdas.adapters.table_shapes import key_differences
from lambdas.domain.foreign_keys import Table
from lambdas.domain.recovery_plan import TableLoss, by_loss
from lambdas.domain.recovery_scope import ScopeItem

COMPARED_ROWS = 20_000_000
"""Beyond it only counts are compared: the keys of so many rows would take minutes to send."""


@dataclass(frozen=True)
class Deletions:
    """How many rows of a table were deleted since PostgreSQL began to count, at `since`, and how many there are."""

    table: str
    deleted: int
    rows: int
    since: datetime | None


@dataclass(frozen=True)
class ActiveSession:
    """A session that is doing something. Of its query, the first word: the others may hold what nobody should read."""

    pid: int
    user: str
    application: str
    address: str
    state: str
    since: datetime | None
    verb: str


def find_scope(backup: Login, live: Login, statement_seconds: float = STATEMENT_SECONDS) -> list[TableLoss]:
    """The tables that have lost rows since the backup, those that lost most first. Nothing is changed.

    Tables that only one of the two has, or whose primary key is another, are not compared by key.
    """
    with recovery_sessions(backup, live, statement_seconds) as (there, here):
        tables = sorted(there.schema.shapes.keys() & here.schema.shapes.keys())
        alike = [t for t in tables if not key_differences(there.shape(t), here.shape(t))]
        missing = MissingRows(there, here, [ScopeItem(str(table)) for table in alike], follow=False)
        with reading(there), reading(here):
            return by_loss(_loss(missing, table, table in alike) for table in tables)


def changed_tables(backup: Login, live: Login, statement_seconds: float = STATEMENT_SECONDS) -> list[str]:
    """The tables whose rows sum up to another checksum than in the backup, or that only one of the two has, by name.

    Nothing is changed. In a database that is in use these are most of its busy tables.
    """
    then, now = (_checksums(login, statement_seconds) for login in (backup, live))
    return sorted(name for name in then.keys() | now.keys() if then.get(name) != now.get(name))


def _checksums(login: Login, seconds: float) -> dict[str, str]:
    with connected(login, seconds) as connection:
        fix_settings(connection)
        connection.execute("begin isolation level repeatable read read only")
        return {str(Table(facts.schema, facts.name)): facts.checksum for facts in table_facts(connection)}


def _loss(missing: MissingRows, table: Table, alike: bool) -> TableLoss:
    then, now = (_count(side, table) for side in (missing.backup, missing.live))
    lacking = None
    if alike and then <= COMPARED_ROWS:
        rows = sql.SQL("from {} t").format(missing.source(missing.backup, table))
        lacking = missing.ask(table, rows)
        for side, kind in ((missing.live, "asked"), (missing.backup, "back")):
            side.empty(missing.temp(kind, table))
    return TableLoss(str(table), then, now, lacking)


def _count(side: Session, table: Table) -> int:
    only = sql.SQL("" if side.shape(table).partitioned else "only ")
    return side.number(sql.SQL("select count(*) from {}{}").format(only, identifier(table)))


_DELETIONS = """
select format('%I.%I', t.schemaname, t.relname), t.n_tup_del, t.n_live_tup, d.stats_reset
  from pg_stat_user_tables t, pg_stat_database d
 where d.datname = current_database() and t.n_tup_del > 0 order by t.n_tup_del desc, 1 limit 20
"""
_ACTIVE = r"""
select pid, coalesce(usename, ''), coalesce(application_name, ''), coalesce(client_addr::text, ''), state, query_start,
       upper(coalesce(substring(query from '^\s*([A-Za-z]+)'), ''))
  from pg_stat_activity
 where datname = current_database() and state <> 'idle' and pid <> pg_backend_pid() order by query_start desc limit 20
"""


def recent_activity(live: Login) -> tuple[list[Deletions], list[ActiveSession]]:
    """What PostgreSQL itself has counted and sees now: facts, not more. What another's session does is seen only with
    the rights of `pg_read_all_stats`.
    """
    with connected(live) as connection:
        deletions = [Deletions(*row) for row in connection.execute(_DELETIONS)]
        return deletions, [ActiveSession(*row) for row in connection.execute(_ACTIVE)]
