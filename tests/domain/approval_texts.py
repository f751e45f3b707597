"""What each failure of an approval says, word for word; `test_errors.py` holds it."""

from lambdas.domain.approval_errors import (
    ApprovalDecided,
    ApprovalExpired,
    ApprovalNotDecided,
    ApprovalOwn,
    ApprovalPersonUnknown,
    ApprovalStarterUnknown,
    ApprovalTooLate,
    ApprovalUnknown,
    SlipInvalid,
    SlipMissing,
)
from lambdas.domain.mailark_error import MailarkError

_SLIP = "/mailark/approvals/apr-1/ada"

APPROVAL_TEXTS: list[tuple[MailarkError, str]] = [
    (
        ApprovalUnknown(approval_id="apr-1"),
        "approval-unknown: No approval is known under apr-1.\n"
        "Next: `python -m lambdas.approvals list` names those that wait in a region; look whether it is the right one.",
    ),
    (
        SlipMissing(parameter=_SLIP),
        "slip-missing: There is no decision in the parameter /mailark/approvals/apr-1/ada.\n"
        "Next: Write it there first; `python -m lambdas.approvals approve` and `refuse` do all of it.",
    ),
    (
        SlipInvalid(parameter=_SLIP, problem="reason: this key is required and missing"),
        "slip-invalid: The decision in /mailark/approvals/apr-1/ada is not valid: reason: this key is required and "
        "missing.\n"
        'Next: Nothing was decided. Write one such as {"decision": "refuse", "reason": "too many rows"}.',
    ),
    (
        ApprovalPersonUnknown(parameter=_SLIP, by="arn:aws:iam::111122223333:role/admin"),
        "approval-person-unknown: The decision in /mailark/approvals/apr-1/ada was written by "
        "arn:aws:iam::111122223333:role/admin, which stands for no one person.\n"
        "Next: Nothing was decided. Write it as a user, or in a role's session that has a name.",
    ),
    (
        ApprovalDecided(approval_id="apr-1", status="approved", by="ada", at="2026-11-22T03:04:05.000Z"),
        "approval-decided: apr-1 is approved already, by ada at 2026-11-22T03:04:05.000Z.\n"
        "Next: That decision stands. If it was wrong, stop the operation, or start the scenario again.",
    ),
    (
        ApprovalExpired(approval_id="apr-1", expires_at="2026-11-22T03:04:05.000Z"),
        "approval-expired: apr-1 could be decided until 2026-11-22T03:04:05.000Z.\n"
        "Next: Nothing was done. Start the scenario again if it is still needed, and decide in time.",
    ),
    (
        ApprovalOwn(by="arn:aws:iam::111122223333:user/ada", operation_id="op-1"),
        "approval-own: arn:aws:iam::111122223333:user/ada has started the operation op-1, and may not approve it.\n"
        "Next: Ask somebody else to approve it. Where one person has to do, set approvals.own in the estate.",
    ),
    (
        ApprovalStarterUnknown(operation_id="op-1"),
        "approval-starter-unknown: CloudTrail does not say yet who started the operation op-1.\n"
        "Next: It does so some minutes late: run the same again in five minutes; nothing was decided. Where one person "
        "has to do, set approvals.own in the estate.",
    ),
    (
        ApprovalTooLate(approval_id="apr-1", execution="child-1"),
        "approval-too-late: Nobody waits for apr-1 any more: child-1 has ended.\n"
        "Next: This decision changes nothing. Look how the operation ended, and start the scenario again if it is "
        "needed.",
    ),
    (
        ApprovalNotDecided(approval_id="apr-1"),
        "approval-not-decided: apr-1 was answered past Mailark, and nobody has decided it.\n"
        "Next: Nothing was done. Find in CloudTrail who called SendTaskSuccess at this time; then start the scenario "
        "again if it is still needed.",
    ),
]
"""Every failure of an approval, in the order of `approval_errors.py`."""
