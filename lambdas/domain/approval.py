"""An approval: what a person is asked to allow, who may answer, until when, and how an answer is proved.

A decision is a slip: a parameter of AWS Systems Manager under `SLIPS`, which the person writes. Parameter Store keeps
with each version the ARN of whoever wrote it, so a slip says who decided, and no text in it can say otherwise.
"""

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from lambdas.domain.approval_errors import (
    ApprovalDecided,
    ApprovalExpired,
    ApprovalNotDecided,
    ApprovalOwn,
    ApprovalPersonUnknown,
    ApprovalStarterUnknown,
    ApprovalUnknown,
    SlipInvalid,
)
from lambdas.domain.audit import Event, Severity, event_id
from lambdas.domain.parsing import Problem, parse

SLIPS = "/mailark/approvals"
LONGEST_MINUTES = 120
"""The state machine of an approval ends before the scenario that waits for it runs out of time."""

ApprovalTopic = Literal["operations", "security"]
Status = Literal["pending", "approved", "refused", "expired"]
Outcome = Literal["approved", "refused"]

_NOT_BLANK = r"\S"
_DECISION = r"^(approve|refuse)\Z"
_PATTERNS = {_NOT_BLANK: "some words", _DECISION: "approve or refuse"}
_PERSON = re.compile(
    r"arn:[^:]+:(iam::\d+:(?=root\Z)|iam::\d+:user/([^/]+/)*|sts::\d+:(assumed-role/[^/]+|federated-user)/)"
    r"(?P<name>[^/]+)"
)
_SLIP = re.compile(rf"{SLIPS}/(?P<approval_id>[A-Za-z0-9_.-]+)/[A-Za-z0-9_.-]+")


@dataclass(frozen=True)
class Approval:
    """A request as it is kept. Times are RFC 3339 in UTC with milliseconds, which sort as text.

    `execution` is the operation's, `waits` the one that waits for the answer. `requested_by` is what somebody typed;
    `decided_by` is an ARN, as AWS has it, and `slip` with its version where that is proved.
    """

    id: str
    operation_id: str
    scenario: str
    execution: str
    started_at: str
    waits: str
    asks: str
    on: str
    topic: ApprovalTopic
    requested_by: str
    why: str
    requested_at: str
    expires_at: str
    status: Status = "pending"
    preview: str | None = None
    incident_id: str | None = None
    sent_at: str | None = None
    decided_by: str | None = None
    decided_at: str | None = None
    reason: str | None = None
    closed_at: str | None = None
    slip: str | None = None
    slip_version: int | None = None


class Slip(Struct, frozen=True, forbid_unknown_fields=True):
    """What a person writes to decide; a refusal needs its reason as much as an approval."""

    decision: Annotated[str, Meta(pattern=_DECISION)]
    reason: Annotated[str, Meta(min_length=1, max_length=500, pattern=_NOT_BLANK)]

    @property
    def outcome(self) -> Outcome:
        return "approved" if self.decision == "approve" else "refused"


@dataclass(frozen=True)
class Decision:
    """What a person has decided: `by` is their ARN, and a version of the parameter `slip` proves it."""

    outcome: Outcome
    reason: str
    by: str
    slip: str
    slip_version: int


def approval_id(waits: str, started_at: str) -> str:
    """The id of an approval, short enough to type: the same however often its execution asks for it."""
    return "apr-" + hashlib.sha256(f"{waits} {started_at}".encode()).hexdigest()[:16]


def slip_name(approval: str, arn: str) -> str:
    """Where a person's slip lies: each has one of their own, so that nobody takes another's place."""
    return f"{SLIPS}/{approval}/{re.sub(r'[^A-Za-z0-9_.-]', '-', arn.rpartition('/')[2].rpartition(':')[2])}"


def approval_of(parameter: str) -> str:
    """The approval that a slip is for. Raises `ApprovalUnknown` for a name that no slip has."""
    match = _SLIP.fullmatch(parameter)
    if match is None:
        raise ApprovalUnknown(approval_id=parameter)
    return match["approval_id"]


