"""Every state machine when something fails: it gives up in time, tries again only what can pass, and ends red."""

import pytest

from infra.scenario import definition
from lambdas.domain.errors import all_errors
from lambdas.domain.objectives import PLANS
from tests.infra.machines import every_machine, every_scenario, machine_of

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
WAITED_FOR = {
    "BeginOperation": {"TargetSettling"},
    "RestoreVaultSnapshot": {"TargetSettling"},
    "RestoreVaultSnapshotSaved": {"TargetSettling"},
    "RestoreVaultSnapshotAfterFailure": {"TargetSettling"},
    "PlantCanary": {"TargetBusy", "TargetSettling"},
    **{name: {"TargetSettling"} for name in ("RestoreDatabase", "DropDatabase", "DropDatabaseAfterFailure")},
    **{name: {"TargetSettling"} for name in ("SwapDatabases", "UndoDatabaseSwap", "StopServices")},
    **{name: {"TargetSettling"} for name in ("StartServices", "StartServicesAfterFailure", "ImportRows")},
    **{name: {"TargetSettling"} for name in ("SetCredential", "RevokeAppTokens", "FinishRotation")},
    **{f"ApplyRetention{which}": {"TargetSettling"} for which in ("", "Copies", "AfterFailure", "CopiesAfterFailure")},
}
"""What works under a lease waits for a function that may still be at work, and a canary for a recovery to end."""
JOINED = {("credential_compromise", "BeginOperation"): {"TargetBusy", "TargetSettling"}}
"""A leak waits for a planned rotation of the same tenant, and for nothing else: the second of two responses joins."""

KNOWN_FIRST = {f"ApplyRetention{copies}AfterFailure": ["BackupsVanished"] for copies in ("", "Copies")}
"""What is told before the failure that came first: that somebody deletes backups."""

_SAVING = ("DumpDatabase", "WriteDatabaseManifest", "LockBackup", "VerifyBackupSaved")
LEGS = {
    ("vault_backup", "SendHeartbeat"): {"heartbeat"},
    ("database_backup", "SendHeartbeat"): {"heartbeat"},
    # The damaged database itself stays beside the restored one; a dump of it is worth trying, and may well fail.
    **{("database_corruption", name): {"saved"} for name in _SAVING},
    # The rotation stands whoever could not be told; the security team reads that.
    **{("credential_compromise", name): {"told"} for name in ("TellTenant", "TellTenantAgain")},
}
"""What may fail without failing the operation, and the variables by which the record says that it did."""

ALSO_TOLD = {
    "vault_backup": {"details"},
    "database_backup": {"details", "second"},
    **{name: {"second"} for name in ("database_corruption", "database_swap_undo")},
    **{name: {"second"} for name in ("database_restore_test", "data_deletion")},
}
"""What a failure says beside itself: what was done all the same, and what failed after it."""

SECOND_FAILURE = {name: {"second_failure"} for name in ("CopyToSecondStoreAfterFailure", "StartServicesAfterFailure")}
"""What is remembered beside the first failure, and told with it."""

TRIED_ONCE = {("database_corruption", name) for name in ("DumpDatabase", "VerifyBackupSaved")}
"""What may fail, and takes long while mail stands still."""

WAITS_FOR_A_PERSON = {"RequestApproval"}
"""What waits as long as it is told to."""


def _waited_for(scenario: str, state: str) -> set[str]:
    return JOINED.get((scenario, state), WAITED_FOR.get(state, set()))


# --- it gives up in time, and tries again only what can pass ----------------------------------------------


@every_machine
def test_every_task_has_a_time_limit_a_retry_and_a_catch(scenario: str) -> None:
    tasks = machine_of(scenario).tasks()
    assert tasks
    for task in tasks:
        limit = task.definition["TimeoutSeconds"]
        assert limit > 0 if isinstance(limit, int) else task.name in WAITS_FOR_A_PERSON, task.name
        assert ("Retry" in task.definition) is ((scenario, task.name) not in TRIED_ONCE), task.name
        if task.machine.owner is None:
            assert task.catches(), task.name


@every_scenario
def test_a_machine_ends_itself_after_twice_the_time_that_its_plan_promises(scenario: str) -> None:
    assert definition(scenario)["TimeoutSeconds"] == 2 * PLANS[scenario].objective.rto


