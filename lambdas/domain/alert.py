"""The message that a person understands at night: what failed, on what, since when, what to do, where to look."""

from dataclasses import dataclass

from lambdas.domain.mailark_error import Failure
from lambdas.domain.operation import console_link

_SUBJECT_LIMIT = 100
"""Amazon SNS, Publish: a subject has at most 100 ASCII characters, and no line break or control character."""


@dataclass(frozen=True)
class Message:
    """What people receive: by e-mail with its subject, by SMS the body alone."""

    subject: str
    body: str


@dataclass(frozen=True)
class FailedOperation:
    """What is known of an execution that did not succeed. `status` is FAILED, TIMED_OUT or ABORTED."""

    estate: str
    region: str
    scenario: str
    target: str
    status: str
    started_at: str
    ended_at: str
    execution: str
    reason: str
    started_by: str
    failure: Failure
    failed_state: str | None = None


@dataclass(frozen=True)
class TamperedEvent:
    """An event of the audit trail that somebody did something to: it was `changed`, say.

    `archived` is where in `bucket` the event lies as it was; None for one that was never archived.
    """

    estate: str
    region: str
    scope: str
    sequence: int
    deed: str
    bucket: str
    archived: str | None


_WORDS = {"FAILED": "failed", "TIMED_OUT": "ran out of time", "ABORTED": "was stopped"}


def failure_message(failed: FailedOperation) -> Message:
    """The alert of an execution that failed, timed out or was stopped."""
    word = _WORDS[failed.status]
    subject = f"[{failed.estate}] {failed.scenario} {word}: {failed.failure.code}"
    where = f" in the step {failed.failed_state}" if failed.failed_state else ""
    other_way = f"Another way:    {failed.failure.or_else}\n" if failed.failure.or_else else ""
    body = f"""{failed.scenario} {word}{where}.

What happened:  {failed.failure.sentence}
What to do now: {failed.failure.hint}
{other_way}
On:             {failed.target} of {failed.estate}, region {failed.region}
Started:        {failed.started_at} by {failed.started_by}
Ended:          {failed.ended_at}
Reason given:   {failed.reason}
Error code:     {failed.failure.code}
Execution:      {console_link(failed.execution)}
"""
    return Message(plain_subject(subject), body)


def tampered_event_message(event: TamperedEvent) -> Message:
    """The alert of an event of the audit trail that did not stay as it was written."""
    what = f"event {event.sequence} of {event.scope} was {event.deed}"
    original = (
        f"The event as it was lies in the locked bucket {event.bucket}, at\n                {event.archived}."
        if event.archived
        else "Mailark never wrote this event, and has not archived it."
    )
    body = f"""In the audit trail, {what}.

What happened:  Somebody wrote to the table mailark-audit-events past Mailark, which never changes an event.
What to do now: Treat it as an intrusion. Find in CloudTrail who wrote to that table at this time, and take the access
                away. {original}
                Then start mailark-audit-verification; docs/operating.md, "The audit trail", says more.

On:             {event.scope} of {event.estate}, region {event.region}
"""
    return Message(plain_subject(f"[{event.estate}] audit trail: {what}"), body)


def plain_subject(subject: str) -> str:
    """A subject as Amazon SNS takes it."""
    plain = "".join(each if each.isascii() and each.isprintable() else "?" for each in subject)
    return plain[:_SUBJECT_LIMIT]
