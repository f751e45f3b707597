"""The message that a person understands at night: what failed, on what, since when, what to do, where to look."""

from dataclasses import dataclass

from lambdas.domain.errors import Failure
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
    plain = "".join(each if each.isascii() and each.isprintable() else "?" for each in subject)
    return Message(plain[:_SUBJECT_LIMIT], body)
