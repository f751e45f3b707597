"""The interpreter does with a state machine what Step Functions does, as far as our machines go."""

import json
from typing import Any

import pytest

from tests.crash.functions import FunctionFailed
from tests.crash.machine import Ended, Interpreter
from tests.infra.asl import Machine, State

EXECUTION = {"Id": "arn:of:it", "StartTime": "2026-11-22T02:00:00Z", "Input": {"sum": 3}}


def _task(**fields: Any) -> dict[str, Any]:
    arguments = {"FunctionName": "${take_it}", "Payload": {"given": "{% $states.input.sum %}", "all": "{% $sum %}"}}
    return {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Arguments": arguments} | fields


def _machine(task: dict[str, Any]) -> Machine:
    """Remembers the input, runs the task, and goes the way that its result says."""
    choices = [{"Condition": "{% $answer > 1 %}", "Assign": {"answer": "many"}, "Next": "Tell"}]
    return Machine.read(
        {
            "StartAt": "Remember",
            "States": {
                "Remember": {"Type": "Pass", "Assign": {"sum": "{% $states.input.sum + 1 %}"}, "Next": "Take"},
                "Take": task,
                "Choose": {"Type": "Choice", "Choices": choices, "Default": "Tell"},
                "Tell": {"Type": "Pass", "Output": {"answer": "{% $answer %}"}, "End": True},
                "Failed": {"Type": "Fail", "Error": "{% $states.input.error %}", "Cause": "it died"},
            },
        }
    )


class _Function:
    """Fails as often as it has errors to fail with."""

    def __init__(self, *errors: str, answer: object = 1) -> None:
        self.errors, self.answer = list(errors), answer
        self.payloads: list[Any] = []
        self.waited: list[float] = []

    def __call__(self, state: State, payload: Any) -> Any:
        assert (state.name, state.action) == ("Take", "take_it")
        self.payloads.append(payload)
        if self.errors:
            raise FunctionFailed(self.errors.pop(0), "it died")
        return {"answer": self.answer}

    def run(self, **fields: Any) -> Ended:
        return Interpreter(_machine(_task(**fields)), self, self.waited.append).run(EXECUTION)


GOES_ON: dict[str, Any] = {"Assign": {"answer": "{% $states.result.Payload.answer %}"}, "Next": "Choose"}
CATCHES: dict[str, Any] = {
    "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Failed", "Output": {"error": "{% $states.errorOutput.Error %}"}}]
}


@pytest.mark.parametrize(("answer", "told"), [(1, 1), (2, "many")])
def test_a_task_is_given_its_arguments_and_its_result_is_remembered(answer: int, told: object) -> None:
    function = _Function(answer=answer)
    ended = function.run(**GOES_ON)
    assert ended == Ended("SUCCEEDED", ["Remember", "Take", "Choose", "Tell"], {"answer": told})
    assert function.payloads == [{"given": 3, "all": 4}]


def test_an_error_that_a_retrier_names_is_tried_again_after_a_growing_wait() -> None:
    function = _Function("Busy", "Busy")
    retry = [{"ErrorEquals": ["Busy"], "IntervalSeconds": 2, "MaxAttempts": 2, "BackoffRate": 3}]
    assert function.run(Retry=retry, **GOES_ON, **CATCHES).status == "SUCCEEDED"
    assert function.waited == [2, 6]


@pytest.mark.parametrize("errors", [("Runtime.ExitError",), ("Busy", "Busy")], ids=["not named", "too often"])
def test_what_no_retrier_takes_goes_to_the_catcher_and_ends_red(errors: tuple[str, ...]) -> None:
    retry = [{"ErrorEquals": ["Busy"], "IntervalSeconds": 1, "MaxAttempts": 1, "BackoffRate": 1}]
    ended = _Function(*errors).run(Retry=retry, **GOES_ON, **CATCHES)
    assert ended == Ended("FAILED", ["Remember", "Take", "Failed"], None, errors[-1], "it died")


def test_the_cause_of_a_failed_function_is_a_json_text_as_lambda_gives_it() -> None:
    assert json.loads(FunctionFailed("VaultSealed", "vault-sealed: …").cause) == {
        "errorType": "VaultSealed",
        "errorMessage": "vault-sealed: …",
    }


def test_a_kind_of_state_that_it_does_not_know_is_refused() -> None:
    machine = Machine.read({"StartAt": "A", "States": {"A": {"Type": "Parallel"}}})
    with pytest.raises(ValueError, match="A is a Parallel"):
        Interpreter(machine, _Function(), lambda *_: None).run(EXECUTION)
