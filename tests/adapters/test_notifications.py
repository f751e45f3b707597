"""Alerts, delivered by SNS to a queue that stands for everybody on the topic."""

import json

import pytest
from botocore.exceptions import ClientError

from lambdas.adapters.notifications import Topic
from lambdas.domain.alert import Message
from tests.servers.aws import ACCOUNT, PRIMARY, STANDBY, aws, refused

pytestmark = pytest.mark.usefixtures("_clean")


def _subscribed(region: str) -> tuple[str, str]:
    """A topic's ARN, and the URL of a queue on it."""
    topic = aws("sns", region).create_topic(Name="mailark-operations")["TopicArn"]
    queue = aws("sqs", region).create_queue(QueueName="inbox")["QueueUrl"]
    aws("sns", region).subscribe(TopicArn=topic, Protocol="sqs", Endpoint=f"arn:aws:sqs:{region}:{ACCOUNT}:inbox")
    return topic, queue


def _received(region: str, queue: str) -> list[tuple[str, str]]:
    answer = aws("sqs", region).receive_message(QueueUrl=queue, MaxNumberOfMessages=10)
    bodies = [json.loads(each["Body"]) for each in answer.get("Messages", [])]
    return [(body["Subject"], body["Message"]) for body in bodies]


@pytest.mark.parametrize("region", [PRIMARY, STANDBY])
def test_a_message_reaches_everybody_on_the_topic_in_the_topics_own_region(region: str) -> None:
    topic, queue = _subscribed(region)
    Topic(topic).publish(Message("[example] vault_backup failed: vault-sealed", "What happened: …\n"))
    assert _received(region, queue) == [("[example] vault_backup failed: vault-sealed", "What happened: …\n")]


def test_an_alert_that_cannot_be_sent_is_an_error() -> None:
    topic, queue = _subscribed(PRIMARY)
    with refused(lambda request: "sns." in request.url, "AuthorizationError", 403), pytest.raises(ClientError):
        Topic(topic).publish(Message("subject", "body"))
    with pytest.raises(ClientError, match="NotFound"):
        Topic(topic + "-gone").publish(Message("subject", "body"))
    assert _received(PRIMARY, queue) == []
