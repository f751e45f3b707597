"""Deleted rows brought back: from a backup that was restored into a throwaway database beside, into the live one.

`plan_recovery` shows what would be done, `import_rows` does exactly that or nothing, `export_rows` writes CSV instead.
A row that is live is never changed. Of what hangs on the rows in scope, the missing ones come too: those that refer to
a missing row (as a cascade deleted them), and those that a missing row refers to, which come alone.
"""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass

from psycopg import IsolationLevel, errors

from lambdas.adapters.postgres import Login, connected
from lambdas.adapters.recovery_search import Search
from lambdas.adapters.recovery_session import Session
from lambdas.adapters.row_import import RowImport
from lambdas.domain.foreign_keys import Table
from lambdas.domain.recovery_errors import RecoveryCollided, RecoveryConflicts, RecoveryPlanChanged, RecoveryRefused
from lambdas.domain.recovery_plan import OnConflict, RecoveryPlan
from lambdas.domain.recovery_scope import ScopeItem

STATEMENT_SECONDS = 600
"""One table of a large database; a Lambda ends after 900."""
_ATTEMPTS = 3


@dataclass(frozen=True)
class Imported:
    """What an import did: rows by table, in the order of the import, and how many were left out.

    Without rows there was nothing to do: an earlier import has done it, or nothing was missing.
    """

    rows: dict[str, int]
    left_out: int

    @property
    def nothing_missing(self) -> bool:
        return not self.rows


def plan_recovery(
    backup: Login,
    live: Login,
    scope: Sequence[ScopeItem],
    on_conflict: OnConflict = "stop",
    statement_seconds: float = STATEMENT_SECONDS,
) -> RecoveryPlan:
    """What an import of this scope would do. Nothing is changed on either side.

    Raises `RecoveryTableUnknown`, `RecoveryTableMissing`, `RecoveryKeyDiffers`, `RecoverySchemaDiffers`,
    `RecoveryConditionInvalid`, and what `connected` raises.
    """
    with recovery_sessions(backup, live, statement_seconds) as (there, here):
        search = Search(there, here, scope, contents=True)
        with reading(there), reading(here):
            return search.plan(on_conflict, samples=True)


def import_rows(
    backup: Login,
    live: Login,
    scope: Sequence[ScopeItem],
    approved: str,
    on_conflict: OnConflict = "stop",
    statement_seconds: float = STATEMENT_SECONDS,
    left_out: int = 0,
) -> Imported:
    """Do what the plan with the digest `approved` says, in one transaction on live, and prove it before COMMIT.

    That plan leaves out `left_out` rows, which are in conflict.

    What is found missing, in conflict and inserted is one deed: SERIALIZABLE, and tables without primary key are locked
    against writing. It is begun anew when another session's writing came in between. Done a second time, it does
    nothing, once it has seen that what was approved is live, to each value. Raises `RecoveryPlanChanged`,
    `RecoveryConflicts`, `RecoveryRefused`, `RecoveryNotProved`, `RecoveryNotOwner`, `RecoveryCollided`, and what
    `plan_recovery` raises: then nothing was imported.
    """
    for attempt in range(_ATTEMPTS):
        with recovery_sessions(backup, live, statement_seconds) as (there, here):
            search = Search(there, here, scope)
            try:
                with reading(there), _writing(here):
                    search.lock_unnumbered()
                    done, proved = _import(search, approved, on_conflict, left_out)
            except (errors.SerializationFailure, errors.DeadlockDetected):
                continue
            except errors.UniqueViolation as error:
                if attempt < _ATTEMPTS - 1:
                    continue
                table = Table(error.diag.schema_name or "", error.diag.table_name or "")
                problem = error.diag.constraint_name or "a unique key"
                raise RecoveryRefused(tables=table, state=error.sqlstate, problem=problem) from None
        if not proved:
            _prove_earlier(backup, live, scope, approved, on_conflict, statement_seconds)
        return done
    raise RecoveryCollided(attempts=_ATTEMPTS)


def export_rows(
    backup: Login, live: Login, scope: Sequence[ScopeItem], statement_seconds: float = STATEMENT_SECONDS
) -> Iterator[tuple[Table, Iterator[bytes]]]:
    """The rows that an import would bring, conflicts or not: for each table its CSV with headers, in blocks.

    Read a table's blocks before the next table, which ends them. Columns may differ from the live ones, but not the
    primary key's. Raises as `plan_recovery`.
    """
    with recovery_sessions(backup, live, statement_seconds) as (there, here):
        search = Search(there, here, scope)
        with reading(there), reading(here):
            search.find()
            for table in search.order():
                with closing(search.csv(table)) as blocks:
                    yield table, blocks


def _import(search: Search, approved: str, on_conflict: OnConflict, left_out: int) -> tuple[Imported, bool]:
    """What was imported, and whether it is proved: where nothing was missing, an earlier import may have done it."""
    plan = search.plan(on_conflict, samples=False)
    if plan.conflict_count and on_conflict == "stop":
        first = plan.conflicts[0].without_key if plan.conflicts else "unknown"
        raise RecoveryConflicts(count=f"{plan.conflict_count:,}", first=first)
    if plan.rows == 0 and plan.conflict_count <= left_out:  # nothing is missing but what was to be left out
        return Imported({}, plan.conflict_count), plan.digest == approved
    if plan.digest != approved:
        raise RecoveryPlanChanged(approved=approved[:12], found=plan.digest[:12])
    counts = {str(table): plan.rows for table, plan in zip(search.order(), plan.tables, strict=True) if plan.rows}
    RowImport(search.missing).run([table for table in search.order() if str(table) in counts])
    return Imported(counts, plan.conflict_count), True


def _prove_earlier(
    backup: Login, live: Login, scope: Sequence[ScopeItem], approved: str, on_conflict: OnConflict, seconds: float
) -> None:
    """See that an import has done what was approved: nothing is missing, and that may have other causes.

    An import is one transaction, and whoever wrote the newest of the rows that are as in the backup may be it. It is if
    without its rows the plan is the one that was approved; and they are compared with the backup's to each value.
    Raises `RecoveryPlanChanged`.
    """
    with recovery_sessions(backup, live, seconds) as (there, here):
        search = Search(there, here, scope, contents=True)
        with reading(there), reading(here):
            number = search.newest()
    with recovery_sessions(backup, live, seconds) as (there, here):
        here.without = number
        search = Search(there, here, scope)
        with reading(there), reading(here):
            plan = search.plan(on_conflict, samples=False)
            if plan.digest == approved and search.arrived(search.order()):
                return
    raise RecoveryPlanChanged(approved=approved[:12], found=plan.digest[:12])


@contextmanager
def recovery_sessions(backup: Login, live: Login, statement_seconds: float) -> Iterator[tuple[Session, Session]]:
    """Both databases, each with a connection of its own, closed at the end of the block."""
    with connected(backup, statement_seconds) as there, connected(live, statement_seconds) as here:
        yield Session(backup, there, own_errors=True), Session(live, here)


@contextmanager
def reading(session: Session) -> Iterator[None]:
    """A transaction that sees one moment and changes nothing but temporary tables."""
    session.connection.isolation_level, session.connection.read_only = IsolationLevel.REPEATABLE_READ, True
    with session.connection.transaction(force_rollback=True):
        yield


@contextmanager
def _writing(session: Session) -> Iterator[None]:
    session.connection.isolation_level, session.connection.read_only = IsolationLevel.SERIALIZABLE, False
    with session.connection.transaction():
        yield
