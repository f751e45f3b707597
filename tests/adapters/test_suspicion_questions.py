"""Security is asked once an hour about one thing, not without end about many, and again where SNS failed."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

from lambdas.adapters.suspicion_questions import SuspicionQuestions
from lambdas.domain.detection import Suspicion
from tests.servers.aws import ACCOUNT, PRIMARY, aws, refused
from tests.servers.detection import TABLE, make_detection_table

TENANT = "550e8400-e29b-41d4-a716-446655440000"
SUSPICION = Suspicion(TENANT, "failed_logins", "ask", "101 failed logins")
NOW = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)

pytestmark = pytest.mark.usefixtures("_clean")


@pytest.fixture
def questions() -> SuspicionQuestions:
    make_detection_table()
    topic = aws("sns").create_topic(Name="mailark-security")["TopicArn"]
    aws("sqs").create_queue(QueueName="security")
    aws("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=f"arn:aws:sqs:{PRIMARY}:{ACCOUNT}:security")
    return SuspicionQuestions(PRIMARY, TABLE, topic, "example")


def _asked() -> list[str]:
    url = aws("sqs").get_queue_url(QueueName="security")["QueueUrl"]
    found = aws("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
    return [json.loads(each["Body"])["Subject"] for each in found]


def test_the_same_is_asked_once_an_hour(questions: SuspicionQuestions) -> None:
    times = (NOW, NOW + timedelta(minutes=59), NOW + timedelta(minutes=60))
    assert [questions.ask(SUSPICION, "estate", each, 20) for each in times] == ["asked", "known", "asked"]
    assert _asked() == [f"[example] failed_logins: tenant {TENANT}"] * 2


def test_another_signal_of_the_tenant_is_another_question(questions: SuspicionQuestions) -> None:
    other = replace(SUSPICION, signal="night_reads")
    assert [questions.ask(each, "estate", NOW, 20) for each in (SUSPICION, other)] == ["asked", "asked"]


def test_above_the_number_an_hour_nobody_is_asked(questions: SuspicionQuestions) -> None:
    tenants = [replace(SUSPICION, tenant_id=f"{n}{TENANT[1:]}") for n in range(3)]
    assert [questions.ask(each, "estate", NOW, 2) for each in tenants] == ["asked", "asked", "held back"]
    assert questions.ask(tenants[2], "estate", NOW + timedelta(hours=2), 2) == "asked"
    assert len(_asked()) == 3


def test_a_question_that_could_not_be_sent_is_asked_again(questions: SuspicionQuestions) -> None:
    refuse = refused(lambda request: "sns." in request.url, "AuthorizationError", 403)
    with refuse, pytest.raises(ClientError, match="AuthorizationError"):
        questions.ask(SUSPICION, "estate", NOW, 20)
    assert _asked() == []
    assert questions.ask(SUSPICION, "estate", NOW, 20) == "asked"
