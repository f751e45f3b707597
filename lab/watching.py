"""Following executions of scenarios in the lab, as the console shows them."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lab.aws import ACCOUNT
from lambdas.domain.operation import machine_name

_POLL_SECONDS = 0.1


@dataclass(frozen=True)
class Finished:
    """An execution that has ended: `status` as Step Functions has it, `output` as plain data (None when it failed)."""

    arn: str
    status: str
    output: Any
    error: str
    cause: str


def machine_arn(scenario: str, region: str) -> str:
    """The ARN of a scenario's state machine in the lab."""
    return f"arn:aws:states:{region}:{ACCOUNT}:stateMachine:{machine_name(scenario)}"


def start(states: Any, scenario: str, region: str, given: object) -> str:
    """Start a scenario by `StartExecution`; the execution's ARN."""
    answer = states.start_execution(stateMachineArn=machine_arn(scenario, region), input=json.dumps(given))
    return str(answer["executionArn"])


def executions(states: Any, scenario: str, region: str) -> list[str]:
    """The executions of a scenario, newest first."""
    answer = states.list_executions(stateMachineArn=machine_arn(scenario, region))
    return [each["executionArn"] for each in answer["executions"]]


def wait_for_new(states: Any, scenario: str, region: str, known: list[str], seconds: float = 90) -> str:
    """Wait for an execution that is not among `known`: one that a schedule or an alarm has started."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        for arn in executions(states, scenario, region):
            if arn not in known:
                return arn
        time.sleep(_POLL_SECONDS)
    raise TimeoutError(f"no execution of {scenario} was started within {seconds:.0f} s")


def follow(states: Any, arn: str, entered: Callable[[str], None] | None = None, seconds: float = 300) -> Finished:
    """Follow an execution to its end; `entered` is told each state as it is entered."""
    deadline = time.monotonic() + seconds
    seen = 0
    while time.monotonic() < deadline:
        answer = states.describe_execution(executionArn=arn)
        if entered is not None:
            events = states.get_execution_history(executionArn=arn, maxResults=1000)["events"]
            for event in events[seen:]:
                if "stateEnteredEventDetails" in event:
                    entered(event["stateEnteredEventDetails"]["name"])
            seen = len(events)
        if answer["status"] != "RUNNING":
            succeeded = answer["status"] == "SUCCEEDED"
            output = json.loads(answer["output"]) if succeeded else None
            return Finished(arn, answer["status"], output, answer.get("error", ""), answer.get("cause", ""))
        time.sleep(_POLL_SECONDS)
    raise TimeoutError(f"{arn} still runs after {seconds:.0f} s")
