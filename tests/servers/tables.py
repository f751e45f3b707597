"""The tables as they are deployed: `infra/data_stack.py` makes the same, which a test holds."""

from typing import Any

from lambdas.adapters.audit_trail import BY_EVENT, BY_OPERATION, BY_PERSON
from lambdas.adapters.suspicion_alarms import BY_KIND
from tests.servers.aws import PRIMARY, aws

KEYS = {
    "mailark-operations": ["id"],
    "mailark-leases": ["target"],
    "mailark-catalog": ["id"],
    "mailark-approvals": ["id"],
    "mailark-escrow": ["path", "item"],
    "mailark-detection": ["window"],
    "mailark-notices": ["operation", "recipient"],
    "mailark-audit-heads": ["scope"],
    "mailark-audit-events": ["scope", "sequence"],
}
INDEXES = {
    "mailark-detection": {BY_KIND: ["kind", "since"]},
    "mailark-audit-events": {
        BY_EVENT: ["event", "timestamp"],
        BY_OPERATION: ["operation_id", "timestamp"],
        BY_PERSON: ["user_id", "timestamp"],
    },
}


def make_tables(region: str = PRIMARY) -> None:
    """All tables of one region."""
    dynamo = aws("dynamodb", region)
    for name in KEYS:
        dynamo.create_table(**table(name))


def table(name: str) -> dict[str, Any]:
    """A table as CreateTable takes it."""
    made: dict[str, Any] = {
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "KeySchema": _schema(KEYS[name]),
        "AttributeDefinitions": [{"AttributeName": each, "AttributeType": _type(each)} for each in _attributes(name)],
    }
    indexes = [
        {"IndexName": index, "KeySchema": _schema(keys), "Projection": {"ProjectionType": "ALL"}}
        for index, keys in INDEXES.get(name, {}).items()
    ]
    return made | ({"GlobalSecondaryIndexes": indexes} if indexes else {})


def _schema(keys: list[str]) -> list[dict[str, str]]:
    return [{"AttributeName": key, "KeyType": kind} for key, kind in zip(keys, ("HASH", "RANGE"), strict=False)]


def _attributes(name: str) -> list[str]:
    return sorted({*KEYS[name], *(key for keys in INDEXES.get(name, {}).values() for key in keys)})


def _type(attribute: str) -> str:
    return "N" if attribute == "sequence" else "S"
