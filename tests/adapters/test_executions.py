"""Executions as Step Functions knows them.

moto runs no state machine: each of its executions has the same short history and no error of its own. What a real
history looks like is left to the tests of the deployed stack; several pages of one are answered here word for word.
"""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lambdas.adapters.executions import Executions
from lambdas.domain.timeline import Passage
from tests.servers.aws import ACCOUNT, PRIMARY, answering, aws, refused

ARN = f"arn:aws:states:{PRIMARY}:{ACCOUNT}:execution:mailark-vault-backup:op-1"

pytestmark = pytest.mark.usefixtures("_clean")


@pytest.fixture
def executions() -> Executions:
    """Those of a region with one execution that runs."""
    states = aws("stepfunctions")
    machine = states.create_state_machine(
        name="mailark-vault-backup",
        definition=json.dumps({"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}}),
        roleArn=f"arn:aws:iam::{ACCOUNT}:role/x",
    )
    started = states.start_execution(stateMachineArn=machine["stateMachineArn"], name="op-1", input="{}")
    assert started["executionArn"] == ARN
    return Executions(PRIMARY)


def test_an_execution_runs_until_it_has_ended(executions: Executions) -> None:
    assert executions.runs(ARN)
    aws("stepfunctions").stop_execution(executionArn=ARN)
    assert not executions.runs(ARN)


def test_an_execution_that_step_functions_has_forgotten_does_not_run(executions: Executions) -> None:
    assert not executions.runs(ARN.replace("op-1", "op-0"))


def test_a_refusal_is_not_taken_for_an_end(executions: Executions) -> None:
    with refused("DescribeExecution", "AccessDeniedException"), pytest.raises(ClientError, match="AccessDenied"):
        executions.runs(ARN)


def test_an_execution_that_was_stopped_has_no_error_and_two_times(executions: Executions) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    aws("stepfunctions").stop_execution(executionArn=ARN)
    ended = executions.ended(ARN)
    assert (ended.status, ended.error, ended.cause) == ("ABORTED", "", "")
    assert before.timestamp() - 2 <= datetime.fromisoformat(ended.started_at).timestamp()
    assert ended.started_at <= ended.ended_at
    assert ended.ended_at.endswith("+00:00")


def test_an_execution_that_still_runs_has_no_end(executions: Executions) -> None:
    assert (executions.ended(ARN).status, executions.ended(ARN).ended_at) == ("RUNNING", "")


def test_an_execution_that_failed_has_its_error_and_its_cause() -> None:
    described = {
        "executionArn": ARN,
        "stateMachineArn": ARN,
        "status": "FAILED",
        "startDate": 1795312800.123,
        "stopDate": 1795312861.5,
        "error": "VaultSealed",
        "cause": "vault-sealed: Vault is sealed.",
    }
    with answering("DescribeExecution", described):
        ended = Executions(PRIMARY).ended(ARN)
    assert (ended.status, ended.error, ended.cause) == ("FAILED", "VaultSealed", "vault-sealed: Vault is sealed.")
    assert (ended.started_at, ended.ended_at) == ("2026-11-22T02:00:00+00:00", "2026-11-22T02:01:01+00:00")


def test_the_states_of_an_execution_are_found_in_its_history(executions: Executions) -> None:
    found = executions.passages(ARN)
    assert [(each.state, each.entered) for each in found] == [("A State", True), ("A State", False)]
    assert all(each.at.tzinfo is not None for each in found)


def _history(number: int, kind: str, state: str | None = None) -> dict[str, Any]:
    event: dict[str, Any] = {"id": number, "timestamp": 1795312800 + number, "type": kind}
    if state is not None:
        details = "stateEnteredEventDetails" if kind.endswith("Entered") else "stateExitedEventDetails"
        event[details] = {"name": state}
    return event


def test_a_history_of_several_pages_is_read_to_its_end_in_order() -> None:
    pages: list[dict[str, Any]] = [
        {"events": [_history(1, "ExecutionStarted"), _history(2, "TaskStateEntered", "CheckVault")], "nextToken": "2"},
        {"events": [_history(3, "LambdaFunctionSucceeded")], "nextToken": "3"},
        {"events": [_history(4, "TaskStateExited", "CheckVault"), _history(5, "PassStateEntered", "Done")]},
    ]
    with answering("GetExecutionHistory", *pages) as asked:
        found = Executions(PRIMARY).passages(ARN)
    at = [datetime.fromtimestamp(1795312800 + n, UTC) for n in (2, 4, 5)]
    assert found == [
        Passage("CheckVault", at[0], True),
        Passage("CheckVault", at[1], False),
        Passage("Done", at[2], True),
    ]
    assert [each.get("nextToken") for each in asked] == [None, "2", "3"]
    assert not any(each["includeExecutionData"] for each in asked)


@pytest.mark.parametrize("end", ["ExecutionAborted", "ExecutionTimedOut", "ExecutionFailed", "ExecutionSucceeded"])
def test_an_execution_has_ended_before_a_state_that_no_page_of_its_whole_history_has(end: str) -> None:
    pages: list[dict[str, Any]] = [
        {"events": [_history(1, "ExecutionStarted"), _history(2, "TaskStateEntered", "CheckVault")], "nextToken": "2"},
        {"events": [_history(3, "TaskStateExited", "CheckVault"), _history(4, end)]},
    ]
    with answering("GetExecutionHistory", *pages) as asked:
        assert Executions(PRIMARY).ended_before(ARN, "WriteManifest")
    assert [each.get("nextToken") for each in asked] == [None, "2"]
    with answering("GetExecutionHistory", *pages):
        assert not Executions(PRIMARY).ended_before(ARN, "CheckVault")


@pytest.mark.parametrize("last", [[], [_history(3, "TaskStateExited", "CheckVault")]])
def test_a_history_that_does_not_tell_the_end_yet_proves_nothing(last: list[dict[str, Any]]) -> None:
    """One that was taken up again after its end has gone on, too."""
    events = [_history(1, "ExecutionStarted"), _history(2, "ExecutionAborted"), _history(3, "ExecutionRedriven")]
    with answering("GetExecutionHistory", {"events": [*events, *last]}):
        assert not Executions(PRIMARY).ended_before(ARN, "WriteManifest")


def test_the_newest_executions_of_a_machine_are_listed_as_they_stand(executions: Executions) -> None:
    machine = ARN.replace(":execution:", ":stateMachine:").removesuffix(":op-1")
    (running,) = executions.newest(machine, 5)
    assert (running.arn, running.status, running.ended_at) == (ARN, "RUNNING", None)
    aws("stepfunctions").stop_execution(executionArn=ARN)
    (stopped,) = executions.newest(machine, 5)
    assert (stopped.status, stopped.started_at) == ("ABORTED", running.started_at)
    assert stopped.ended_at is not None
