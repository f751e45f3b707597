"""Alerts: one SNS topic for operations, one for security."""

from lambdas.adapters.aws import client
from lambdas.domain.alert import Message


class Topic:
    """A topic, in the region of its ARN."""

    def __init__(self, arn: str) -> None:
        self._arn = arn

    def publish(self, message: Message) -> None:
        """Send a message to everybody on the topic."""
        sns = client("sns", self._arn.split(":")[3])
        sns.publish(TopicArn=self._arn, Subject=message.subject, Message=message.body)
