"""How a task that waits for its token ends in the emulator, seen from outside."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from lab.aws import Aws
from tests.lab.caller_looks import user
from tests.lab.small_functions import REGION, function, machine, unique
from tests.lab.waiting import until


def waiting_as_long_as_an_expression_says(aws: Aws, folder: Path) -> Any:
    del folder
    return _waited(aws, "def handler(event, context): return 'nobody wakes it'", "{% $states.input.seconds %}")


def waiting_for_a_function_that_fails(aws: Aws, folder: Path) -> Any:
    del folder
    return _waited(aws, "def handler(event, context): raise RuntimeError('it fails')", 5)


_WRITING = """
import pathlib
def handler(event, context):
    pathlib.Path(event['file']).write_text(event['token'])
"""


def tasks_that_one_may_wake(aws: Aws, folder: Path) -> Any:
    """Whether somebody who may wake the tasks of one machine wakes a task of it, and one of another machine."""
    own, other = (_waiting(aws, _WRITING, 20, folder / unique("token")) for _ in range(2))
    _, key = user(aws, "states:SendTaskSuccess", own.machine)
    found = []
    for each in (own, other):
        until(lambda each=each: each.file.exists() and each.file.read_text(), "the token")  # type: ignore[misc]  # mypy loses the default
        try:
            aws.client("stepfunctions", REGION, key).send_task_success(taskToken=each.file.read_text(), output="{}")
            found.append("woken")
        except ClientError as error:
            found.append(error.response["Error"]["Code"])
    return found


@dataclass(frozen=True)
class _Waiting:
    machine: str
    execution: str
    file: Path


def _waited(aws: Aws, code: str, limit: Any) -> Any:
    """How such an execution ends, and of what."""
    states, started = aws.client("stepfunctions", REGION), _waiting(aws, code, limit, Path()).execution

    def ended() -> Any:
        answer = states.describe_execution(executionArn=started)
        return None if answer["status"] == "RUNNING" else (answer["status"], answer.get("error"))

    return until(ended, "the end of the execution")


def _waiting(aws: Aws, code: str, limit: Any, file: Path) -> _Waiting:
    payload = {"token": "{% $states.context.Task.Token %}", "file": str(file)}
    waiting = {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
        "TimeoutSeconds": limit,
        "Arguments": {"FunctionName": function(aws, code), "Payload": payload},
        "End": True,
    }
    states = aws.client("stepfunctions", REGION)
    arn = machine(aws, {"StartAt": "Waiting", "States": {"Waiting": waiting}})
    started = states.start_execution(stateMachineArn=arn, input=json.dumps({"seconds": 1}))["executionArn"]
    return _Waiting(arn, started, file)
