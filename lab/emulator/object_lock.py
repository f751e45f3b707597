"""A bucket that a stack makes with Object Lock has it; MiniStack's CloudFormation leaves it out without a word."""

from typing import Any

from ministack.services import s3
from ministack.services.cloudformation import provisioners


def apply() -> None:
    handler = provisioners._RESOURCE_HANDLERS["AWS::S3::Bucket"]
    create = handler["create"]

    def create_with_lock(logical_id: str, props: dict[str, Any], stack_name: str) -> Any:
        created = create(logical_id, props, stack_name)
        if str(props.get("ObjectLockEnabled", "")).lower() == "true":
            rule = props.get("ObjectLockConfiguration", {}).get("Rule", {}).get("DefaultRetention")
            s3._bucket_object_lock[created[0]] = {"enabled": True, "default_retention": _numbers(rule)}
        return created

    handler["create"] = create_with_lock


def _numbers(rule: dict[str, Any] | None) -> dict[str, Any] | None:
    """Days and years as numbers: a template may hold them as text."""
    if rule is None:
        return None
    return {name: int(value) if name in ("Days", "Years") else value for name, value in rule.items()}
