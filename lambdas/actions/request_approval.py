"""Send the request to the people who may decide, and keep the token of the task that waits for them."""

from dataclasses import dataclass

from lambdas.adapters.approvals import Approvals
from lambdas.adapters.audit_trail import timestamp
from lambdas.adapters.lambda_handler import Run, action
from lambdas.adapters.notifications import Topic
from lambdas.adapters.waiting_tasks import WaitingTasks
from lambdas.domain.approval_message import request_message
from lambdas.domain.operation import Operation


@dataclass(frozen=True)
class RequestApproval:
    operation: Operation
    approval_id: str
    token: str


@dataclass(frozen=True)
class ApprovalRequested:
    approval_id: str


@action(RequestApproval)
def handler(request: RequestApproval, run: Run) -> ApprovalRequested:
    settings = run.settings
    approvals = Approvals(settings.region, settings["APPROVALS_TABLE"])
    if not approvals.keep_token(request.approval_id, request.token):
        # It was decided while an earlier task waited: nobody would wake this one.
        WaitingTasks(settings.region).wake(request.token)
    approval = approvals.get(request.approval_id)
    if approval.status == "pending" and approval.sent_at is None:
        topic = settings["SECURITY_TOPIC" if approval.topic == "security" else "OPERATIONS_TOPIC"]
        Topic(topic).publish(request_message(approval, settings["ESTATE_NAME"], settings.region))
        # Written after it: one who dies between the two has the request sent twice, and not never.
        approvals.sent(approval.id, timestamp(run.now()))
    return ApprovalRequested(approval.id)
