"""Executions of state machines, as Step Functions knows them."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from lambdas.adapters.aws import client, error_code
from lambdas.domain.timeline import Passage

_ENDS = {"ExecutionAborted", "ExecutionFailed", "ExecutionSucceeded", "ExecutionTimedOut"}
"""The last event of a history that has nothing more to tell."""


@dataclass(frozen=True)
class Ended:
    """How an execution ended; times are RFC 3339 in UTC."""

    status: str
    error: str
    cause: str
    started_at: str
    ended_at: str


@dataclass(frozen=True)
class Listed:
    """An execution in a list; times are RFC 3339 in UTC, and `ended_at` is None while it runs."""

    arn: str
    status: str
    started_at: str
    ended_at: str | None


class Executions:
    """The executions of one region."""

    def __init__(self, region: str) -> None:
        self._states: Any = client("stepfunctions", region)

    def runs(self, arn: str) -> bool:
        """Whether an execution still runs. One that Step Functions has forgotten (after 90 days) does not."""
        try:
            return bool(self._states.describe_execution(executionArn=arn)["status"] == "RUNNING")
        except ClientError as error:
            if error_code(error) == "ExecutionDoesNotExist":
                return False
            raise

    def input_of(self, arn: str) -> dict[str, Any]:
        """What an execution was started with."""
        given: dict[str, Any] = json.loads(self._states.describe_execution(executionArn=arn)["input"])
        return given

    def ended(self, arn: str) -> Ended:
        """How an execution ended."""
        answer = self._states.describe_execution(executionArn=arn)
        stopped = answer.get("stopDate")
        return Ended(
            status=answer["status"],
            error=answer.get("error") or "",
            cause=answer.get("cause") or "",
            started_at=_text(answer["startDate"]),
            ended_at=_text(stopped) if stopped else "",
        )

    def newest(self, machine: str, count: int) -> list[Listed]:
        """The newest executions of a state machine, newest first."""
        answer = self._states.list_executions(stateMachineArn=machine, maxResults=count)
        return [
            Listed(
                arn=each["executionArn"],
                status=each["status"],
                started_at=_text(each["startDate"]),
                ended_at=_text(each["stopDate"]) if each.get("stopDate") else None,
            )
            for each in answer["executions"]
        ]

    def passages(self, arn: str) -> list[Passage]:
        """Each state that the execution entered and left so far, in order."""
        return [
            Passage(event[field]["name"], event["timestamp"], entered)
            for event in self._events(arn)
            for field, entered in (("stateEnteredEventDetails", True), ("stateExitedEventDetails", False))
            if field in event
        ]

    def ended_before(self, arn: str, state: str) -> bool:
        """Whether an execution has ended without having entered a state; False too where its history lacks its end."""
        last = ""
        for event in self._events(arn):
            if event.get("stateEnteredEventDetails", {}).get("name") == state:
                return False
            last = event["type"]
        return last in _ENDS

    def _events(self, arn: str) -> Iterator[dict[str, Any]]:
        """The history of an execution, event by event, without what went in and out."""
        arguments: dict[str, Any] = {"executionArn": arn, "maxResults": 1000, "includeExecutionData": False}
        while True:
            page = self._states.get_execution_history(**arguments)
            yield from page["events"]
            if not page.get("nextToken"):
                return
            arguments["nextToken"] = page["nextToken"]


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds")
