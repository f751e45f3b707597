"""Every state machine, read as a graph: it is whole, it has the form of all, and it asks for what is there alone."""

import re
from typing import Any

import pytest
from jsonata.jexception import JException
from statelint.config import Config
from statelint.linter import Linter
from statelint.problem import ProblemType

from infra.scenario import CHILDREN, STATE_MACHINES, child_names, definition, scenario_names
from lambdas.domain.objectives import PLANS
from lambdas.domain.scenarios import SCENARIOS
from tests.infra.asl import Machine, expressions, known_functions
from tests.infra.machines import every_machine, every_scenario, machine_of, states_of

FIELDS = {
    "Arguments": {"context", "input"},
    "Output": {"context", "input", "result"},
    "Assign": {"context", "input", "result"},
    "Choices": {"context", "input"},
    "Catch": {"context", "input", "errorOutput"},
    "Error": {"context", "input"},
    "Cause": {"context", "input"},
}
"""The fields of `$states`, by where they may be used (Step Functions guide, "Reserved variable")."""
_CONDITION = re.compile(r"Choices\[\d+\]\.Condition is (true|false) but should be a String$")
_LIMIT = re.compile(r'\.TimeoutSeconds is "\{% .* %\}" but should be an Integer$')


def test_every_scenario_has_a_machine_and_every_machine_a_scenario() -> None:
    files = {path.name for path in STATE_MACHINES.iterdir()} - {CHILDREN.name}
    assert files == {f"{scenario}.asl.yaml" for scenario in SCENARIOS}
    assert set(scenario_names()) == set(SCENARIOS)


# --- it is a state machine --------------------------------------------------------------------------------


def _problems(asl: dict[str, Any]) -> list[str]:
    # FLOAT: it wants 2.0 where 2 stands, and to JSON these are one number.
    found = Linter.validate(asl, Config({ProblemType.FLOAT}, evaluate_jsonata=True))
    # It evaluates a condition and then misses the text; a condition may be a boolean (ASL specification, "Choice").
    # And a time limit may be an expression (ASL specification, "Task State").
    return [problem for problem in found if not _CONDITION.search(problem) and not _LIMIT.search(problem)]


@every_machine
def test_statelint_finds_nothing(scenario: str) -> None:
    assert _problems(definition(scenario)) == []


def test_statelint_finds_what_is_wrong() -> None:
    broken = definition("vault_backup")
    states: dict[str, Any] = broken["States"]  # type: ignore[assignment]  # the CDK's types say object
    states["CheckVault"]["Next"] = "Nowhere"
    states["Duplicate"]["Output"] = "{% $merge([ %}"
    states["WrapKeys"]["Parameters"] = {}
    assert len(_problems(broken)) >= 3


@every_machine
def test_every_name_that_a_state_goes_to_exists(scenario: str) -> None:
    for machine in machine_of(scenario).all():
        assert machine.start in machine.states
        for state in machine.states.values():
            targets = [*state.next(), *(catch["Next"] for catch in state.catches())]
            assert set(targets) <= set(machine.states), state.name
            assert targets or state.ends or state.type == "Fail", f"{state.name} goes nowhere"


@every_machine
def test_every_state_can_be_reached(scenario: str) -> None:
    for machine in machine_of(scenario).all():
        assert machine.reachable() == set(machine.states)


@every_machine
def test_every_path_has_an_end(scenario: str) -> None:
    for machine in machine_of(scenario).all():
        for name in machine.states:
            reached = [machine.states[each] for each in machine.reachable(name, caught=False)]
            assert any(state.ends or state.type == "Fail" for state in reached), f"{name} never ends"


# --- what it asks for is there ----------------------------------------------------------------------------


@every_machine
def test_every_expression_is_jsonata(scenario: str) -> None:
    count = 0
    for state in states_of(scenario):
        for expression in expressions(state):
            try:
                expression.references()
            except JException as error:
                pytest.fail(f"{expression}: {error}")
            count += 1
    assert count > 0


@every_machine
def test_every_variable_has_been_assigned_on_every_path_that_leads_to_its_use(scenario: str) -> None:
    for machine in machine_of(scenario).all():
        assigned = machine.variables()
        for state in machine.states.values():
            for expression in expressions(state):
                missing = expression.variables - assigned[state.name] - {"states"}
                assert not missing, f"{expression} needs {sorted(missing)}, which not every path to it has assigned"


