"""Transactions in DynamoDB that meet others on the same items, and are tried again until they get through."""

import random
import time
from collections.abc import Sequence
from typing import Any

from botocore.exceptions import ClientError

_ATTEMPTS, _FIRST_WAIT, _LONGEST_WAIT = 12, 0.02, 1.0
"""Who does not come through has waited for 4 s on average (8 s at most); a function that detects has 300."""
_CONDITION = "ConditionalCheckFailed"


def transact(dynamo: Any, items: Sequence[dict[str, Any]]) -> list[int]:
    """Write all of these, or none: gives the places of those whose condition refused it, and so none when it is done.

    Raises `ClientError` for whatever else, also when others were faster every time.
    """
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            dynamo.transact_write_items(TransactItems=list(items))
        except ClientError as error:
            reasons = [each.get("Code") for each in error.response.get("CancellationReasons", [])]
            if error.response["Error"]["Code"] != "TransactionCanceledException" or attempt == _ATTEMPTS:
                raise
            if refused := [place for place, reason in enumerate(reasons) if reason == _CONDITION]:
                return refused
        else:
            return []
        time.sleep(random.uniform(0, min(_LONGEST_WAIT, _FIRST_WAIT * 2**attempt)))  # noqa: S311  # jitter
    raise AssertionError  # pragma: no cover  # the last attempt has returned or raised
