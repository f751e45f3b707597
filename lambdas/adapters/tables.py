"""Plain values to DynamoDB's attribute values and back."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.exceptions import ClientError

_write = TypeSerializer().serialize
_read = TypeDeserializer().deserialize


def to_item(values: Mapping[str, Any]) -> dict[str, Any]:
    """An item, without the attributes that are None. Floats are not for DynamoDB: store them as text."""
    return {name: _write(value) for name, value in values.items() if value is not None}


def from_item(item: Mapping[str, Any]) -> dict[str, Any]:
    """The values of an item; whole numbers come back as `int`."""
    return {name: _plain(_read(value)) for name, value in item.items()}


def _plain(value: Any) -> Any:
    return int(value) if isinstance(value, Decimal) and value == int(value) else value


def all_items(call: Any, **arguments: Any) -> Iterator[dict[str, Any]]:
    """Every item of a `query` or `scan`, page by page."""
    while True:
        page = call(**arguments)
        yield from (from_item(item) for item in page.get("Items", []))
        if "LastEvaluatedKey" not in page:
            return
        arguments["ExclusiveStartKey"] = page["LastEvaluatedKey"]


def condition_failed(error: ClientError) -> bool:
    """Whether a conditional write was refused by its condition."""
    return error.response.get("Error", {}).get("Code") == "ConditionalCheckFailedException"
