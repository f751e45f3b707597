"""An interpreter of this project's state machines, as Step Functions runs them, without its waits.

It knows what our machines use (Amazon States Language with JSONata) and refuses what it does not know.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from jsonata import Jsonata

from tests.crash.functions import FunctionFailed
from tests.infra.asl import Machine, State

_EXPRESSION = re.compile(r"^\{%(.*)%\}$", re.DOTALL)
_VARIABLE = re.compile(r"\$([a-z]\w*)\b(?!\()")

CHILDREN = {"approval": {"approval_id": "apr-1", "outcome": "approved", "decided_by": "jo", "reason": "a test"}}
"""What each machine that others start says when it has ended; its own functions are let die in tests of their own."""

Invoke = Callable[[State, Any], Any]
"""Runs the action of a task with a payload. Raises `FunctionFailed`."""
Wait = Callable[[float], None]
"""Lets so many seconds pass."""


@dataclass(frozen=True)
class Ended:
    """How an execution ended, and the states that it entered, in order."""

    status: Literal["SUCCEEDED", "FAILED"]
    path: list[str]
    output: Any = None
    error: str = ""
    cause: str = ""


@dataclass
class Interpreter:
    """Runs executions of one machine."""

    machine: Machine
    invoke: Invoke
    wait: Wait
    _variables: dict[str, Any] = field(default_factory=dict)

    def run(self, execution: Mapping[str, Any]) -> Ended:
        """Run one execution; `execution` is `$states.context.Execution`."""
        self._variables = {}
        path: list[str] = []
        name, given = self.machine.start, execution["Input"]
        while True:
            path.append(name)
            state = self.machine.states[name]
            states: dict[str, Any] = {
                "input": given,
                "context": {"Execution": dict(execution), "State": {"Name": name}},
            }
            definition = state.definition
            match state.type:
                case "Task":
                    taken = self._task(state, states)
                case "Pass":
                    taken, states["result"] = definition, given
                case "Choice":
                    met = (each for each in definition["Choices"] if self._value(each["Condition"], states) is True)
                    taken = next(met, {"Next": definition.get("Default")})
                case "Succeed":
                    taken = definition | {"End": True}
                case "Fail":
                    told = self._value({key: definition[key] for key in ("Error", "Cause")}, states)
                    return Ended("FAILED", path, None, told["Error"], told["Cause"])
                case other:
                    raise ValueError(f"{name} is a {other}, which this interpreter does not know")
            output = self._value(taken["Output"], states) if "Output" in taken else states.get("result", given)
            self._variables |= self._value(taken.get("Assign", {}), states)
            if taken.get("End"):
                return Ended("SUCCEEDED", path, output)
            name, given = taken["Next"], output

    def _task(self, state: State, states: dict[str, Any]) -> dict[str, Any]:
        """Run a task until it succeeds or no retrier takes its error; what says where to go: itself, or a catcher."""
        if state.child:
            states["result"] = {"Output": CHILDREN[state.child]}
            return state.definition
        assert state.definition["Resource"] == "arn:aws:states:::lambda:invoke", state.name
        payload = self._value(state.definition["Arguments"]["Payload"], states)
        retried: Counter[int] = Counter()
        while True:
            try:
                states["result"] = {"Payload": self.invoke(state, payload)}
                return state.definition
            except FunctionFailed as failed:
                found = _first_of(state.definition.get("Retry", []), failed.error)
                if found is not None:
                    number, retrier = found
                    if retried[number] < retrier["MaxAttempts"]:
                        seconds = retrier["IntervalSeconds"] * retrier["BackoffRate"] ** retried[number]
                        retried[number] += 1
                        self.wait(seconds)
                        continue
                states["errorOutput"] = {"Error": failed.error, "Cause": failed.cause}
                _, catcher = _first_of(state.definition["Catch"], failed.error) or (0, None)
                if catcher is None:
                    raise
                return catcher

    def _value(self, template: Any, states: Mapping[str, Any]) -> Any:
        """A field with its expressions evaluated."""
        if isinstance(template, dict):
            return {key: self._value(each, states) for key, each in template.items()}
        if isinstance(template, list):
            return [self._value(each, states) for each in template]
        if isinstance(template, str) and (match := _EXPRESSION.match(template.strip())):
            expression = Jsonata(match[1].strip())
            frame = expression.create_frame()
            bound = {**self._variables, "states": states}
            assert (asked := set(_VARIABLE.findall(match[1]))) <= bound.keys(), f"unbound: {asked - bound.keys()}"
            for name, value in bound.items():
                frame.bind(name, value)
            return json.loads(json.dumps(expression.evaluate(None, frame)))
        assert template is not None, "the CDK drops a null that is no expression"
        return template


def _first_of(rules: list[dict[str, Any]], error: str) -> tuple[int, dict[str, Any]] | None:
    """The first retrier or catcher that names an error."""
    return next(
        ((number, rule) for number, rule in enumerate(rules) if {error, "States.ALL"} & set(rule["ErrorEquals"])), None
    )
