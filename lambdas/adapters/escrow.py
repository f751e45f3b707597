"""The escrow of one region, in DynamoDB: values of credentials, sealed to KMS and to the offline key."""

from dataclasses import asdict, replace
from typing import Any

import msgspec
from botocore.exceptions import ClientError

from lambdas.adapters.aws import client
from lambdas.adapters.envelope import Envelope
from lambdas.adapters.tables import all_items, condition_failed, from_item, to_item
from lambdas.domain.credential_errors import EscrowItemDamaged, EscrowItemMissing
from lambdas.domain.escrow import EscrowItem, State, sealing_context
from lambdas.domain.proof import CiphertextDamaged


class Escrow:
    """The escrow table of one region, and the key that its values are sealed under.

    Whatever it raises beside its own errors is `KeyUnusable` or `AwsUnavailable`.
    """

    def __init__(self, region: str, table: str, envelope: Envelope) -> None:
        self._table, self._envelope = table, envelope
        self._dynamo: Any = client("dynamodb", region)

    def put_pending(self, path: str, item: str, values: dict[str, str], at: str) -> EscrowItem:
        """Keep a value that is about to be set; the one that was kept first, however often an operation does this."""
        sealed = self._envelope.wrap(msgspec.json.encode(values), sealing_context(path, item))
        made = EscrowItem(path, item, "pending", sealed, at)
        try:
            self._dynamo.put_item(
                TableName=self._table,
                Item=to_item(asdict(made)),
                ConditionExpression="attribute_not_exists(#item)",
                ExpressionAttributeNames={"#item": "item"},
            )
        except ClientError as error:
            if not condition_failed(error):
                raise
            return self.get(path, item)
        return made

    def get(self, path: str, item: str) -> EscrowItem:
        """One value of a credential. Raises `EscrowItemMissing`."""
        key = to_item({"path": path, "item": item})
        answer = self._dynamo.get_item(TableName=self._table, Key=key, ConsistentRead=True)
        if "Item" not in answer:
            raise EscrowItemMissing(path=path, item=item)
        return EscrowItem(**from_item(answer["Item"]))

    def items(self, path: str) -> list[EscrowItem]:
        """Every value of a credential, oldest first."""
        found = all_items(
            self._dynamo.query,
            TableName=self._table,
            ConsistentRead=True,
            KeyConditionExpression="#path = :path",
            ExpressionAttributeNames={"#path": "path"},
            ExpressionAttributeValues=to_item({":path": path}),
        )
        return sorted((EscrowItem(**item) for item in found), key=lambda each: (each.created_at, each.item))

    def current(self, path: str) -> EscrowItem | None:
        """The value that works, as far as the escrow knows; None where it knows of none."""
        return next((each for each in self.items(path) if each.state == "current"), None)

    def open(self, item: EscrowItem) -> dict[str, str]:
        """A value in the clear: the fields of the secret in Vault. Raises `EscrowItemDamaged`."""
        try:
            opened = self._envelope.unwrap(item.sealed, item.context)
            return msgspec.json.decode(opened, type=dict[str, str])
        except (CiphertextDamaged, msgspec.DecodeError, ValueError):
            raise EscrowItemDamaged(path=item.path, item=item.item) from None

    def published(self, item: EscrowItem, version: int) -> EscrowItem:
        """Record the version in Vault that a value became."""
        self._dynamo.update_item(
            TableName=self._table,
            Key=to_item({"path": item.path, "item": item.item}),
            UpdateExpression="SET vault_version = :version",
            ConditionExpression="attribute_exists(#item)",
            ExpressionAttributeNames={"#item": "item"},
            ExpressionAttributeValues=to_item({":version": version}),
        )
        return replace(item, vault_version=version)

    def make_current(self, path: str, item: str, at: str, old: State = "superseded") -> EscrowItem:
        """Let a pending value be the one that works, and all before it `old`, at once; the value as it is now.

        What another operation left pending may have worked for a while, and counts as one before it. A value that was
        current already stays what it has become since. Raises `EscrowItemMissing`.
        """
        new = self.get(path, item)
        if new.state != "pending":
            return new
        before = [each for each in self.items(path) if each.state in ("current", "pending") and each.item != item]
        moves = [self._move(new, "current"), *(self._move(each, old, at) for each in before)]
        self._dynamo.transact_write_items(TransactItems=[{"Update": move} for move in moves])
        return replace(new, state="current")

    def _move(self, item: EscrowItem, to: State, ended_at: str = "") -> dict[str, Any]:
        return {
            "TableName": self._table,
            "Key": to_item({"path": item.path, "item": item.item}),
            "UpdateExpression": "SET #state = :to, ended_at = :ended",
            "ConditionExpression": "#state = :since",
            "ExpressionAttributeNames": {"#state": "state"},
            "ExpressionAttributeValues": to_item({":to": to, ":since": item.state, ":ended": ended_at}),
        }
