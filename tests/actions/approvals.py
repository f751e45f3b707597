"""What the tests of approvals share: people, what they write, and an approval that is waited for."""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from lambdas.adapters.approvals import Approvals
from lambdas.domain.approval import Approval, slip_name
from lambdas.domain.operation import Operation
from tests.actions.house import House, start_execution
from tests.servers.aws import ACCOUNT, PRIMARY, answering, aws

ADA, BOB, EVE = (f"arn:aws:iam::{ACCOUNT}:user/{name}" for name in ("ada", "bob", "eve"))
TOKEN = "marked-task-token"
SCENARIO = "vault_restore"


@dataclass
class Desk:
    """Where an operation asks, and people decide. The operation was started by Ada."""

    house: House
    operation: Operation
    waits: str

    @staticmethod
    def made(house: House) -> "Desk":
        house.secrets |= {TOKEN}
        operation = house.operation(SCENARIO)
        return Desk(house, operation, start_execution("approval", "child-1"))

    def asked(self, **more: object) -> dict[str, object]:
        """What the state machine is told."""
        return {
            "operation": self.operation,
            "waits": self.waits,
            "opened_at": "2026-11-22T02:00:00.123Z",
            "asks": "overwrite the live Vault",
            "on": "vault",
            "topic": "security",
            "preview": "s3://work/preview.json",
        } | more

    def open(self, **more: object) -> str:
        """The id of an approval that has been asked for, and whose task waits."""
        opened: dict[str, Any] = self.house.run("open_approval", self.asked(**more))
        assert self.approvals.keep_token(opened["approval_id"], TOKEN)
        return str(opened["approval_id"])

    @property
    def approvals(self) -> Approvals:
        return Approvals(PRIMARY, "mailark-approvals")

    def row(self, approval_id: str) -> Approval:
        return self.approvals.get(approval_id)

    @contextlib.contextmanager
    def written(
        self,
        approval_id: str,
        who: str,
        decision: str = "approve",
        reason: str = "seen",
        *,
        starter: str | None = ADA,
    ) -> Iterator[str]:
        """A slip that somebody has written, while the block runs; `starter` is what CloudTrail knows of the start."""
        slip, text = slip_name(approval_id, who), json.dumps({"decision": decision, "reason": reason})
        version = {"Name": slip, "Version": 1, "Value": text, "LastModifiedUser": who}
        with answering("GetParameterHistory", {"Parameters": [version]}), self._started_by(starter):
            yield slip

    @contextlib.contextmanager
    def _started_by(self, who: str | None) -> Iterator[None]:
        """CloudTrail says who has started the operation, or nothing."""
        told = {"userIdentity": {"arn": who}, "responseElements": {"executionArn": self.operation.execution}}
        events = [{"EventName": "StartExecution", "CloudTrailEvent": json.dumps(told)}] if who else []
        with answering("LookupEvents", {"Events": events}):
            yield

    @contextlib.contextmanager
    def waiting(self) -> Iterator[list[Any]]:
        """The task waits while the block runs; gives what it is woken with."""
        with answering("SendTaskSuccess", {}) as woken:
            yield woken

    def stop(self) -> None:
        """Let the execution that waits end."""
        aws("stepfunctions").stop_execution(executionArn=self.waits)

    def told(self) -> list[tuple[str, str]]:
        """What the audit trail has heard, and of whom."""
        return [(event.event, event.user_id) for event in self.house.events()]


def inbox(topic: str) -> str:
    """The URL of a queue that stands for everybody on a topic."""
    queue = aws("sqs").create_queue(QueueName=f"inbox-{topic}")["QueueUrl"]
    arn = f"arn:aws:sqs:{PRIMARY}:{ACCOUNT}:inbox-{topic}"
    aws("sns").subscribe(TopicArn=f"arn:aws:sns:{PRIMARY}:{ACCOUNT}:mailark-{topic}", Protocol="sqs", Endpoint=arn)
    return str(queue)


def received(queue: str) -> list[str]:
    """The messages that have come since it was looked into last."""
    found: list[str] = []
    while messages := aws("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", []):
        for each in messages:
            body = json.loads(each["Body"])
            found.append(f"{body['Subject']}\n{body['Message']}")
            aws("sqs").delete_message(QueueUrl=queue, ReceiptHandle=each["ReceiptHandle"])
    return found