@every_machine
def test_every_expression_asks_of_states_only_what_is_there_at_its_place(scenario: str) -> None:
    for state in states_of(scenario):
        for expression in expressions(state):
            place = re.split(r"[.\[]", expression.place)[0]
            for variable, fields in expression.references():
                if variable == "states":
                    assert fields, f"{expression} takes all of $states"
                    assert fields[0] in FIELDS.get(place, {"context", "input"}), str(expression)
                    if fields[0] == "result":
                        assert state.type in ("Task", "Parallel", "Map"), str(expression)


@every_machine
def test_every_assigned_variable_is_used(scenario: str) -> None:
    """An unused one is a leftover, or a name with a typing error."""
    states = states_of(scenario)
    used = {name for state in states for expression in expressions(state) for name in expression.variables}
    assigned = {name for state in states for name in state.definition.get("Assign", {})}
    assert assigned - used == set()


@every_machine
def test_no_variable_hides_a_function_of_jsonata(scenario: str) -> None:
    """Where it was not assigned, the function would stand in its place, and nobody would notice."""
    for state in states_of(scenario):
        for holder in (state.definition, *state.definition.get("Choices", []), *state.catches()):
            assert not set(holder.get("Assign", {})) & known_functions(), state.name


def test_the_dataflow_check_sees_a_variable_that_only_one_way_assigns() -> None:
    machine = Machine.read(
        {
            "StartAt": "Choose",
            "States": {
                "Choose": {
                    "Type": "Choice",
                    "Choices": [{"Condition": "{% true %}", "Next": "Set", "Assign": {"both": 1}}],
                    "Assign": {"both": 2},
                    "Default": "Use",
                },
                "Set": {"Type": "Pass", "Assign": {"once": 1}, "Next": "Use"},
                "Use": {"Type": "Pass", "Output": "{% $map([1], function($v) { $v + $once + $both }) %}", "End": True},
            },
        }
    )
    (expression,) = expressions(machine.states["Use"])
    assert expression.variables == {"once", "both"}
    assert machine.variables()["Use"] == {"both"}


# --- it has the form that all of them have ----------------------------------------------------------------


@every_scenario
def test_it_begins_with_begin_operation_and_ends_well_in_complete_operation_alone(scenario: str) -> None:
    machine = machine_of(scenario)
    assert machine.start == "BeginOperation"
    ends = {state.name for state in machine.states.values() if state.ends}
    assert "CompleteOperation" in ends
    assert ends <= {"CompleteOperation", "Duplicate"}
    assert machine.reachable("CompleteOperation", caught=False) == {"CompleteOperation"}


@every_scenario
def test_only_a_second_execution_of_one_schedule_ends_without_doing_its_work(scenario: str) -> None:
    machine = machine_of(scenario)
    before = [state for state in machine.states.values() if "Duplicate" in state.next()]
    for state in before:
        assert state.type == "Choice"
        assert [choice["Condition"] for choice in state.definition["Choices"]] == ["{% $duplicate_of != null %}"]
        assert state.definition["Default"] != "Duplicate"


@every_scenario
def test_it_names_its_own_scenario_when_it_begins_and_when_it_fails(scenario: str) -> None:
    states = machine_of(scenario).states
    for name in ("BeginOperation", "FailOperation"):
        assert states[name].definition["Arguments"]["Payload"]["scenario"] == scenario


@every_machine
def test_every_state_with_a_deed_says_what_it_does(scenario: str) -> None:
    for state in states_of(scenario):
        if state.type in ("Task", "Choice", "Parallel", "Map", "Wait"):
            assert str(state.definition["Comment"]).endswith("."), state.name


@every_scenario
def test_every_step_that_the_plan_times_is_a_state(scenario: str) -> None:
    assert set(PLANS[scenario].steps) <= {state.name for state in states_of(scenario)}


def test_every_machine_tries_again_in_the_same_way() -> None:
    """The lists are written once a file; they must not drift apart from file to file."""
    machines = [*scenario_names(), *child_names()]
    tasks = [task for machine in machines for task in machine_of(machine).tasks()]
    retries = [task.definition["Retry"] for task in tasks if "Retry" in task.definition]
    assert all(retry[-2:] == retries[0][-2:] for retry in retries)


@every_scenario
def test_what_a_choice_of_a_backup_has_passed_over_is_in_the_record(scenario: str) -> None:
    states = machine_of(scenario).states
    if "ChooseBackup" in states:
        details = states["CompleteOperation"].definition["Arguments"]["Payload"]["details"]
        assert details["passed_over"] == "{% $chosen.passed_over %}"