@every_machine
def test_a_task_is_tried_again_after_transient_errors_and_no_others(scenario: str) -> None:
    """Not after a time-out: the function may still be changing the world. Not after States.ALL, which holds those."""
    assert len(TRANSIENT_OF_OURS) > 0
    for task in (each for each in machine_of(scenario).tasks() if (scenario, each.name) not in TRIED_ONCE):
        retried = [error for retry in task.definition["Retry"] for error in retry["ErrorEquals"]]
        allowed = TRANSIENT_OF_AWS | TRANSIENT_OF_OURS | _waited_for(scenario, task.name)
        assert set(retried) == allowed, task.name
        assert len(set(retried)) == len(retried), f"{task.name} names an error twice"


@every_machine
def test_waiting_for_a_settling_target_outlasts_the_longest_function(scenario: str) -> None:
    for name in WAITED_FOR.keys() & machine_of(scenario).states.keys():
        retry = machine_of(scenario).states[name].definition["Retry"][0]
        assert set(retry["ErrorEquals"]) == _waited_for(scenario, name)
        assert retry["BackoffRate"] == 1
        assert retry["IntervalSeconds"] * retry["MaxAttempts"] > 900  # AWS Lambda quotas: a function runs for 900 s


@every_machine
def test_a_retry_ends_and_spreads_its_attempts(scenario: str) -> None:
    for task in machine_of(scenario).tasks():
        for retry in task.definition.get("Retry", []):
            assert retry["MaxAttempts"] >= 1, task.name
            if "TargetSettling" not in retry["ErrorEquals"]:
                assert retry["JitterStrategy"] == "FULL", task.name
                assert retry["BackoffRate"] >= 2, task.name
                assert retry["MaxAttempts"] <= 5, task.name


# --- it fails red -----------------------------------------------------------------------------------------


@every_scenario
def test_every_failure_of_a_task_leads_to_fail_operation(scenario: str) -> None:
    machine = machine_of(scenario)
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
        ("database_swap_undo", "StartServicesAfterFailure"),
        ("database_restore_test", "DropDatabaseAfterFailure"),
        ("data_deletion", "DropDatabaseAfterFailure"),
    ],
)
def test_what_could_not_be_cleared_up_after_a_failure_is_told_with_it(scenario: str, state: str) -> None:
    states = machine_of(scenario).states
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


def test_services_run_again_before_anything_is_cleared_up_after_a_recovery_that_has_failed() -> None:
    """Dropping may take minutes, and wait for others; mail need not."""
    machine = machine_of("database_corruption")
    for name in ("StopServices", "RestoreDatabase", "VerifyDatabase", "SwapDatabases", "StartServices"):
        assert [catch["Next"] for catch in machine.states[name].catches()] == ["StartServicesAfterFailure"], name
    starting, dropping = (machine.states[f"{name}AfterFailure"] for name in ("StartServices", "DropDatabase"))
    (catch,) = starting.catches()
    assert starting.next() == [catch["Next"]] == ["DropDatabaseAfterFailure"]
    assert catch["Assign"]["second_failure"] == {
        "failed_state": "{% $states.context.State.Name %}",
        "error": "{% $states.errorOutput.Error %}",
        "cause": "{% $states.errorOutput.Cause %}",
    }
    (catch,) = dropping.catches()
    assert dropping.next() == [catch["Next"]] == ["FailOperation"]
    for output in (dropping.definition["Output"], catch["Output"]):
        assert output == {
            "failed_state": "{% $first_state %}",
            "error": "{% $first_error %}",
            "cause": "{% $first_cause %}",
            "second": "{% $second_failure %}",
        }
    payload = machine.states["FailOperation"].definition["Arguments"]["Payload"]
    assert payload["second"] == "{% $states.input.second %}"


def test_the_second_store_is_tried_whatever_became_of_the_other_copy_and_both_failures_are_told() -> None:
    states = machine_of("database_backup").states
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
    machine = machine_of(scenario)
    for state in (each for each in machine.states.values() if (scenario, each.name) not in LEGS):
        for catch in state.catches():
            for name in machine.reachable(catch["Next"]):
                assert not machine.states[name].ends, f"{state.name} fails, and {name} ends the execution well"


