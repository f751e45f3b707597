"""Amazon SES for tests: what was sent, and recipients that it refuses."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from botocore.awsrequest import AWSPreparedRequest
from moto.backends import get_backend

from tests.servers.aws import ACCOUNT, PRIMARY, Matches, Refusal, aws, refused
from tests.servers.tables import table

TABLE = "mailark-notices"


@dataclass(frozen=True)
class Mail:
    """A mail that SES has taken."""

    sender: str
    to: list[str]
    subject: str
    body: str


def let_send(sender: str) -> None:
    """Let an address be one that SES may send from."""
    aws("ses").verify_email_identity(EmailAddress=sender)


def make_notices_table() -> None:
    """The table that remembers what was sent."""
    aws("dynamodb").create_table(**table(TABLE))


def mails() -> list[Mail]:
    """What was sent in the primary region, oldest first."""
    sent: Any = get_backend("ses")[ACCOUNT][PRIMARY].sent_messages
    return [Mail(each.source, each.destinations["ToAddresses"], each.subject, each.body) for each in sent]


@contextmanager
def refused_mail(recipient: str, code: str | None = "MessageRejected", status: int = 400) -> Iterator[Refusal]:
    """Let SES refuse every mail to a recipient while the block runs; without a code it does not answer."""
    with refused(_sending_to(recipient), code, status) as refusal:
        yield refusal


def _sending_to(recipient: str) -> Matches:
    def matches(request: AWSPreparedRequest) -> bool:
        body: Any = request.body
        return request.url.endswith("/v2/email/outbound-emails") and f'"{recipient}"'.encode() in body

    return matches
