"""Read what was decided, or record that nobody has in time: the end of every approval."""

from dataclasses import dataclass

from lambdas.adapters.approvals import Approvals
from lambdas.adapters.audit_trail import timestamp
from lambdas.adapters.decision_slips import DecisionSlips
from lambdas.adapters.lambda_handler import Run, action
from lambdas.adapters.spooled_trail import spooled_trail
from lambdas.domain.approval import Approval, Status, check_proved, event, read_slip
from lambdas.domain.approval_errors import ApprovalNotDecided
from lambdas.domain.operation import SYSTEM, Operation
from lambdas.domain.scenarios import SCENARIOS


@dataclass(frozen=True)
class CloseApproval:
    """`timed_out` is whether the time to decide is over; otherwise somebody has woken the task."""

    operation: Operation
    approval_id: str
    timed_out: bool


@dataclass(frozen=True)
class ApprovalClosed:
    """`outcome` is approved, refused or expired; the others are None for one that expired."""

    approval_id: str
    outcome: Status
    decided_by: str | None
    decided_at: str | None
    reason: str | None


@action(CloseApproval)
def handler(request: CloseApproval, run: Run) -> ApprovalClosed:
    settings = run.settings
    approvals = Approvals(settings.region, settings["APPROVALS_TABLE"])
    if request.timed_out:
        approvals.expire(request.approval_id)  # a decision that was recorded in time stands, though nobody heard of it
    approval = approvals.get(request.approval_id)
    if approval.status == "pending":
        raise ApprovalNotDecided(approval_id=approval.id)
    if approval.status != "expired":
        _check_proved(approval, DecisionSlips(settings.region))
    # One who decides and dies has the decision recorded, and perhaps not told: this tells it too, once.
    by, at = approval.decided_by or SYSTEM, approval.decided_at or approval.expires_at
    spooled_trail(settings).append(SCENARIOS[approval.scenario].scope, event(approval, approval.status, by, at))
    approvals.close(approval.id, timestamp(run.now()))
    return ApprovalClosed(approval.id, approval.status, approval.decided_by, approval.decided_at, approval.reason)


def _check_proved(approval: Approval, slips: DecisionSlips) -> None:
    """Believe no row: who may write to the table, and not as that person to Parameter Store, decides nothing."""
    if approval.slip is None:
        raise ApprovalNotDecided(approval_id=approval.id)
    written = slips.read(approval.slip, approval.slip_version)
    check_proved(approval, read_slip(approval.slip, written.version, written.text, written.by))
