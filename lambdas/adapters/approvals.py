"""Approvals in DynamoDB: each asked for once, decided once, and closed; the rules are `domain/approval.py`.

A row also holds the token of the task that waits. It only wakes that task, which then reads the row: who has stolen
one can decide nothing with it. No reader gets it but `token`.
"""

from dataclasses import asdict, fields
from typing import Any

from botocore.exceptions import ClientError

from lambdas.adapters.aws import client
from lambdas.adapters.tables import all_items, condition_failed, from_item, to_item
from lambdas.domain.approval import Approval, Decision
from lambdas.domain.approval_errors import ApprovalUnknown

_NAMES = {f"#{field.name}": field.name for field in fields(Approval)}
_ALL_BUT_THE_TOKEN = {"ProjectionExpression": ", ".join(_NAMES), "ExpressionAttributeNames": _NAMES}


class Approvals:
    """The approvals table of one region."""

    def __init__(self, region: str, table: str) -> None:
        self._table = table
        self._dynamo: Any = client("dynamodb", region)

    def open(self, approval: Approval) -> Approval:
        """Record what is asked for; the approval as it was recorded first, however often this runs."""
        try:
            self._dynamo.put_item(
                TableName=self._table,
                Item=to_item(asdict(approval)),
                ConditionExpression="attribute_not_exists(id)",
            )
        except ClientError as error:
            if not condition_failed(error):
                raise
        return self.get(approval.id)

    def get(self, approval_id: str) -> Approval:
        """One approval. Raises `ApprovalUnknown`."""
        answer = self._dynamo.get_item(
            TableName=self._table, Key=to_item({"id": approval_id}), ConsistentRead=True, **_ALL_BUT_THE_TOKEN
        )
        if "Item" not in answer:
            raise ApprovalUnknown(approval_id=approval_id)
        return Approval(**from_item(answer["Item"]))

    def pending(self) -> list[Approval]:
        """Every approval that nobody has decided, oldest first; those too whose time is over."""
        items = all_items(
            self._dynamo.scan,
            TableName=self._table,
            ConsistentRead=True,
            FilterExpression="#status = :pending",
            ExpressionAttributeValues=to_item({":pending": "pending"}),
            **_ALL_BUT_THE_TOKEN,
        )
        return sorted((Approval(**item) for item in items), key=lambda each: each.requested_at)

    def token(self, approval_id: str) -> str | None:
        """The token of the task that waits; None before there is one."""
        answer = self._dynamo.get_item(
            TableName=self._table,
            Key=to_item({"id": approval_id}),
            ConsistentRead=True,
            ProjectionExpression="task_token",
        )
        return from_item(answer.get("Item", {})).get("task_token")

    def keep_token(self, approval_id: str, token: str) -> bool:
        """Keep the token of the task that waits now; False where the approval is decided, and nobody would use it."""
        return self._set(approval_id, {"task_token": token}, "#status = :pending", {":pending": "pending"})

    def sent(self, approval_id: str, at: str) -> None:
        """Record that the request was sent."""
        self._set(approval_id, {"sent_at": at}, "attribute_exists(id)")

    def decide(self, approval_id: str, decision: Decision, at: str) -> bool:
        """Record a decision; False where another one was recorded before, or its time is over."""
        return self._set(
            approval_id,
            {
                "status": decision.outcome,
                "decided_by": decision.by,
                "decided_at": at,
                "reason": decision.reason,
                "slip": decision.slip,
                "slip_version": decision.slip_version,
            },
            "#status = :pending AND expires_at > :now",
            {":pending": "pending", ":now": at},
        )

    def expire(self, approval_id: str) -> bool:
        """Record that nobody has decided in time; False where somebody has."""
        return self._set(approval_id, {"status": "expired"}, "#status = :pending", {":pending": "pending"})

    def close(self, approval_id: str, at: str) -> None:
        """Record that the operation has taken the outcome."""
        self._set(approval_id, {"closed_at": at}, "attribute_exists(id)")

    def _set(
        self, approval_id: str, values: dict[str, Any], condition: str, compared: dict[str, str] | None = None
    ) -> bool:
        try:
            self._dynamo.update_item(
                TableName=self._table,
                Key=to_item({"id": approval_id}),
                UpdateExpression="SET " + ", ".join(f"#{name} = :new_{name}" for name in values),
                ConditionExpression=condition,
                ExpressionAttributeNames={
                    f"#{name}": name for name in {*values, *(["status"] if "#status" in condition else [])}
                },
                ExpressionAttributeValues=to_item(
                    {f":new_{name}": value for name, value in values.items()} | (compared or {})
                ),
            )
        except ClientError as error:
            if condition_failed(error):
                return False
            raise
        return True
