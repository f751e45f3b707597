"""The state machines that scenarios start: what they end with is data, and none is an operation of its own."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aws_cdk import App, Stack
from aws_cdk.assertions import Match, Template

from infra import scenario as machines
from infra.names import Names
from infra.scenario import child_names, definition, scenario_names
from lambdas.domain.approval import LONGEST_MINUTES
from lambdas.domain.scenarios import SCENARIOS
from tests.infra.asl import Machine
from tests.infra.templates import APP_STACKS, House

APPROVAL = Machine.read(definition("approval"))

every_child = pytest.mark.parametrize("child", child_names())
both = pytest.mark.parametrize("stack", APP_STACKS)


def test_a_child_is_no_scenario() -> None:
    assert child_names() == ["approval"]
    assert not {*child_names()} & {*scenario_names(), *SCENARIOS}


@every_child
def test_a_child_takes_no_lease_and_keeps_no_record(child: str) -> None:
    called = {task.action for task in Machine.read(definition(child)).tasks()}
    assert not called & {"begin_operation", "complete_operation", "fail_operation"}


@every_child
def test_a_child_that_fails_ends_red_and_its_parent_knows_why(child: str) -> None:
    machine = Machine.read(definition(child))
    for state in machine.states.values():
        for catch in (each for each in state.catches() if each["ErrorEquals"] == ["States.ALL"]):
            assert machine.reachable(catch["Next"]) == {"Failed"}, state.name
            assert catch["Output"] == {
                "error": "{% $states.errorOutput.Error %}",
                "cause": "{% $states.errorOutput.Cause %}",
            }
    assert machine.states["Failed"].definition["Error"] == "{% $states.input.error %}"
    assert machine.states["Failed"].definition["Cause"] == "{% $states.input.cause %}"


def test_an_approval_that_nobody_decides_in_time_is_an_outcome_and_no_failure() -> None:
    expired, _ = APPROVAL.states["RequestApproval"].catches()
    assert (expired["ErrorEquals"], expired["Next"]) == (["States.Timeout"], "CloseApproval")
    assert expired["Output"] == {"timed_out": True}


def test_only_what_reads_the_recorded_decision_ends_an_approval_well() -> None:
    assert {state.name for state in APPROVAL.states.values() if state.ends} == {"CloseApproval"}


def test_an_approval_waits_for_a_token_as_long_as_it_is_told_and_its_machine_longer_than_any() -> None:
    waits = APPROVAL.states["RequestApproval"].definition
    assert waits["Resource"] == "arn:aws:states:::lambda:invoke.waitForTaskToken"
    assert waits["TimeoutSeconds"] == "{% $seconds %}"
    others = 2 * 90
    assert APPROVAL.definition["TimeoutSeconds"] > LONGEST_MINUTES * 60 + others


@both
def test_the_token_of_a_waiting_task_gets_into_no_log(house: House, stack: str) -> None:
    logged = {
        each["StateMachineName"]: each["LoggingConfiguration"]["IncludeExecutionData"]
        for each in house.stacks[stack].properties("AWS::StepFunctions::StateMachine").values()
    }
    assert {name for name, data in logged.items() if not data} == {"mailark-approval"}


@pytest.fixture
def parent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Template:
    """A scenario that asks for an approval, as it is deployed."""
    ask = {"Type": "Task", "Resource": "arn:aws:states:::states:startExecution.sync:2", "End": True}
    ask |= {"Arguments": {"StateMachineArn": "${approval}", "Input": {}}, "Comment": "After ${begin_operation}."}
    asl: dict[str, Any] = {"StartAt": "Ask", "States": {"Ask": ask}}
    begin: Any = SimpleNamespace(function=SimpleNamespace(function_arn="arn:aws:lambda:eu-central-1:1:function:begin"))
    monkeypatch.setattr(machines, "definition", lambda _: asl)
    stack = Stack(App(outdir=str(tmp_path)), "Parent")
    machines.Machine(stack, "catalog_rebuild", {"begin_operation": begin}, Names("eu-central-1", {}))
    return Template.from_stack(stack)


def test_a_scenario_that_asks_may_start_its_child_and_wait_for_it_and_stop_it(parent: Template) -> None:
    (policy,) = parent.find_resources("AWS::IAM::Policy").values()
    statements = policy["Properties"]["PolicyDocument"]["Statement"]
    granted = {
        action: json.dumps(each["Resource"])
        for each in statements
        for action in ([each["Action"]] if isinstance(each["Action"], str) else each["Action"])
        if action.startswith(("states:", "events:", "lambda:"))
    }
    assert granted.pop("lambda:InvokeFunction") == '"arn:aws:lambda:eu-central-1:1:function:begin"'
    assert ":stateMachine:mailark-approval" in granted.pop("states:StartExecution")
    for action in ("states:DescribeExecution", "states:StopExecution"):
        assert ":execution:mailark-approval:*" in granted.pop(action)
    for action in ("events:DescribeRule", "events:PutRule", "events:PutTargets"):
        assert "rule/StepFunctionsGetEventsForStepFunctionsExecutionRule" in granted.pop(action)
    assert granted == {}


def test_a_scenario_that_asks_is_told_where_its_child_is(parent: Template) -> None:
    parent.has_resource_properties(
        "AWS::StepFunctions::StateMachine", {"DefinitionSubstitutions": {"approval": Match.any_value()}}
    )
