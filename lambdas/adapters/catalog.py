"""The catalog of one region: a row a backup, in DynamoDB. It holds some hundred rows, and is read whole."""

import dataclasses
from typing import Any

from botocore.exceptions import ClientError

from lambdas.adapters.aws import client
from lambdas.adapters.tables import all_items, condition_failed, from_item, to_item
from lambdas.domain.backup import CatalogRow, CopyStatus, ProofLevel, reaches
from lambdas.domain.database_time import Paced
from lambdas.domain.errors import BackupUnknown


class Catalog:
    """The catalog of one region: a row a backup."""

    def __init__(self, region: str, table: str) -> None:
        self._table = table
        self._dynamo: Any = client("dynamodb", region)

    def put(self, row: CatalogRow) -> None:
        """Write a row, over an earlier one of the same backup."""
        self._dynamo.put_item(TableName=self._table, Item=to_item(dataclasses.asdict(row)))

    def rows(self) -> list[CatalogRow]:
        """Every backup, newest first."""
        items = all_items(self._dynamo.scan, TableName=self._table, ConsistentRead=True)
        return sorted((CatalogRow(**item) for item in items), key=lambda row: row.started_at, reverse=True)

    def get(self, backup_id: str) -> CatalogRow:
        """One backup. Raises `BackupUnknown`."""
        answer = self._dynamo.get_item(TableName=self._table, Key=to_item({"id": backup_id}), ConsistentRead=True)
        if "Item" not in answer:
            raise BackupUnknown(backup_id=backup_id, known="see the catalog")
        return CatalogRow(**from_item(answer["Item"]))

    def raise_proof(self, backup_id: str, level: ProofLevel) -> CatalogRow:
        """Record that a backup is proved to `level`; a higher level stays. Gives the row. Raises `BackupUnknown`."""
        row = self.get(backup_id)
        if reaches(row.proof, level):
            return row
        try:
            self._set(backup_id, "proof", level, expected=row.proof)
        except ClientError as error:
            if not condition_failed(error):
                raise
        return self.raise_proof(backup_id, level)

    def lower_to_stored(self, backup_id: str) -> CatalogRow:
        """Record that a backup is not what it was proved to be; the row."""
        self._set(backup_id, "proof", "stored")
        return self.get(backup_id)

    def add(self, row: CatalogRow) -> bool:
        """Write a row unless there is one of this backup; whether it was written."""
        try:
            self._dynamo.put_item(
                TableName=self._table,
                Item=to_item(dataclasses.asdict(row)),
                ConditionExpression="attribute_not_exists(id)",
            )
        except ClientError as error:
            if not condition_failed(error):
                raise
            return False
        return True

    def delete(self, backup_id: str) -> None:
        """Forget a backup that is deleted."""
        self._dynamo.delete_item(TableName=self._table, Key=to_item({"id": backup_id}))

    def set_copy(self, backup_id: str, status: CopyStatus) -> CatalogRow:
        """Record what became of the copy in the other region; the row."""
        self._set(backup_id, "copy", status)
        return self.get(backup_id)

    def set_second_copy(self, backup_id: str, status: CopyStatus) -> None:
        """Record what became of the copy in the second store."""
        self._set(backup_id, "second_copy", status)

    def set_rate(self, backup_id: str, of: Paced, rate: int) -> None:
        """Record how fast a backup was restored or proved, in bytes of SQL a second."""
        self._set(backup_id, of, rate)

    def _set(self, backup_id: str, field: str, value: str | int, expected: str | None = None) -> None:
        values = {":new": value, ":old": expected}
        self._dynamo.update_item(
            TableName=self._table,
            Key=to_item({"id": backup_id}),
            UpdateExpression="SET #field = :new",
            ConditionExpression="attribute_exists(id)" + (" AND #field = :old" if expected else ""),
            ExpressionAttributeNames={"#field": field},
            ExpressionAttributeValues=to_item(values),
        )
