"""What can go wrong with approvals: the failures of `errors.py` that are told of them."""

from lambdas.domain.mailark_error import MailarkError


class ApprovalUnknown(MailarkError):
    code = "approval-unknown"
    sentence = "No approval is known under {approval_id}."
    hint = "`python -m lambdas.approvals list` names those that wait in a region; look whether it is the right one."


class SlipMissing(MailarkError):
    code = "slip-missing"
    sentence = "There is no decision in the parameter {parameter}."
    hint = "Write it there first; `python -m lambdas.approvals approve` and `refuse` do all of it."


class SlipInvalid(MailarkError):
    code = "slip-invalid"
    sentence = "The decision in {parameter} is not valid: {problem}."
    hint = 'Nothing was decided. Write one such as {{"decision": "refuse", "reason": "too many rows"}}.'


class ApprovalPersonUnknown(MailarkError):
    code = "approval-person-unknown"
    sentence = "The decision in {parameter} was written by {by}, which stands for no one person."
    hint = "Nothing was decided. Write it as a user, or in a role's session that has a name."


class ApprovalDecided(MailarkError):
    code = "approval-decided"
    sentence = "{approval_id} is {status} already, by {by} at {at}."
    hint = "That decision stands. If it was wrong, stop the operation, or start the scenario again."


class ApprovalExpired(MailarkError):
    code = "approval-expired"
    sentence = "{approval_id} could be decided until {expires_at}."
    hint = "Nothing was done. Start the scenario again if it is still needed, and decide in time."


class ApprovalOwn(MailarkError):
    code = "approval-own"
    sentence = "{by} has started the operation {operation_id}, and may not approve it."
    hint = "Ask somebody else to approve it. Where one person has to do, set approvals.own in the estate."


class ApprovalStarterUnknown(MailarkError):
    code = "approval-starter-unknown"
    sentence = "CloudTrail does not say yet who started the operation {operation_id}."
    hint = (
        "It does so some minutes late: run the same again in five minutes; nothing was decided. "
        "Where one person has to do, set approvals.own in the estate."
    )


class ApprovalTooLate(MailarkError):
    code = "approval-too-late"
    sentence = "Nobody waits for {approval_id} any more: {execution} has ended."
    hint = "This decision changes nothing. Look how the operation ended, and start the scenario again if it is needed."


class ApprovalNotDecided(MailarkError):
    code = "approval-not-decided"
    sentence = "{approval_id} was answered past Mailark, and nobody has decided it."
    hint = (
        "Nothing was done. Find in CloudTrail who called SendTaskSuccess at this time; "
        "then start the scenario again if it is still needed."
    )
    tampering = True
