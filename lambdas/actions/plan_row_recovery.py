"""Plan the recovery of deleted rows: exactly which rows would come back, and what stands in their way."""

from dataclasses import dataclass
from datetime import datetime

from lambdas.adapters.lambda_handler import Run, action
from lambdas.adapters.recovery_logins import recovery_logins
from lambdas.adapters.row_recovery import plan_recovery
from lambdas.adapters.work_store import WorkStore
from lambdas.domain.operation import Operation
from lambdas.domain.recovery_errors import NoRowRecoverable, RowsInConflict
from lambdas.domain.recovery_plan import OnConflict, conflicts_csv
from lambdas.domain.recovery_scope import ScopeItem
from lambdas.domain.recovery_text import in_short, preview_text

_MARGIN_SECONDS = 60
_NOTHING = "Nothing was brought back: {backup_id} has no row of the scope that is missing in the live database."


@dataclass(frozen=True)
class PlanRowRecovery:
    """`backup_id`, `data_from` and `deleted_at` say in the preview what the rows come from, and which cannot."""

    operation: Operation
    backup_id: str
    data_from: str
    deleted_at: datetime
    scope: list[ScopeItem]
    on_conflict: OnConflict
    export: bool = False


@dataclass(frozen=True)
class RowRecoveryPlanned:
    """`digest` is what a person approves; `preview` and `conflicts` are where these lie, for whoever may read them.

    `rows` is what would be inserted, and `tables` the same in words; `missing` is False where every row is live.
    `note` says it to people where nothing would be brought back.
    """

    digest: str
    rows: int
    tables: str
    missing: bool
    conflict_count: int
    preview: str
    conflicts: str
    on: str
    note: str | None = None


@action(PlanRowRecovery)
def handler(request: PlanRowRecovery, run: Run) -> RowRecoveryPlanned:
    settings = run.settings
    logins = recovery_logins(settings.region, request.operation)
    seconds = run.seconds_left() - _MARGIN_SECONDS
    plan = plan_recovery(logins.backup, logins.live, request.scope, request.on_conflict, seconds)
    work, database = WorkStore(settings.region, settings["WORK_BUCKET"]), logins.live.database
    text = preview_text(plan, database, request.backup_id, request.data_from, request.deleted_at)
    preview = work.put_text(request.operation.id, "preview.txt", text)
    conflicts = work.put_text(request.operation.id, "conflicts.csv", conflicts_csv(plan.conflicts))
    if plan.conflict_count and not request.export:
        first = plan.conflicts[0].without_key
        if plan.on_conflict == "stop":
            raise RowsInConflict(count=plan.conflict_count, first=first, listed=conflicts)
        if plan.rows == 0:
            raise NoRowRecoverable(count=plan.conflict_count, first=first, listed=conflicts)
    return RowRecoveryPlanned(
        digest=plan.digest,
        rows=plan.rows,
        tables=in_short(plan.tables),
        missing=not plan.nothing_missing,
        conflict_count=plan.conflict_count,
        preview=preview,
        conflicts=conflicts,
        on=f"the database {database} at {logins.live.host}",
        note=None if plan.rows else _NOTHING.format(backup_id=request.backup_id),
    )
