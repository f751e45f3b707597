"""The table of the detection: counters, suspects, and what is remembered of tenants."""

from botocore.awsrequest import AWSPreparedRequest

from tests.servers.aws import PRIMARY, aws
from tests.servers.tables import table

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
    aws("dynamodb", region).create_table(**table(TABLE))
