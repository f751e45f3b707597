"""The record of every operation, in DynamoDB: who started what, why, and how it ended."""

import contextlib
import dataclasses
import json
from dataclasses import dataclass
from typing import Any, Literal

from botocore.exceptions import ClientError

from lambdas.adapters.aws import client
from lambdas.adapters.tables import condition_failed, from_item, to_item
from lambdas.domain.errors import OperationUnknown
from lambdas.domain.operation import Lease, Mode, Operation, execution_name

Status = Literal["running", "succeeded", "failed"]


@dataclass(frozen=True)
class OperationRow:
    """An operation and how it stands; `outcome` is plain JSON: the timeline, or the failure."""

    operation: Operation
    status: Status
    outcome: dict[str, Any]
    scheduled_for: str | None = None
    ended_at: str | None = None


class Operations:
    """The operations table of one region."""

    def __init__(self, region: str, table: str) -> None:
        self._table = table
        self._dynamo: Any = client("dynamodb", region)

    def begin(self, operation: Operation, scheduled_for: str | None = None) -> OperationRow:
        """Record that an operation has begun; once recorded it stays as it is, however often this runs. Gives its row.

        It is called as its execution is. Executions of two machines may have one name: the second one's operation is
        called by the ARN.
        """
        for name in _names(operation.execution):
            self._put_once(dataclasses.replace(operation, id=name), scheduled_for)
            row = self.get(name)
            if row.operation.execution == operation.execution:
                return row
        raise OperationUnknown(operation_id=operation.execution)  # nobody else has the ARN

    def _put_once(self, operation: Operation, scheduled_for: str | None) -> None:
        item = {
            "id": operation.id,
            "scenario": operation.scenario,
            "execution": operation.execution,
            "mode": operation.mode,
            "target": operation.lease.target,
            "token": operation.lease.token,
            "started_at": operation.started_at,
            "reason": operation.reason,
            "user_id": operation.user_id,
            "incident_id": operation.incident_id,
            "scheduled_for": scheduled_for,
            "status": "running",
            "outcome": "{}",
        }
        try:
            self._dynamo.put_item(
                TableName=self._table, Item=to_item(item), ConditionExpression="attribute_not_exists(id)"
            )
        except ClientError as error:
            if not condition_failed(error):
                raise

    def claim_schedule(self, scenario: str, scheduled_for: str, execution: str, instead_of: str | None = None) -> str:
        """Claim a scheduled run, since a schedule may start an execution twice; the execution that the run belongs to.

        `instead_of` is an execution whose claim is worth nothing any more.
        """
        key = {"id": f"schedule#{scenario}#{scheduled_for}"}
        try:
            self._dynamo.put_item(
                TableName=self._table,
                Item=to_item(key | {"execution": execution}),
                ConditionExpression="attribute_not_exists(id) OR execution = :me OR execution = :old",
                ExpressionAttributeValues=to_item({":me": execution, ":old": instead_of or execution}),
            )
        except ClientError as error:
            if not condition_failed(error):
                raise
            answer = self._dynamo.get_item(TableName=self._table, Key=to_item(key), ConsistentRead=True)
            return str(from_item(answer["Item"])["execution"])
        return execution

    def end(self, operation_id: str, status: Status, ended_at: str, outcome: dict[str, Any]) -> bool:
        """Record how an operation ended; False when an end was recorded before, which then stands."""
        try:
            self._dynamo.update_item(
                TableName=self._table,
                Key=to_item({"id": operation_id}),
                UpdateExpression="SET #status = :status, ended_at = :at, outcome = :outcome",
                ConditionExpression="attribute_exists(id) AND #status = :running",
                ExpressionAttributeNames={"#status": "status"},
                ExpressionAttributeValues=to_item(
                    {
                        ":status": status,
                        ":at": ended_at,
                        ":outcome": json.dumps(outcome),
                        ":running": "running",
                    }
                ),
            )
        except ClientError as error:
            if condition_failed(error):
                return False
            raise
        return True

    def of_execution(self, execution: str) -> OperationRow:
        """The operation of an execution, by its ARN. Raises `OperationUnknown`."""
        for name in _names(execution):
            with contextlib.suppress(OperationUnknown):
                row = self.get(name)
                if row.operation.execution == execution:
                    return row
        raise OperationUnknown(operation_id=execution_name(execution))

    def get(self, operation_id: str) -> OperationRow:
        """One operation. Raises `OperationUnknown`."""
        answer = self._dynamo.get_item(TableName=self._table, Key=to_item({"id": operation_id}), ConsistentRead=True)
        if "Item" not in answer:
            raise OperationUnknown(operation_id=operation_id)
        item = from_item(answer["Item"])
        mode: Mode = item["mode"]
        return OperationRow(
            operation=Operation(
                id=item["id"],
                scenario=item["scenario"],
                execution=item["execution"],
                mode=mode,
                started_at=item["started_at"],
                lease=Lease(item["target"], item["token"]),
                reason=item["reason"],
                user_id=item["user_id"],
                incident_id=item.get("incident_id"),
            ),
            status=item["status"],
            outcome=json.loads(item["outcome"]),
            scheduled_for=item.get("scheduled_for"),
            ended_at=item.get("ended_at"),
        )


def _names(execution: str) -> tuple[str, str]:
    """What the operation of an execution may be called."""
    return execution_name(execution), execution
