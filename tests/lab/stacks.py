"""A stack of one resource, deployed to the running emulator."""

import json
from collections.abc import Mapping
from typing import Any

from lab.aws import Aws
from tests.lab.waiting import until


def deploy(aws: Aws, region: str, name: str, resource: Mapping[str, Any], **outputs: Any) -> dict[str, str]:
    """Deploy a stack of one resource, called Only; gives its outputs."""
    template = {"Resources": {"Only": resource}, "Outputs": {key: {"Value": each} for key, each in outputs.items()}}
    cloudformation = aws.client("cloudformation", region)
    cloudformation.create_stack(StackName=name, TemplateBody=json.dumps(template))

    def ended() -> Any:
        stack = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
        return None if stack["StackStatus"].endswith("_IN_PROGRESS") else stack

    stack = until(ended, f"the end of the deployment of {name}")
    assert stack["StackStatus"] == "CREATE_COMPLETE", stack
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}
