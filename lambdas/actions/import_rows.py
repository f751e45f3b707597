"""Bring deleted rows back: exactly the plan that was approved, in one transaction, proved before it commits."""

from dataclasses import dataclass

from lambdas.adapters.lambda_handler import Run, action
from lambdas.adapters.leases import Leases
from lambdas.adapters.recovery_logins import recovery_logins
from lambdas.adapters.row_recovery import import_rows
from lambdas.domain.operation import Operation
from lambdas.domain.recovery_errors import RecoveryNotApproved
from lambdas.domain.recovery_plan import OnConflict
from lambdas.domain.recovery_scope import ScopeItem

_MARGIN_SECONDS = 60


@dataclass(frozen=True)
class Approval:
    """How a request for approval has ended: `approved`, `refused` or `expired`."""

    approval_id: str
    outcome: str
    decided_by: str | None = None
    reason: str | None = None


@dataclass(frozen=True)
class ImportRows:
    """`digest` is the plan's that was approved, and `left_out` how many rows in conflict it leaves out."""

    operation: Operation
    scope: list[ScopeItem]
    on_conflict: OnConflict
    digest: str
    approval: Approval
    left_out: int = 0


@dataclass(frozen=True)
class RowsImported:
    """Rows by table, in the order of the import; none where an earlier import has done it."""

    rows: dict[str, int]
    left_out: int


@action(ImportRows)
def handler(request: ImportRows, run: Run) -> RowsImported:
    settings, approval = run.settings, request.approval
    if approval.outcome != "approved":
        by = approval.decided_by or "nobody"
        raise RecoveryNotApproved(approval_id=approval.approval_id, outcome=approval.outcome, by=by)
    logins = recovery_logins(settings.region, request.operation)
    with Leases(settings.region, settings["LEASES_TABLE"]).guard(request.operation, run.seconds_left()):
        seconds = run.seconds_left() - _MARGIN_SECONDS
        done = import_rows(
            logins.backup,
            logins.live,
            request.scope,
            request.digest,
            request.on_conflict,
            seconds,
            request.left_out,
        )
    return RowsImported(done.rows, done.left_out)
