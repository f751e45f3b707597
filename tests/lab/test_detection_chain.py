"""From a line written to a log to the target of a rule, on the emulator, with the functions' own code in between."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lab.aws import ACCOUNT
from lambdas.actions import detect_compromise, sweep_suspects
from lambdas.adapters.aws import forget_clients
from lambdas.adapters.detection_windows import KEY
from lambdas.adapters.estate_parameter import PARAMETER
from lambdas.adapters.recent_estate import forget_estates
from lambdas.adapters.suspicion_alarms import BY_KIND, alarm_name
from lambdas.domain.detection import MAILU_LOGS
from tests.domain.builders import CREDENTIALS, ESTATE
from tests.domain.log_lines import logged_in
from tests.lab.emulator import Emulator
from tests.lab.execution_looks import make_queue
from tests.lab.small_functions import REGION, function
from tests.lab.waiting import until

TENANT = "550e8400-e29b-41d4-a716-446655440000"
_METRIC = "$.detail.configuration.metrics[0].metricStat.metric"


class _Context:
    @staticmethod
    def get_remaining_time_in_millis() -> int:
        return 50_000


@dataclass
class Chain:
    """What the stack makes, by hand: the log group with its subscriber, the table, the rule with a queue as target."""

    aws: Emulator
    delivered: Path
    received: Any

    def log(self, *lines: str) -> None:
        """Write lines as the agent of a tenant's host does."""
        logs, at = self.aws.client("logs", REGION), round(time.time() * 1000)
        events = [{"timestamp": at, "message": line} for line in lines]
        logs.put_log_events(logGroupName=MAILU_LOGS, logStreamName=f"{TENANT}/admin", logEvents=events)

    def delivery(self) -> Any:
        """What the subscriber was given."""
        until(self.delivered.exists, "a delivery")
        return json.loads(self.delivered.read_text())


@pytest.fixture
def chain(emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Chain]:
    delivered = tmp_path / "delivered.json"
    keep = f"import json, os\ndef handler(event, context):\n    open({str(delivered) + '.part'!r}, 'w').write("
    keep += f"json.dumps(event))\n    os.rename({str(delivered) + '.part'!r}, {str(delivered)!r})\n"
    logs, dynamo = emulator.client("logs", REGION), emulator.client("dynamodb", REGION)
    logs.create_log_group(logGroupName=MAILU_LOGS)
    logs.create_log_stream(logGroupName=MAILU_LOGS, logStreamName=f"{TENANT}/admin")
    subscriber = function(emulator, keep)
    logs.put_subscription_filter(
        logGroupName=MAILU_LOGS, filterName="mailark", filterPattern="", destinationArn=subscriber
    )
    for table, key, indexes in (
        ("mailark-detection", KEY, {BY_KIND: ("kind", "since")}),
        ("mailark-leases", "target", {}),
    ):
        dynamo.create_table(**_table(table, key, indexes))
    emulator.client("sns", REGION).create_topic(Name="mailark-security")
    emulator.client("ssm", REGION).put_parameter(
        Name=PARAMETER, Value=ESTATE + CREDENTIALS, Type="String", Tier="Advanced"
    )
    received = make_queue(emulator)
    _rule(emulator, received.arn)
    settings = {
        "AWS_REGION": REGION,
        "MAILARK_DETECTION_TABLE": "mailark-detection",
        "MAILARK_LEASES_TABLE": "mailark-leases",
        "MAILARK_SECURITY_TOPIC": f"arn:aws:sns:{REGION}:{ACCOUNT}:mailark-security",
        "MAILARK_ESTATE_NAME": "example",
    }
    for name, value in (emulator.environment() | settings).items():
        monkeypatch.setenv(name, value)
    forget_clients()
    forget_estates()
    yield Chain(emulator, delivered, received)
    forget_clients()
    forget_estates()


def _table(name: str, key: str, indexes: dict[str, tuple[str, str]]) -> dict[str, Any]:
    attributes = {key, *(each for keys in indexes.values() for each in keys)}
    made: dict[str, Any] = {
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "KeySchema": [{"AttributeName": key, "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": each, "AttributeType": "S"} for each in sorted(attributes)],
    }
    found = [
        {
            "IndexName": index,
            "KeySchema": [
                {"AttributeName": partition, "KeyType": "HASH"},
                {"AttributeName": sort, "KeyType": "RANGE"},
            ],
            "Projection": {"ProjectionType": "ALL"},
        }
        for index, (partition, sort) in indexes.items()
    ]
    return made | ({"GlobalSecondaryIndexes": found} if found else {})


def _rule(aws: Emulator, target: str) -> None:
    """As `infra/detection.py` makes it, which `tests/infra/test_detection.py` holds."""
    events = aws.client("events", REGION)
    pattern = {
        "source": ["aws.cloudwatch"],
        "detail-type": ["CloudWatch Alarm State Change"],
        "detail": {"alarmName": [{"prefix": "mailark-compromise/"}], "state": {"value": ["ALARM"]}},
    }
    paths = {
        "tenant": f"{_METRIC}.dimensions.tenant_id",
        "details": "$.detail.configuration.description",
        "alarm": "$.detail.alarmName",
    }
    template = '{"tenant_id":<tenant>,"compromise_details":<details>,"alarm":<alarm>}'
    transformer = {"InputPathsMap": paths, "InputTemplate": template}
    events.put_rule(Name="mailark-suspected-tenants", EventPattern=json.dumps(pattern))
    made = {"Id": "queue", "Arn": target, "InputTransformer": transformer}
    events.put_targets(Rule="mailark-suspected-tenants", Targets=[made])


def test_a_line_in_a_log_ends_as_the_input_of_a_response_and_a_second_delivery_changes_nothing(chain: Chain) -> None:
    chain.log(*[logged_in("admin@example.org", f"203.0.{n}.7") for n in range(6)])
    delivery = chain.delivery()
    answers = [detect_compromise.handler(delivery, _Context()) for _ in range(2)]
    assert [(each["counted"], each["raised"]) for each in answers] == [(6, 1), (0, 0)]
    (given,) = chain.received.wait()
    told = json.loads(given)
    reason = "login_networks: admin@example.org logged in from 6 networks since "
    assert told.pop("compromise_details").startswith(reason)
    assert told == {"tenant_id": TENANT, "alarm": alarm_name(TENANT)}
    assert sweep_suspects.handler({}, _Context()) == {"tripped": 0, "ended": 0, "given_up": 0, "waiting": 0}
