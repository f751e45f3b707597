"""Record what a person is asked to approve, and until when."""

import math
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

from msgspec import Meta

from lambdas.adapters.approvals import Approvals
from lambdas.adapters.audit_trail import timestamp
from lambdas.adapters.estate_parameter import read_estate
from lambdas.adapters.lambda_handler import Run, action
from lambdas.adapters.spooled_trail import spooled_trail
from lambdas.domain.approval import LONGEST_MINUTES, Approval, ApprovalTopic, approval_id, event, seconds_left
from lambdas.domain.operation import Operation
from lambdas.domain.scenarios import scope_of


@dataclass(frozen=True)
class OpenApproval:
    """`operation` is whose step is to be approved; `waits` and `opened_at` are the execution that waits, and its start.

    `asks` says in words what will be destroyed or changed, `on` on what; `preview` is where it can be looked at.
    """

    operation: Operation
    waits: str
    opened_at: str
    asks: str
    on: str
    topic: ApprovalTopic
    preview: str | None = None
    expires_in_minutes: Annotated[float, Meta(gt=0, le=LONGEST_MINUTES)] | None = None


@dataclass(frozen=True)
class ApprovalOpened:
    """`seconds` is how long it may still be decided."""

    approval_id: str
    seconds: int


@action(OpenApproval)
def handler(request: OpenApproval, run: Run) -> ApprovalOpened:
    settings, operation, now = run.settings, request.operation, run.now()
    minutes = request.expires_in_minutes
    if minutes is None:
        minutes = read_estate(settings.region).approvals.expires_minutes
    opened = Approvals(settings.region, settings["APPROVALS_TABLE"]).open(
        Approval(
            id=approval_id(request.waits, request.opened_at),
            operation_id=operation.id,
            scenario=operation.scenario,
            execution=operation.execution,
            started_at=operation.started_at,
            waits=request.waits,
            asks=request.asks,
            on=request.on,
            topic=request.topic,
            requested_by=operation.user_id,
            why=operation.reason,
            requested_at=timestamp(now),
            expires_at=timestamp(now + timedelta(seconds=math.ceil(minutes * 60))),
            preview=request.preview,
            incident_id=operation.incident_id,
        )
    )
    told = event(opened, "pending", operation.user_id, opened.requested_at)
    spooled_trail(settings).append(scope_of(operation), told)
    return ApprovalOpened(opened.id, seconds_left(opened, now))
