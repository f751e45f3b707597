"""Every state machine, read as a graph: it is whole, it fails red, and it asks for nothing that is not there."""

import re
from typing import Any

import pytest
from jsonata.jexception import JException
from statelint.config import Config
from statelint.linter import Linter
from statelint.problem import ProblemType

from infra.scenario import CHILDREN, STATE_MACHINES, child_names, definition, scenario_names
from lambdas.domain.errors import all_errors
from lambdas.domain.objectives import PLANS
from lambdas.domain.scenarios import SCENARIOS
from tests.infra.asl import Machine, State, expressions, known_functions

TRANSIENT_OF_AWS = {
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.TooManyRequestsException",
}
"""AWS could not start the function, throttled it, or lost its answer (Step Functions guide, "Handle transient Lambda
service exceptions")."""
TRANSIENT_OF_OURS = {error.__name__ for error in all_errors() if error.transient}
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

WAITED_FOR = {
    "BeginOperation": {"TargetSettling"},
    "RestoreVaultSnapshot": {"TargetSettling"},
    "RestoreVaultSnapshotSaved": {"TargetSettling"},
    "RestoreVaultSnapshotAfterFailure": {"TargetSettling"},
    "PlantCanary": {"TargetBusy", "TargetSettling"},
    **{name: {"TargetSettling"} for name in ("RestoreDatabase", "DropDatabase", "DropDatabaseAfterFailure")},
    **{name: {"TargetSettling"} for name in ("SwapDatabases", "UndoDatabaseSwap", "StopServices")},
    **{name: {"TargetSettling"} for name in ("StartServices", "StartServicesAfterFailure", "ImportRows")},
    **{f"ApplyRetention{which}": {"TargetSettling"} for which in ("", "Copies", "AfterFailure", "CopiesAfterFailure")},
}
"""What works under a lease waits for a function that may still be at work, and a canary for a recovery to end."""

KNOWN_FIRST = {f"ApplyRetention{copies}AfterFailure": ["BackupsVanished"] for copies in ("", "Copies")}
"""What is told before the failure that came first: that somebody deletes backups."""

_SAVING = ("DumpDatabase", "WriteDatabaseManifest", "LockBackup", "VerifyBackupSaved")
LEGS = {
    ("vault_backup", "SendHeartbeat"): {"heartbeat"},
    ("database_backup", "SendHeartbeat"): {"heartbeat"},
    # The damaged database itself stays beside the restored one; a dump of it is worth trying, and may well fail.
    **{("database_corruption", name): {"saved"} for name in _SAVING},
}
"""What may fail without failing the operation, and the variables by which the record says that it did."""

ALSO_TOLD = {
    "vault_backup": {"details"},
    "database_backup": {"details", "second"},
    **{name: {"second"} for name in ("database_corruption", "database_swap_undo")},
    **{name: {"second"} for name in ("database_restore_test", "data_deletion")},
}
"""What a failure says beside itself: what was done all the same, and what failed after it."""

SECOND_FAILURE = {"CopyToSecondStoreAfterFailure": {"second_failure"}}
"""What is remembered beside the first failure, and told with it."""

WAITS_FOR_A_PERSON = {"RequestApproval"}
"""What waits as long as it is told to."""

every_machine = pytest.mark.parametrize("scenario", [*scenario_names(), *child_names()])
every_scenario = pytest.mark.parametrize("scenario", scenario_names())
"""What starts by itself or by a person, and has an operation of its own; `test_children.py` holds the others."""


def _machine(scenario: str) -> Machine:
    return Machine.read(definition(scenario))


def _states(scenario: str) -> list[State]:
    return [state for machine in _machine(scenario).all() for state in machine.states.values()]


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
    for machine in _machine(scenario).all():
        assert machine.start in machine.states
        for state in machine.states.values():
            targets = [*state.next(), *(catch["Next"] for catch in state.catches())]
            assert set(targets) <= set(machine.states), state.name
            assert targets or state.ends or state.type == "Fail", f"{state.name} goes nowhere"


@every_machine
def test_every_state_can_be_reached(scenario: str) -> None:
    for machine in _machine(scenario).all():
        assert machine.reachable() == set(machine.states)


