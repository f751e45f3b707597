"""Notices by SES: one mail a recipient, each sent once, and none that is refused is forgotten."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.awsrequest import AWSPreparedRequest

from lambdas.adapters.mail_notices import MailNotices
from lambdas.domain.alert import Message
from lambdas.domain.errors import AwsUnavailable
from lambdas.domain.notice import Recipient, Told
from tests.servers.aws import PRIMARY, aws, forget, refused
from tests.servers.mail import TABLE, Mail, let_send, mails, make_notices_table, refused_mail

pytestmark = pytest.mark.usefixtures("_clean")

SENDER, ADMIN, OPS = "security@mailark.example.net", "admin@example.org", "Ops@example.net"
TO = [Recipient(ADMIN, out_of_band=False), Recipient(OPS, out_of_band=True)]
NOTICE = Message("SMTP Credentials Rotated - Security Incident", "Your SMTP credentials … ✉\nIncident ID: INC-7.\n")
AT = datetime(2026, 11, 22, 3, 4, 5, tzinfo=UTC)
ALL_SENT = [Told(ADMIN, "sent", out_of_band=False), Told(OPS, "sent", out_of_band=True)]


@pytest.fixture
def notices() -> Iterator[MailNotices]:
    make_notices_table()
    let_send(SENDER)
    yield MailNotices(PRIMARY, TABLE, SENDER)
    forget("ses")


def _mailed() -> list[list[str]]:
    return [each.to for each in mails()]


def test_each_recipient_gets_a_mail_that_shows_no_other_recipient(notices: MailNotices) -> None:
    assert notices.send("op-1/t", TO, NOTICE, AT) == ALL_SENT
    assert mails() == [Mail(SENDER, [each], NOTICE.subject, NOTICE.body) for each in (ADMIN, OPS)]


def test_a_second_run_sends_nothing_twice_and_says_the_same(notices: MailNotices) -> None:
    for _ in range(2):
        assert notices.send("op-1/t", TO, NOTICE, AT) == ALL_SENT
    same_mailbox = [Recipient("OPS@example.net", out_of_band=True)]
    assert notices.send("op-1/t", same_mailbox, NOTICE, AT) == [Told("OPS@example.net", "sent", out_of_band=True)]
    assert _mailed() == [[ADMIN], [OPS]]


def test_another_notice_to_the_same_recipient_is_sent(notices: MailNotices) -> None:
    for notice_of in ("op-1/t", "op-1/u", "op-2/t"):
        notices.send(notice_of, TO[:1], NOTICE, AT)
    assert _mailed() == [[ADMIN]] * 3


@pytest.mark.parametrize("code", ["MessageRejected", "BadRequestException", "SendingPausedException"])
@pytest.mark.parametrize("recipient", [ADMIN, OPS])
def test_one_refused_recipient_keeps_nobody_else_from_being_told_and_is_tried_again(
    notices: MailNotices, recipient: str, code: str
) -> None:
    with refused_mail(recipient, code):
        told = notices.send("op-1/t", TO, NOTICE, AT)
    assert [(each.recipient, each.status, each.problem) for each in told if each.status != "sent"] == [
        (recipient, "refused", code)
    ]
    other = ({ADMIN, OPS} - {recipient}).pop()
    assert _mailed() == [[other]]
    assert notices.send("op-1/t", TO, NOTICE, AT) == ALL_SENT
    assert _mailed() == [[other], [recipient]]


def test_a_sender_that_ses_does_not_know_is_refused_with_its_code() -> None:
    make_notices_table()
    told = MailNotices(PRIMARY, TABLE, "nobody@unknown.example").send("op-1/t", TO[:1], NOTICE, AT)
    assert told == [Told(ADMIN, "refused", out_of_band=False, problem="MessageRejected")]


@pytest.mark.parametrize(
    ("code", "status"), [("TooManyRequestsException", 429), ("ThrottlingException", 400), ("Internal", 503), (None, 0)]
)
def test_where_ses_may_take_it_later_the_error_is_transient_and_who_was_told_stays_told(
    notices: MailNotices, code: str | None, status: int
) -> None:
    with refused_mail(OPS, code, status), pytest.raises(AwsUnavailable) as caught:
        _told_anew().send("op-1/t", TO, NOTICE, AT)
    assert caught.value.transient
    assert OPS not in str(caught.value)
    assert notices.send("op-1/t", TO, NOTICE, AT) == ALL_SENT
    assert _mailed() == [[ADMIN], [OPS]]


def test_a_notice_that_was_sent_and_could_not_be_remembered_is_sent_again(notices: MailNotices) -> None:
    with refused("PutItem", "InternalServerError", 500), pytest.raises(AwsUnavailable):
        _told_anew().send("op-1/t", TO, NOTICE, AT)
    assert notices.send("op-1/t", TO, NOTICE, AT) == ALL_SENT
    assert _mailed() == [[ADMIN], [ADMIN], [OPS]]


def test_nothing_is_sent_while_nobody_knows_what_was_sent_before(notices: MailNotices) -> None:
    with refused("Query", "InternalServerError", 500), pytest.raises(AwsUnavailable):
        _told_anew().send("op-1/t", TO, NOTICE, AT)
    assert mails() == []


def test_a_notice_says_that_no_machine_should_answer_it_and_what_was_sent_is_read_as_it_is_now(
    notices: MailNotices,
) -> None:
    seen: list[Any] = []

    def is_seen(request: AWSPreparedRequest) -> bool:
        body: Any = request.body
        seen.append(json.loads(body))
        return False

    with refused(is_seen, None):
        notices.send("op-1/t", TO[:1], NOTICE, AT)
    query, mail, _ = seen
    assert query["ConsistentRead"] is True
    assert mail["Content"]["Simple"]["Headers"] == [{"Name": "Auto-Submitted", "Value": "auto-generated"}]


def test_what_is_remembered_names_the_mail_and_when_it_was_sent_and_none_of_its_text(notices: MailNotices) -> None:
    notices.send("op-1/t", TO[1:], NOTICE, AT)
    (row,) = aws("dynamodb").scan(TableName=TABLE)["Items"]
    assert row.pop("message_id")["S"]
    assert row == {
        "operation": {"S": "op-1/t"},
        "recipient": {"S": OPS.lower()},
        "sent_at": {"S": "2026-11-22T03:04:05+00:00"},
    }


def _told_anew() -> MailNotices:
    """With clients of its own, made while a refusal is in force: they do not retry."""
    return MailNotices(PRIMARY, TABLE, SENDER)
