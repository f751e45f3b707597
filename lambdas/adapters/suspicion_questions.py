"""Questions to security about a suspicion: one a tenant and signal within an hour, and not too many in all."""

from datetime import datetime
from typing import Any, Literal

from lambdas.adapters.aws import AWS_ERRORS, client
from lambdas.adapters.detection_windows import EXPIRES, KEY, within_the_hour
from lambdas.adapters.notifications import Topic
from lambdas.adapters.tables import to_item
from lambdas.adapters.transactions import transact
from lambdas.domain.detection import HOUR, Suspicion
from lambdas.domain.suspicion_text import Why, question_message

Answer = Literal["asked", "known", "held back"]


class SuspicionQuestions:
    """The questions of one region, to the topic of the security contacts."""

    def __init__(self, region: str, table: str, topic: str, estate: str) -> None:
        self._table, self._topic, self._estate, self._region = table, topic, estate, region
        self._dynamo: Any = client("dynamodb", region)

    def ask(self, suspicion: Suspicion, why: Why, now: datetime, an_hour: int) -> Answer:
        """Ask, unless the same was asked within the hour (`known`) or `an_hour` others were (`held back`).

        Raises what SNS says; it was not asked then, and may be asked again at once.
        """
        at = int(now.timestamp())
        key = f"ask#{suspicion.tenant_id}#{suspicion.signal}"
        put = {
            "TableName": self._table,
            "Item": to_item({KEY: key, "until": at + HOUR, EXPIRES: at + HOUR}),
            # TTL removes late (DynamoDB guide, "TTL"), so the time is compared.
            "ConditionExpression": "attribute_not_exists(#key) OR #until <= :now",
            "ExpressionAttributeNames": {"#key": KEY, "#until": "until"},
            "ExpressionAttributeValues": to_item({":now": at}),
        }
        refused = transact(self._dynamo, [{"Put": put}, *within_the_hour(self._table, "questions", now, an_hour)])
        if refused:
            return "known" if 0 in refused else "held back"
        try:
            Topic(self._topic).publish(question_message(self._estate, self._region, suspicion, why))
        except AWS_ERRORS:
            self._dynamo.put_item(TableName=self._table, Item=to_item({KEY: key, "until": 0, EXPIRES: at}))
            raise
        return "asked"
