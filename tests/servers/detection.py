"""The table of the detection, as `infra` is to make it: counters, suspects, and what is remembered of tenants."""

from typing import Any

from botocore.awsrequest import AWSPreparedRequest

from lambdas.adapters.detection_windows import KEY
from lambdas.adapters.suspicion_alarms import BY_KIND
from tests.servers.aws import PRIMARY, aws

TABLE = "mailark-detection"


class Full:
    """Matches the requests for an alarm that come after so many: CloudWatch takes three a second (its quotas)."""

    def __init__(self, takes: int) -> None:
        self._takes = takes
        self.asked = 0

    def __call__(self, request: AWSPreparedRequest) -> bool:
        if "PutMetricAlarm" not in f"{request.headers.get('X-Amz-Target')}{request.body!r}":
            return False
        self.asked += 1
        return self.asked > self._takes


def make_detection_table(region: str = PRIMARY) -> None:
    keys = ("kind", "since")
    aws("dynamodb", region).create_table(
        TableName=TABLE,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=_schema(KEY),
        AttributeDefinitions=[{"AttributeName": each, "AttributeType": "S"} for each in (KEY, *keys)],
        GlobalSecondaryIndexes=[
            {"IndexName": BY_KIND, "KeySchema": _schema(*keys), "Projection": {"ProjectionType": "ALL"}}
        ],
    )


def _schema(*keys: str) -> list[dict[str, Any]]:
    return [{"AttributeName": key, "KeyType": kind} for key, kind in zip(keys, ("HASH", "RANGE"), strict=False)]
