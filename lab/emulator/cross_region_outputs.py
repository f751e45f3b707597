"""`Fn::GetStackOutput` takes a region: the output of a stack in another region of the same account.

MiniStack ignores the region, and looks for the stack in its own.
"""

from typing import Any

from ministack.core.responses import get_account_id, request_scope
from ministack.services.cloudformation import _stacks, changesets, engine, handlers, provisioners, stacks


def apply() -> None:
    resolve = engine._resolve_refs

    def resolve_with_region(value: Any, *arguments: Any, **more: Any) -> Any:
        if isinstance(value, dict) and isinstance(value.get("Fn::GetStackOutput"), dict):
            wanted = value["Fn::GetStackOutput"]
            region = wanted.get("Region")
            if region:
                return _output(region, wanted["StackName"], wanted["OutputName"])
        return resolve(value, *arguments, **more)

    for module in (engine, changesets, handlers, provisioners, stacks):
        if getattr(module, "_resolve_refs", resolve) is resolve:
            module._resolve_refs = resolve_with_region


def _output(region: str, stack_name: str, output_name: str) -> str:
    with request_scope(get_account_id(), region):
        stack = _stacks.get(stack_name)
    for output in stack.get("Outputs", []) if stack else []:
        if output["OutputKey"] == output_name:
            return str(output["OutputValue"])
    raise ValueError(f"Output '{output_name}' not found in stack '{stack_name}' in {region}")
