"""`AWS::KMS::ReplicaKey`: MiniStack has the API's ReplicateKey, but not the resource."""

import json
from typing import Any

from ministack.core.responses import get_account_id, get_region, request_scope
from ministack.services import kms
from ministack.services.cloudformation import provisioners


def apply() -> None:
    handlers = provisioners._RESOURCE_HANDLERS
    if "AWS::KMS::ReplicaKey" in handlers:
        raise RuntimeError("MiniStack has AWS::KMS::ReplicaKey now: remove lab/emulator/replica_keys.py")
    handlers["AWS::KMS::ReplicaKey"] = {"create": _create, "update": _update, "delete": lambda *_: None}


def _create(logical_id: str, properties: dict[str, Any], stack_name: str) -> tuple[str, dict[str, str]]:
    del stack_name
    arn, region = properties["PrimaryKeyArn"], get_region()
    policy = properties["KeyPolicy"]
    with request_scope(get_account_id(), arn.split(":")[3]):
        status, _headers, body = kms._replicate_key(
            {
                "KeyId": arn,
                "ReplicaRegion": region,
                "Policy": policy if isinstance(policy, str) else json.dumps(policy),
                "Description": properties.get("Description", ""),
            }
        )
    if status != 200:
        raise RuntimeError(f"{logical_id}: {body!r}")
    key_id = arn.rsplit("/", 1)[-1]
    return key_id, {"Arn": f"arn:aws:kms:{region}:{get_account_id()}:key/{key_id}", "KeyId": key_id}


def _update(physical_id: str, old: dict[str, Any], new: dict[str, Any], stack_name: str) -> tuple[str, dict[str, str]]:
    del old, stack_name
    record = kms._keys[physical_id]
    record["Policy"] = json.dumps(new["KeyPolicy"])
    return physical_id, {"Arn": record["Arn"], "KeyId": physical_id}
