"""What a machine passes to an action is what the action takes, and what it uses of the answer is what it returns.

Each machine is walked along its way of success: every expression is evaluated, with answers made from the types that
the actions declare. A wrong name fails here, and not at two in the morning.
"""

import dataclasses
import importlib
import re
import types
from collections.abc import Iterator
from datetime import date, datetime
from enum import Enum
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec
import pytest
from jsonata import Jsonata

from infra.scenario import definition, scenario_names
from tests.infra.asl import Expression, Machine, State, expressions

_EXPRESSION = re.compile(r"\{%(.*)%\}", re.DOTALL)
_CONTEXT = {
    "Execution": {"Id": "arn:execution", "StartTime": "2026-11-22T02:00:00.123Z", "Input": {"reason": "drill"}},
    "Task": {"Token": "text"},
    "State": {"Name": "SomeState"},
}


def sample(kind: Any) -> Any:
    """A value of a type, with nothing left out that may be there."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return sample(arguments[0])
    if origin is Literal:
        return arguments[0]
    if origin in (Union, types.UnionType):
        return sample(next(each for each in arguments if each is not type(None)))
    if origin in (list, tuple):
        return [sample(arguments[0])]
    if origin is dict:
        return {sample(arguments[0]): sample(arguments[1])}
    if dataclasses.is_dataclass(kind):
        return kind(**{name: sample(each) for name, each in _fields(kind).items()})  # type: ignore[operator]  # a class, by the check above
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return kind(**{name: sample(each) for name, each in _fields(kind).items()})
    if isinstance(kind, type) and issubclass(kind, Enum):
        return next(iter(kind))
    simple = {str: "text", int: 1, float: 1.5, bool: True, Any: "anything", bytes: b"bytes", date: date(2026, 11, 22)}
    simple[datetime] = datetime.fromisoformat("2026-11-22T02:00:00Z")
    return simple[kind]


def _fields(kind: Any) -> dict[str, Any]:
    hints = get_type_hints(kind, include_extras=True)
    names = kind.__struct_fields__ if issubclass(kind, msgspec.Struct) else [f.name for f in dataclasses.fields(kind)]
    return {name: hints[name] for name in names}


def _types(action: str) -> tuple[Any, Any]:
    """What an action takes, and what it returns."""
    handler = importlib.import_module(f"lambdas.actions.{action}").handler
    hints = get_type_hints(handler.__wrapped__)
    return hints["request"], hints["return"]


def _evaluated(value: Any, bindings: dict[str, Any]) -> Any:
    if isinstance(value, dict):
        return {key: _evaluated(each, bindings) for key, each in value.items()}
    if isinstance(value, list):
        return [_evaluated(each, bindings) for each in value]
    if isinstance(value, str) and (match := _EXPRESSION.fullmatch(value.strip())):
        parsed = Jsonata(match[1])
        frame = parsed.create_frame()
        for name, bound in bindings.items():
            frame.bind(name, bound)
        return parsed.evaluate({}, frame)
    return value


def _missing(expression: Expression, bindings: dict[str, Any]) -> list[str]:
    """The fields that an expression asks for and that are not there: Step Functions fails the state on these."""
    missing = []
    for variable, fields in expression.references():
        value = bindings[variable]
        for depth, field in enumerate(fields):
            if not isinstance(value, dict):
                break
            if field not in value:
                missing.append(f"${variable}.{'.'.join(fields[: depth + 1])}")
                break
            value = value[field]
    return missing


def _run(task: State, given: Any, variables: dict[str, Any]) -> Any:
    """Pass a task its payload and let it answer; gives its output."""
    if task.child:
        return _run_child(task, given, variables)
    takes, returns = _types(task.action)
    answer = {"Payload": msgspec.to_builtins(sample(returns))}
    bindings = variables | {"states": {"context": _CONTEXT, "input": given, "result": answer}}
    for expression in expressions(task):
        if not expression.place.startswith("Catch"):
            assert _missing(expression, bindings) == [], str(expression)
    payload = _evaluated(task.definition["Arguments"], bindings)["Payload"]
    assert set(payload) <= set(_fields(takes)), f"{task.name} passes what {task.action} does not take"
    try:
        msgspec.convert(payload, takes)
    except msgspec.ValidationError as error:
        pytest.fail(f"{task.name} passes {task.action} something else than it takes: {error}")
    variables |= _evaluated(task.definition.get("Assign", {}), bindings)
    return _evaluated(task.definition.get("Output", "{% $states.result %}"), bindings)


def _run_child(task: State, given: Any, variables: dict[str, Any]) -> Any:
    """Pass a machine that is started what it takes, and let its last action answer."""
    bindings = variables | {"states": {"context": _CONTEXT, "input": given}}
    payload = _evaluated(task.definition["Arguments"], bindings)["Input"]
    child = Machine.read(definition(str(task.child)))
    _, output = _pass_through(child, child.start, payload, {})
    bindings["states"]["result"] = {"Output": output, "Status": "SUCCEEDED"}
    for expression in expressions(task):
        if not expression.place.startswith("Catch"):
            assert _missing(expression, bindings) == [], str(expression)
    variables |= _evaluated(task.definition.get("Assign", {}), bindings)
    return _evaluated(task.definition.get("Output", "{% $states.result %}"), bindings)


def _pass_through(machine: Machine, name: str, output: Any, variables: dict[str, Any]) -> tuple[list[str], Any]:
    """Go the way from a state to an end, or to `FailOperation`: the tasks on it, and the last output."""
    passed: list[str] = []
    while name != "FailOperation":
        state = machine.states[name]
        if state.type == "Task":
            output = _run(state, output, variables)
            passed.append(name)
        else:
            assert state.type in ("Choice", "Pass"), f"teach this test to pass through a {state.type}"
        if state.ends:
            break
        name = state.definition.get("Default") or state.definition["Next"]
    return passed, output


def _ways(machine: Machine, name: str, output: Any, variables: dict[str, Any]) -> Iterator[list[str]]:
    """Every way of success from a state to an end: the states on it."""
    state, known = machine.states[name], dict(variables)
    if state.type == "Task":
        output = _run(state, output, known)
    if state.ends:
        yield [name]
        return
    for choice in [*state.definition.get("Choices", []), state.definition]:
        following = choice.get("Default") or choice["Next"]
        also = _evaluated(choice.get("Assign", {}), known) if state.type == "Choice" else {}
        for way in _ways(machine, following, output, known | also):
            yield [name, *way]


@pytest.mark.parametrize("scenario", scenario_names())
def test_what_is_passed_on_from_state_to_state_fits_what_each_action_takes_and_returns(scenario: str) -> None:
    machine = Machine.read(definition(scenario))
    ways = list(_ways(machine, machine.start, _CONTEXT["Execution"], {}))
    assert {way[-1] for way in ways} <= {"CompleteOperation", "Duplicate"}
    everything = machine.reachable(caught=False) & {task.name for task in machine.tasks()}
    assert {name for way in ways for name in way if machine.states[name].type == "Task"} == everything


@pytest.mark.parametrize("scenario", scenario_names())
def test_fail_operation_takes_what_every_catch_gives_and_the_end_takes_what_it_returns(scenario: str) -> None:
    machine = Machine.read(definition(scenario))
    failing, failed = machine.states["FailOperation"], machine.states["Failed"]
    raised = {"context": _CONTEXT, "errorOutput": {"Error": "VaultSealed", "Cause": "text"}, "input": {}}
    variables: dict[str, Any] = {}
    _pass_through(machine, machine.start, _CONTEXT["Execution"], variables)
    for state in machine.states.values():
        for catch in state.catches():
            if catch["Next"] == "Failed":
                continue
            known = variables | _evaluated(catch.get("Assign", {}), {"states": raised})
            caught = _evaluated(catch.get("Output", {}), known | {"states": raised})
            if catch["Next"] != "FailOperation":  # something is put right first
                passed, caught = _pass_through(machine, catch["Next"], caught, known)
                if passed[-1] == "CompleteOperation":  # a leg of its own, whose failure is recorded
                    continue
            variables |= {name: known[name] for name in known if name.startswith("first_")}
            output = _run(failing, caught, {})
            for expression in expressions(failed):
                assert _missing(expression, {"states": {"context": _CONTEXT, "input": output}}) == []


def test_a_field_that_no_action_returns_is_found() -> None:
    bindings = {"snapshot": {"stored": {"key": "k"}}}
    assert _missing(Expression("S", "Arguments", "$snapshot.stored.key"), bindings) == []
    assert _missing(Expression("S", "Arguments", "$snapshot.stored.size"), bindings) == ["$snapshot.stored.size"]


def test_what_an_approval_passes_on_fits_what_each_of_its_actions_takes_and_returns() -> None:
    asked = msgspec.to_builtins(sample(_types("open_approval")[0]))
    given = {name: value for name, value in asked.items() if name not in ("waits", "opened_at")}
    machine = Machine.read(definition("approval"))
    passed, output = _pass_through(machine, machine.start, given, {})
    assert passed == ["OpenApproval", "RequestApproval", "CloseApproval"]
    assert set(output) == {"approval_id", "outcome", "decided_by", "decided_at", "reason"}


def _asking(**given: str) -> State:
    """A state that asks for an approval, in some scenario."""
    asked = {"operation": "{% $operation %}", "asks": "overwrite it", "on": "the Vault", "topic": "security"}
    ask = {
        "Type": "Task",
        "Resource": "arn:aws:states:::states:startExecution.sync:2",
        "Arguments": {"StateMachineArn": "${approval}", "Input": asked | given},
        "Assign": {"approval": "{% $states.result.Output %}"},
        "Output": "{% $states.result.Output.outcome %}",
        "End": True,
    }
    return Machine.read({"StartAt": "Ask", "States": {"Ask": ask}}).states["Ask"]


def test_what_a_scenario_passes_to_an_approval_is_held_against_what_that_takes() -> None:
    variables = {"operation": msgspec.to_builtins(sample(_types("open_approval")[0]))["operation"]}
    assert _run(_asking(), {}, variables) in ("pending", "approved", "refused", "expired")
    assert set(variables["approval"]) == {"approval_id", "outcome", "decided_by", "decided_at", "reason"}
    with pytest.raises(AssertionError, match="passes what open_approval does not take"):
        _run(_asking(reason="none is asked for"), {}, variables)
    with pytest.raises(pytest.fail.Exception, match="something else than it takes"):
        _run(_asking(topic="nobody"), {}, variables)