@every_machine
def test_every_path_has_an_end(scenario: str) -> None:
    for machine in _machine(scenario).all():
        for name in machine.states:
            reached = [machine.states[each] for each in machine.reachable(name, caught=False)]
            assert any(state.ends or state.type == "Fail" for state in reached), f"{name} never ends"


# --- what it asks for is there ----------------------------------------------------------------------------


@every_machine
def test_every_expression_is_jsonata(scenario: str) -> None:
    count = 0
    for state in _states(scenario):
        for expression in expressions(state):
            try:
                expression.references()
            except JException as error:
                pytest.fail(f"{expression}: {error}")
            count += 1
    assert count > 0


@every_machine
def test_every_variable_has_been_assigned_on_every_path_that_leads_to_its_use(scenario: str) -> None:
    for machine in _machine(scenario).all():
        assigned = machine.variables()
        for state in machine.states.values():
            for expression in expressions(state):
                missing = expression.variables - assigned[state.name] - {"states"}
                assert not missing, f"{expression} needs {sorted(missing)}, which not every path to it has assigned"


@every_machine
def test_every_expression_asks_of_states_only_what_is_there_at_its_place(scenario: str) -> None:
    for state in _states(scenario):
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
    states = _states(scenario)
    used = {name for state in states for expression in expressions(state) for name in expression.variables}
    assigned = {name for state in states for name in state.definition.get("Assign", {})}
    assert assigned - used == set()


@every_machine
def test_no_variable_hides_a_function_of_jsonata(scenario: str) -> None:
    """Where it was not assigned, the function would stand in its place, and nobody would notice."""
    for state in _states(scenario):
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


# --- it gives up in time, and tries again only what can pass ----------------------------------------------


@every_machine
def test_every_task_has_a_time_limit_a_retry_and_a_catch(scenario: str) -> None:
    tasks = _machine(scenario).tasks()
    assert tasks
    for task in tasks:
        limit = task.definition["TimeoutSeconds"]
        assert limit > 0 if isinstance(limit, int) else task.name in WAITS_FOR_A_PERSON, task.name
        assert task.definition["Retry"], task.name
        if task.machine.owner is None:
            assert task.catches(), task.name


@every_scenario
def test_a_machine_ends_itself_after_twice_the_time_that_its_plan_promises(scenario: str) -> None:
    assert definition(scenario)["TimeoutSeconds"] == 2 * PLANS[scenario].objective.rto


@every_machine
def test_a_task_is_tried_again_after_transient_errors_and_no_others(scenario: str) -> None:
    """Not after a time-out: the function may still be changing the world. Not after States.ALL, which holds those."""
    assert len(TRANSIENT_OF_OURS) > 0
    for task in _machine(scenario).tasks():
        retried = [error for retry in task.definition["Retry"] for error in retry["ErrorEquals"]]
        allowed = TRANSIENT_OF_AWS | TRANSIENT_OF_OURS | WAITED_FOR.get(task.name, set())
        assert set(retried) == allowed, task.name
        assert len(set(retried)) == len(retried), f"{task.name} names an error twice"


@every_machine
def test_waiting_for_a_settling_target_outlasts_the_longest_function(scenario: str) -> None:
    for name in WAITED_FOR.keys() & _machine(scenario).states.keys():
        retry = _machine(scenario).states[name].definition["Retry"][0]
        assert set(retry["ErrorEquals"]) == WAITED_FOR[name]
        assert retry["BackoffRate"] == 1
        assert retry["IntervalSeconds"] * retry["MaxAttempts"] > 900  # AWS Lambda quotas: a function runs for 900 s


@every_machine
def test_a_retry_ends_and_spreads_its_attempts(scenario: str) -> None:
    for task in _machine(scenario).tasks():
        for retry in task.definition["Retry"]:
            assert retry["MaxAttempts"] >= 1, task.name
            if "TargetSettling" not in retry["ErrorEquals"]:
                assert retry["JitterStrategy"] == "FULL", task.name
                assert retry["BackoffRate"] >= 2, task.name
                assert retry["MaxAttempts"] <= 5, task.name


# --- it fails red -----------------------------------------------------------------------------------------


