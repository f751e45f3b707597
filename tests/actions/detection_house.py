"""A house that looks for leaked credentials: deliveries of log lines, and what came of them."""

import base64
import gzip
import json
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from lambdas.adapters.recent_estate import forget_estates
from lambdas.adapters.suspicion_alarms import ALARM_PREFIX, HELD_BACK, SuspicionAlarms
from lambdas.domain.detection import MAILU_LOGS, VAULT_LOGS
from lambdas.domain.suspect import Suspect
from tests.actions.house import House
from tests.domain.log_lines import logged_in
from tests.servers.aws import ACCOUNT, PRIMARY, aws, forget
from tests.servers.detection import TABLE

TENANT = "550e8400-e29b-41d4-a716-446655440000"


def tenant(number: int) -> str:
    """One of many tenants."""
    return f"{number:08x}{TENANT[8:]}"


@dataclass
class DetectionHouse:
    """`detection` is that part of the estate."""

    house: House

    def set(self, **detection: Any) -> None:
        """Deploy an estate that calls this suspicious."""
        estate = json.loads(self.house.estate_text(self.house.vault))
        estate["credentials"] = {"notices_from": "security@mailark.example.net", "detection": detection}
        self.house.put_estate(text=json.dumps(estate))
        forget_estates()

    def deliver(self, event: Mapping[str, Any]) -> Any:
        """Run the detector on a delivery."""
        return self.house.run("detect_compromise", event)

    def mailu(self, tenant_id: str, *lines: str) -> Any:
        """Let a tenant's mail server log lines."""
        return self.deliver(delivery(MAILU_LOGS, f"{tenant_id}/admin", *lines))

    def vault(self, *lines: str) -> Any:
        """Let Vault log lines."""
        return self.deliver(delivery(VAULT_LOGS, "vault-1", *lines))

    def sweep(self, seconds: float | None = None) -> Any:
        return self.house.run("sweep_suspects", {}, seconds=seconds)

    @property
    def alarms(self) -> SuspicionAlarms:
        return SuspicionAlarms(PRIMARY, TABLE)

    def suspects(self) -> list[Suspect]:
        return list(self.alarms.suspects())

    def alarmed(self) -> list[str]:
        """The tenants that have an alarm."""
        pages = aws("cloudwatch").get_paginator("describe_alarms").paginate(AlarmNamePrefix=ALARM_PREFIX)
        return sorted(alarm["AlarmName"].removeprefix(ALARM_PREFIX) for page in pages for alarm in page["MetricAlarms"])

    def asked(self) -> list[tuple[str, str]]:
        """What security was asked since this was last called: subject and body."""
        url = aws("sqs").get_queue_url(QueueName="security")["QueueUrl"]
        found: list[tuple[str, str]] = []
        while messages := aws("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
            for each in messages:
                body = json.loads(each["Body"])
                found.append((body["Subject"], body["Message"]))
                aws("sqs").delete_message(QueueUrl=url, ReceiptHandle=each["ReceiptHandle"])
        return found

    def held_back(self) -> float:
        """How many suspects were told together."""
        now = datetime.now(UTC)
        found = aws("cloudwatch").get_metric_statistics(
            Namespace="Mailark",
            MetricName=HELD_BACK,
            StartTime=now - timedelta(hours=1),
            EndTime=now + timedelta(hours=1),
            Period=7200,
            Statistics=["Sum"],
        )
        return float(sum(point["Sum"] for point in found["Datapoints"]))


@contextmanager
def detection_house(house: House) -> Iterator[DetectionHouse]:
    """A house with the table and the functions of the detection, and with an inbox of security."""
    aws("sqs").create_queue(QueueName="security")
    topic = f"arn:aws:sns:{PRIMARY}:{ACCOUNT}:mailark-security"
    aws("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=f"arn:aws:sqs:{PRIMARY}:{ACCOUNT}:security")
    detecting = DetectionHouse(house)
    detecting.set()
    yield detecting
    forget_estates()
    forget("cloudwatch")


def delivery(group: str, stream: str, *lines: str, kind: str = "DATA_MESSAGE", hours: int = 0) -> dict[str, Any]:
    """Lines of the last noon, as CloudWatch Logs delivers them (its guide, "Log group-level subscription filters").

    Or of so many hours after it.
    """
    noon = datetime.now(UTC).replace(hour=12, minute=30)
    at = round((noon - timedelta(days=noon > datetime.now(UTC), hours=-hours)).timestamp() * 1000)
    told = {
        "messageType": kind,
        "owner": ACCOUNT,
        "logGroup": group,
        "logStream": stream,
        "subscriptionFilters": ["mailark"],
        "logEvents": [{"id": uuid.uuid4().hex, "timestamp": at, "message": line} for line in lines],
    }
    return {"awslogs": {"data": base64.b64encode(gzip.compress(json.dumps(told).encode())).decode()}}


def from_networks(count: int) -> list[str]:
    """Logins of a tenant's own mailbox from so many networks."""
    return [logged_in("admin@example.org", f"203.0.{n}.7") for n in range(count)]