def read_slip(parameter: str, version: int, text: str, by: str) -> Decision:
    """The decision on a slip that `by` has written.

    Raises `SlipInvalid`, and `ApprovalPersonUnknown` where the writer is not one person.
    """
    try:
        slip = parse(msgspec.json.decode(text), Slip, _PATTERNS)
    except Problem as problem:
        raise SlipInvalid(parameter=parameter, problem=str(problem)) from None
    except msgspec.DecodeError:
        raise SlipInvalid(parameter=parameter, problem="it is no JSON") from None
    if person(by) is None:
        raise ApprovalPersonUnknown(parameter=parameter, by=by)
    return Decision(slip.outcome, slip.reason, by, parameter, version)


def person(arn: str) -> str | None:
    """The name of whom an ARN stands for: of a user, or of a role's session; None where it stands for no one.

    Two roles of one person (IAM Identity Center names the session after the person) are one name.
    """
    match = _PERSON.fullmatch(arn)
    return match["name"].lower() if match else None


def is_new(approval: Approval, decision: Decision, now: str) -> bool:
    """Whether a decision has still to be recorded: not where the same person has decided the same before.

    Raises `ApprovalDecided` where another decision stands, and `ApprovalExpired`.
    """
    if approval.status in ("approved", "refused"):
        if (approval.status, approval.decided_by) == (decision.outcome, decision.by):
            return False
        raise ApprovalDecided(
            approval_id=approval.id, status=approval.status, by=approval.decided_by, at=approval.decided_at
        )
    if approval.status == "expired" or now >= approval.expires_at:
        raise ApprovalExpired(approval_id=approval.id, expires_at=approval.expires_at)
    return True


def check_not_own(approval: Approval, by: str, starter: str | None) -> None:
    """Let nobody approve what they have started. `starter` is who has started it, as CloudTrail has it.

    Raises `ApprovalOwn`, and `ApprovalStarterUnknown` while that cannot be told.
    """
    if starter is None:
        raise ApprovalStarterUnknown(operation_id=approval.operation_id)
    if starter == by or person(starter) == person(by):
        raise ApprovalOwn(by=by, operation_id=approval.operation_id)


def check_proved(approval: Approval, decision: Decision) -> None:
    """Hold what a row says against the slip that it names. Raises `ApprovalNotDecided` where that says otherwise."""
    if (approval.status, approval.decided_by) != (decision.outcome, decision.by):
        raise ApprovalNotDecided(approval_id=approval.id)
    if approval_of(decision.slip) != approval.id:
        raise ApprovalNotDecided(approval_id=approval.id)


_EVENTS: dict[Status, tuple[str, Severity]] = {
    "pending": ("approval_requested", "warning"),
    "approved": ("approval_granted", "warning"),
    "refused": ("approval_refused", "warning"),
    "expired": ("approval_expired", "warning"),
}


def event(approval: Approval, status: Status, by: str, at: str) -> Event:
    """What the audit trail is told of an approval that has come to a status."""
    name, severity = _EVENTS[status]
    details: dict[str, Any] = {
        "approval_id": approval.id,
        "asks": approval.asks,
        "on": approval.on,
        "preview": approval.preview,
        "requested_by": approval.requested_by,
        "expires_at": approval.expires_at,
    }
    if status in ("approved", "refused"):
        details["reason"] = approval.reason
    return Event(
        id=event_id(approval.id, name),
        event=name,
        user_id=by,
        timestamp=at,
        severity=severity,
        operation_id=approval.operation_id,
        details=details,
    )


def can_be_decided(approval: Approval, now: datetime) -> bool:
    """Whether a request is still open, and its time not over."""
    return approval.status == "pending" and now < datetime.fromisoformat(approval.expires_at)


def seconds_left(approval: Approval, now: datetime) -> int:
    """Whole seconds until an approval expires, at least one: what its machine waits."""
    left = (datetime.fromisoformat(approval.expires_at) - now).total_seconds()
    return max(1, -int(-left // 1))