@every_scenario
def test_every_failure_of_a_task_leads_to_fail_operation(scenario: str) -> None:
    machine = _machine(scenario)
    for state in machine.states.values():
        if state.name == "FailOperation" or (scenario, state.name) in LEGS:
            continue
        for catch in state.catches():
            told_first = state.name in KNOWN_FIRST and catch["ErrorEquals"] == KNOWN_FIRST[state.name]
            assert told_first or catch["ErrorEquals"] == ["States.ALL"], state.name
            if catch["Next"] == "FailOperation":
                also = ALSO_TOLD.get(scenario, set())
                assert set(catch["Output"]) == {"failed_state", "error", "cause"} | also, state.name
            else:  # something is put right first; then it fails with what it remembers
                clearing = state.name.endswith("AfterFailure") and not told_first
                remembered = set() if clearing else {"first_state", "first_error", "first_cause"}
                done = {"retention"} if state.name.startswith("ApplyRetention") else set()
                done |= SECOND_FAILURE.get(state.name, set())
                assert set(catch.get("Assign", {})) == remembered | done, state.name
                assert "FailOperation" in machine.reachable(catch["Next"], caught=False), state.name
        if state.inner() or state.type == "Task":
            assert state.catches(), state.name


@pytest.mark.parametrize(
    ("scenario", "state"),
    [
        ("database_corruption", "StartServicesAfterFailure"),
        ("database_swap_undo", "StartServicesAfterFailure"),
        ("database_restore_test", "DropDatabaseAfterFailure"),
        ("data_deletion", "DropDatabaseAfterFailure"),
    ],
)
def test_what_could_not_be_cleared_up_after_a_failure_is_told_with_it(scenario: str, state: str) -> None:
    states = _machine(scenario).states
    clearing = states[state]
    (catch,) = clearing.catches()
    told = catch["Output"]
    assert {name: told[name] for name in ("failed_state", "error", "cause")} == {
        "failed_state": "{% $first_state %}",
        "error": "{% $first_error %}",
        "cause": "{% $first_cause %}",
    }
    assert told["second"] == {
        "failed_state": "{% $states.context.State.Name %}",
        "error": "{% $states.errorOutput.Error %}",
        "cause": "{% $states.errorOutput.Cause %}",
    }
    assert clearing.definition["Output"] == told | {"second": "{% null %}"}
    assert states["FailOperation"].definition["Arguments"]["Payload"]["second"] == "{% $states.input.second %}"


def test_the_second_store_is_tried_whatever_became_of_the_other_copy_and_both_failures_are_told() -> None:
    states = _machine("database_backup").states
    (copying,) = states["CopyBackup"].catches()
    assert (copying["ErrorEquals"], copying["Next"]) == (["States.ALL"], "CopyToSecondStoreAfterFailure")
    second = states[copying["Next"]]
    (catch,) = second.catches()
    assert second.next() == [catch["Next"]] == ["ApplyRetentionAfterFailure"]
    assert second.definition["Arguments"] == states["CopyToSecondStore"].definition["Arguments"]
    assert catch["Assign"]["second_failure"]["failed_state"] == "{% $states.context.State.Name %}"
    told = states["FailOperation"].definition["Arguments"]["Payload"]["second"]
    assert told == "{% $states.input.second %}"
    last = states["ApplyRetentionCopiesAfterFailure"]
    for output in (last.definition["Output"], *(each["Output"] for each in last.catches())):
        assert output["second"] == "{% $second_failure %}"


@every_scenario
def test_no_path_ends_green_after_a_failure(scenario: str) -> None:
    machine = _machine(scenario)
    for state in (each for each in machine.states.values() if (scenario, each.name) not in LEGS):
        for catch in state.catches():
            for name in machine.reachable(catch["Next"]):
                assert not machine.states[name].ends, f"{state.name} fails, and {name} ends the execution well"


@pytest.mark.parametrize("scenario", ["vault_backup", "database_backup"])
def test_a_heartbeat_that_fails_comes_after_all_that_may_not_and_the_record_says_so(scenario: str) -> None:
    """The backup is proved and copied by then; a heartbeat that fails must not make it red."""
    machine = _machine(scenario)
    assert {"VerifyBackup", "CopyBackup"} <= set(machine.states) - machine.reachable("SendHeartbeat")
    leg = machine.states["SendHeartbeat"]
    (catch,) = leg.catches()
    assert (catch["ErrorEquals"], catch["Next"]) == (["States.ALL"], "CompleteOperation")
    assert set(catch["Assign"]) == set(leg.definition["Assign"]) == LEGS[scenario, "SendHeartbeat"]
    assert machine.states["CompleteOperation"].definition["Arguments"]["Payload"]["details"]["heartbeat"]


