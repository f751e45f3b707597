"""A task that waits for its token: how long it waits, that it fails with its function, and who may wake it.

MiniStack takes the expression of `TimeoutSeconds` for a number, waits on though the function has failed, and holds the
right to wake a task against no state machine, which AWS does.
"""

import contextvars
import json
from typing import Any

from ministack.core import iam_actions
from ministack.services import stepfunctions

_machine: contextvars.ContextVar[str] = contextvars.ContextVar("machine", default="*")
_waiting: contextvars.ContextVar[str | None] = contextvars.ContextVar("waiting", default=None)
_machines: dict[str, str] = {}
"""By token, also by those that are worth nothing any more, the machine of the task."""


def apply() -> None:
    _evaluate_the_limit()
    _fail_with_the_function()
    _know_the_machine()


def _evaluate_the_limit() -> None:
    execute = stepfunctions._execute_task

    def execute_with_limit(state: dict[str, Any], given: Any, execution: Any, context: Any) -> Any:
        _machine.set(execution["stateMachineArn"])
        if isinstance(limit := state.get("TimeoutSeconds"), str):
            state = {**state, "TimeoutSeconds": stepfunctions._apply_jsonata_template(limit, given, context)}
        return execute(state, given, execution, context)

    stepfunctions._execute_task = execute_with_limit


def _fail_with_the_function() -> None:
    wait, call = stepfunctions._invoke_with_callback, stepfunctions._call_lambda

    def wait_under_its_token(resource: str, given: Any, token: str, state: Any) -> Any:
        _machines[token] = _machine.get()
        _waiting.set(token)
        try:
            return wait(resource, given, token, state)
        finally:
            _waiting.set(None)

    def call_and_tell(function: str, event: Any) -> Any:
        try:
            return call(function, event)
        except stepfunctions._ExecutionError as error:
            if task := stepfunctions._task_tokens.get(_waiting.get()):
                task["error"] = {"Error": error.error, "Cause": error.cause}
                task["event"].set()
            raise

    stepfunctions._invoke_with_callback = wait_under_its_token
    stepfunctions._call_lambda = call_and_tell


def _know_the_machine() -> None:
    resource_of = iam_actions.extract_resource_arn

    def resource_with_machine(service: str, method: str, path: str, headers: Any, body: bytes, *more: Any) -> Any:
        if service == "states" and b'"taskToken"' in body:
            return _machines.get(json.loads(body)["taskToken"], "*")
        return resource_of(service, method, path, headers, body, *more)

    iam_actions.extract_resource_arn = resource_with_machine