@pytest.mark.parametrize("scenario", ["vault_backup", "database_backup"])
def test_a_heartbeat_that_fails_comes_after_all_that_may_not_and_the_record_says_so(scenario: str) -> None:
    """The backup is proved and copied by then; a heartbeat that fails must not make it red."""
    machine = machine_of(scenario)
    assert {"VerifyBackup", "CopyBackup"} <= set(machine.states) - machine.reachable("SendHeartbeat")
    leg = machine.states["SendHeartbeat"]
    (catch,) = leg.catches()
    assert (catch["ErrorEquals"], catch["Next"]) == (["States.ALL"], "CompleteOperation")
    assert set(catch["Assign"]) == set(leg.definition["Assign"]) == LEGS[scenario, "SendHeartbeat"]
    assert machine.states["CompleteOperation"].definition["Arguments"]["Payload"]["details"]["heartbeat"]


def test_all_that_can_stop_a_restore_is_asked_before_the_services_are_stopped_and_starts_none() -> None:
    machine = machine_of("database_corruption")
    before = {name for name in machine.states if "StopServices" in machine.reachable(name, caught=False)}
    before -= {"StopServices"}
    assert before == {"BeginOperation", "AssessDatabase", "ChooseBackup", "VerifyBackup", "CheckRestore"}
    assert machine.states["CheckRestore"].next() == ["StopServices"]
    for name in before:
        assert [catch["Next"] for catch in machine.states[name].catches()] == ["FailOperation"], name


def test_whether_a_swap_can_be_undone_is_asked_while_mail_still_runs() -> None:
    states = machine_of("database_swap_undo").states
    assert states["BeginOperation"].next() == ["CheckSwapUndo"]
    check = states["CheckSwapUndo"]
    assert (check.action, check.next()) == ("check_swap_undo", ["StopServices"])
    assert [catch["Next"] for catch in check.catches()] == ["FailOperation"]
    undoing = states["UndoDatabaseSwap"].definition["Arguments"]["Payload"]
    assert undoing["kept_as"] == "{% $checked.kept_as %}"


def test_after_the_swap_on_a_fresh_server_no_failure_starts_the_services_on_the_one_that_is_given_up() -> None:
    states = machine_of("database_corruption").states
    assert [catch["Next"] for catch in states["VerifyServicesOnFresh"].catches()] == ["FailOperation"]
    (choice,) = states["IsInPlace"].definition["Choices"]
    assert (choice["Condition"], choice["Next"]) == ("{% $place = 'fresh' %}", "VerifyServicesOnFresh")


def test_services_that_a_stopped_recovery_left_standing_start_once_it_is_known_where_they_belong() -> None:
    states = machine_of("services_start").states
    check = states["CheckServicesStart"]
    assert states["IsDuplicate"].definition["Default"] == "CheckServicesStart"
    assert (check.action, check.next()) == ("check_services_start", ["StartServices"])
    assert check.definition["Arguments"]["Payload"]["stopped"] == "{% $stopped %}"
    assert [catch["Next"] for catch in check.catches()] == ["FailOperation"]


def test_what_cannot_be_saved_of_a_damaged_database_is_recorded_and_holds_up_no_recovery() -> None:
    machine = machine_of("database_corruption")
    for name in _SAVING:
        (catch,) = machine.states[name].catches()
        assert (catch["Next"], set(catch["Assign"])) == ("SwapDatabases", {"saved"})
    details = machine.states["CompleteOperation"].definition["Arguments"]["Payload"]["details"]
    assert details["saved_as"] == "{% $saved %}"


def test_whether_there_is_anything_to_save_is_asked_last_before_mail_stands_still() -> None:
    """The assessment is older, and may have found a server that was only starting."""
    machine = machine_of("database_corruption")
    (choice,) = machine.states["CanBeSaved"].definition["Choices"]
    assert choice["Condition"] == "{% $not($checked.live_answers) or $without_saving %}"
    assert machine.states["CheckRestore"].definition["Assign"] == {"checked": "{% $states.result.Payload %}"}


@every_scenario
def test_every_path_from_fail_operation_ends_in_the_state_that_fails(scenario: str) -> None:
    machine = machine_of(scenario)
    reached = machine.reachable("FailOperation")
    assert reached == {"FailOperation", "Failed"}
    failed = machine.states["Failed"]
    assert failed.type == "Fail"
    # The error and the cause that people see are those of the step, whether the failure could be recorded or not.
    assert failed.definition["Error"] == "{% $states.input.error %}"
    assert failed.definition["Cause"] == "{% $states.input.cause %}"
    (catch,) = machine.states["FailOperation"].catches()
    assert set(catch["Output"]) == {"error", "cause"}