def test_all_that_can_stop_a_restore_is_asked_before_the_services_are_stopped_and_starts_none() -> None:
    machine = _machine("database_corruption")
    before = {name for name in machine.states if "StopServices" in machine.reachable(name, caught=False)}
    before -= {"StopServices"}
    assert before == {"BeginOperation", "AssessDatabase", "ChooseBackup", "VerifyBackup", "CheckRestore"}
    assert machine.states["CheckRestore"].next() == ["StopServices"]
    for name in before:
        assert [catch["Next"] for catch in machine.states[name].catches()] == ["FailOperation"], name


def test_what_cannot_be_saved_of_a_damaged_database_is_recorded_and_holds_up_no_recovery() -> None:
    machine = _machine("database_corruption")
    for name in _SAVING:
        (catch,) = machine.states[name].catches()
        assert (catch["Next"], set(catch["Assign"])) == ("SwapDatabases", {"saved"})
    details = machine.states["CompleteOperation"].definition["Arguments"]["Payload"]["details"]
    assert details["saved_as"] == "{% $saved %}"


@every_scenario
def test_every_path_from_fail_operation_ends_in_the_state_that_fails(scenario: str) -> None:
    machine = _machine(scenario)
    reached = machine.reachable("FailOperation")
    assert reached == {"FailOperation", "Failed"}
    failed = machine.states["Failed"]
    assert failed.type == "Fail"
    # The error and the cause that people see are those of the step, whether the failure could be recorded or not.
    assert failed.definition["Error"] == "{% $states.input.error %}"
    assert failed.definition["Cause"] == "{% $states.input.cause %}"
    (catch,) = machine.states["FailOperation"].catches()
    assert set(catch["Output"]) == {"error", "cause"}


# --- it has the form that all of them have ----------------------------------------------------------------


@every_scenario
def test_it_begins_with_begin_operation_and_ends_well_in_complete_operation_alone(scenario: str) -> None:
    machine = _machine(scenario)
    assert machine.start == "BeginOperation"
    ends = {state.name for state in machine.states.values() if state.ends}
    assert "CompleteOperation" in ends
    assert ends <= {"CompleteOperation", "Duplicate"}
    assert machine.reachable("CompleteOperation", caught=False) == {"CompleteOperation"}


@every_scenario
def test_only_a_second_execution_of_one_schedule_ends_without_doing_its_work(scenario: str) -> None:
    machine = _machine(scenario)
    before = [state for state in machine.states.values() if "Duplicate" in state.next()]
    for state in before:
        assert state.type == "Choice"
        assert [choice["Condition"] for choice in state.definition["Choices"]] == ["{% $duplicate_of != null %}"]
        assert state.definition["Default"] != "Duplicate"


@every_scenario
def test_it_names_its_own_scenario_when_it_begins_and_when_it_fails(scenario: str) -> None:
    states = _machine(scenario).states
    for name in ("BeginOperation", "FailOperation"):
        assert states[name].definition["Arguments"]["Payload"]["scenario"] == scenario


@every_machine
def test_every_state_with_a_deed_says_what_it_does(scenario: str) -> None:
    for state in _states(scenario):
        if state.type in ("Task", "Choice", "Parallel", "Map", "Wait"):
            assert str(state.definition["Comment"]).endswith("."), state.name


@every_scenario
def test_every_step_that_the_plan_times_is_a_state(scenario: str) -> None:
    assert set(PLANS[scenario].steps) <= {state.name for state in _states(scenario)}


def test_every_machine_tries_again_in_the_same_way() -> None:
    """The lists are written once a file; they must not drift apart from file to file."""
    machines = [*scenario_names(), *child_names()]
    retries = [task.definition["Retry"] for machine in machines for task in _machine(machine).tasks()]
    assert all(retry[-2:] == retries[0][-2:] for retry in retries)
