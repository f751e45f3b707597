"""The escrow of the other region, as the stream of this one fills it: an item there only ever goes on."""

from dataclasses import asdict
from typing import Any

from botocore.exceptions import ClientError

from lambdas.adapters.aws import client
from lambdas.adapters.tables import condition_failed, to_item
from lambdas.domain.escrow import EscrowItem, states_before


class EscrowCopy:
    """The escrow table of `region`, which is not this function's own."""

    def __init__(self, region: str, table: str) -> None:
        self._table = table
        self._dynamo: Any = client("dynamodb", region)

    def put(self, item: EscrowItem) -> bool:
        """Write an item there, unless it is there already and as far, or further on; whether it was written.

        So records may come twice, late, or from both regions at once: no password that was superseded or compromised
        becomes current again.
        """
        before = {f":before{i}": state for i, state in enumerate(states_before(item.state))}
        further = "#state = :state AND vault_version < :version"
        if before:
            further = f"#state IN ({', '.join(before)}) OR ({further})"
        values = before | {":state": item.state, ":version": item.vault_version}
        try:
            self._dynamo.put_item(
                TableName=self._table,
                Item=to_item(asdict(item)),
                ConditionExpression=f"attribute_not_exists(#item) OR {further}",
                ExpressionAttributeNames={"#item": "item", "#state": "state"},
                ExpressionAttributeValues=to_item(values),
            )
        except ClientError as error:
            if condition_failed(error):
                return False
            raise
        return True
