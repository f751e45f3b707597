"""Take a person's decision, which a parameter holds that only they can have written, and wake who waits for it."""

from dataclasses import dataclass

from lambdas.adapters.approvals import Approvals
from lambdas.adapters.audit_trail import timestamp
from lambdas.adapters.decision_slips import DecisionSlips
from lambdas.adapters.estate_parameter import read_estate
from lambdas.adapters.executions import Executions
from lambdas.adapters.lambda_handler import Run, action
from lambdas.adapters.spooled_trail import spooled_trail
from lambdas.adapters.starters import starter_of
from lambdas.adapters.waiting_tasks import WaitingTasks
from lambdas.domain.approval import Approval, Outcome, approval_of, check_not_own, event, is_new, read_slip
from lambdas.domain.approval_errors import ApprovalTooLate
from lambdas.domain.scenarios import SCENARIOS


@dataclass(frozen=True)
class DecideApproval:
    """`parameter` is where the decision lies: what a caller says proves nothing, and so nothing else is asked."""

    parameter: str


@dataclass(frozen=True)
class ApprovalDecision:
    approval_id: str
    asks: str
    status: Outcome
    decided_by: str
    decided_at: str


@action(DecideApproval)
def handler(request: DecideApproval, run: Run) -> ApprovalDecision:
    settings = run.settings
    approvals = Approvals(settings.region, settings["APPROVALS_TABLE"])
    approval = approvals.get(approval_of(request.parameter))
    written = DecisionSlips(settings.region).read(request.parameter)
    decision = read_slip(request.parameter, written.version, written.text, written.by)
    if is_new(approval, decision, timestamp(run.now())):
        _check_waits(approval, run)
        if decision.outcome == "approved" and not read_estate(settings.region).approvals.own:
            check_not_own(approval, decision.by, starter_of(settings.region, approval.execution, approval.started_at))
        recorded = approvals.decide(approval.id, decision, timestamp(run.now()))
        approval = approvals.get(approval.id)
        if not recorded:  # somebody else was faster, or the time has run out: this says which
            is_new(approval, decision, approval.expires_at)
    assert approval.decided_at is not None  # it is decided
    told = event(approval, decision.outcome, decision.by, approval.decided_at)
    spooled_trail(settings).append(SCENARIOS[approval.scenario].scope, told)
    token = approvals.token(approval.id)
    if not (token and WaitingTasks(settings.region).wake(token)) and approvals.get(approval.id).closed_at is None:
        _check_waits(approval, run)
    return ApprovalDecision(approval.id, approval.asks, decision.outcome, decision.by, approval.decided_at)


def _check_waits(approval: Approval, run: Run) -> None:
    """Raise `ApprovalTooLate` where the execution that would take the decision has ended without it."""
    if not Executions(run.settings.region).runs(approval.waits):
        raise ApprovalTooLate(approval_id=approval.id, execution=approval.waits)
