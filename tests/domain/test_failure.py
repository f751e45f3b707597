"""What Step Functions says of a failure, turned into what a person needs."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.domain.errors import all_errors
from lambdas.domain.failure import as_failure, failure_of_execution, failure_of_step, with_second_failure, with_way_out
from lambdas.domain.mailark_error import Failure, MailarkError
from lambdas.domain.recovery_errors import RecoveryPlanChanged
from lambdas.domain.service_errors import ServicesBelongOnFresh
from lambdas.domain.vault_errors import VaultSealed

SEALED = VaultSealed(address="https://vault.example.org:8200")
KNOWN = Failure(
    "vault-sealed",
    "Vault at https://vault.example.org:8200 is sealed.",
    "Restart it, so that it unseals with its KMS-wrapped key, and check that its host may decrypt that key; "
    "a Vault with Shamir keys needs them entered.",
)
REFUSED = Failure("vault-login-refused", "Vault refuses the login.", "Paste the configuration.")
TIMED_OUT = Failure(
    "step-timed-out",
    "The step VerifyVault did not end within its time limit.",
    "What it started may still be running: look at the target before anything else. "
    "Then start the scenario again; every step finds what is done already.",
)


def could_not_run(error: str) -> Failure:
    return Failure(
        "step-failed",
        f"The step VerifyVault could not be run ({error}).",
        "Read the execution's last event and the function's log; then start the scenario again.",
    )


def lambda_cause(message: object) -> str:
    """The cause of a failed task, as Lambda gives it."""
    return json.dumps({"errorMessage": message, "errorType": "VaultSealed", "stackTrace": ["the password is hunter2"]})


def test_an_error_of_ours_is_known_again() -> None:
    assert failure_of_step("VerifyVault", "VaultSealed", lambda_cause(str(SEALED))) == KNOWN


def test_an_error_of_ours_is_known_again_where_a_child_has_ended_with_it() -> None:
    cause = json.dumps({"Cause": str(SEALED), "Error": "VaultSealed", "Input": "hunter2", "Status": "FAILED"})
    assert failure_of_step("AskForApproval", "States.TaskFailed", cause) == KNOWN
    stopped = json.dumps({"ExecutionArn": "arn", "Input": "hunter2", "Status": "ABORTED"})
    assert failure_of_step("VerifyVault", "States.TaskFailed", stopped) == could_not_run("States.TaskFailed")


def test_an_error_of_ours_is_known_again_outside_of_a_function() -> None:
    assert failure_of_step("VerifyVault", "VaultSealed", str(SEALED)) == KNOWN


def test_services_that_could_not_be_started_either_are_told_with_what_failed_first() -> None:
    second = Failure("service-control-unreachable", "supervisord does not answer.", "Start it.")
    found = with_second_failure(REFUSED, "database_corruption", "StartServicesAfterFailure", second)
    assert found.text == (
        "vault-login-refused: Vault refuses the login. And the services could not be started: supervisord does not "
        "answer.\n"
        "Next: Paste the configuration. For the services: Start it. Then start services_start, which proves "
        "that they work."
    )
    assert Failure.parse(found.text) == found


@pytest.mark.parametrize(
    ("scenario", "emptying"),
    [("database_restore_test", "database_staging_emptying"), ("data_deletion", "row_recovery_emptying")],
)
def test_rows_that_could_not_be_dropped_either_are_told_with_what_failed_first(scenario: str, emptying: str) -> None:
    second = Failure("database-unreachable", "The staging server does not answer.", "Start it.")
    found = with_second_failure(REFUSED, scenario, "DropDatabaseAfterFailure", second)
    assert found.text == (
        "vault-login-refused: Vault refuses the login. And rows of the backup may still lie on the staging server: The "
        "staging server does not answer.\n"
        f"Next: Paste the configuration. For these rows: Start it. Then start {emptying}, which drops them."
    )


def test_a_second_copy_that_failed_too_is_told_with_what_failed_first() -> None:
    second = Failure("second-store-refused", "It did not take the copy.", "Check it.")
    found = with_second_failure(REFUSED, "database_backup", "CopyToSecondStoreAfterFailure", second)
    assert found.text == (
        "vault-login-refused: Vault refuses the login. And the copy to the second store failed too: It did not take "
        "the copy.\n"
        "Next: Paste the configuration. For the second store: Check it."
    )


def test_a_swap_that_died_may_have_been_made_all_the_same() -> None:
    assert with_way_out(KNOWN, "database_corruption", "SwapDatabases", None).or_else == (
        "If the server has a database with _corrupt_ and the time of this run in its name, the databases were "
        "exchanged all the same: look whether the services work then, or start database_swap_undo to go back."
    )


def test_an_import_that_died_may_have_been_made_all_the_same_and_can_be_started_again() -> None:
    died = could_not_run("Runtime.ExitError")
    assert with_way_out(died, "data_deletion", "ImportRows", None).or_else == (
        "The rows may be in all the same: start this again with the same input, which finds what is still missing, and "
        "inserts nothing twice."
    )


def test_an_import_that_finds_another_plan_when_it_runs_again_may_have_been_made_by_the_first_run() -> None:
    changed = as_failure(RecoveryPlanChanged(approved="0" * 12, found="1" * 12))
    assert with_way_out(changed, "data_deletion", "ImportRows", None).or_else == (
        "The rows may be in all the same: start this again with the same input, which finds what is still missing, and "
        "inserts nothing twice."
    )
    assert with_way_out(changed, "data_deletion", "AskForApproval", None).or_else is None


def test_a_start_of_the_services_that_fails_twice_in_the_same_way_is_told_once() -> None:
    assert with_second_failure(REFUSED, "database_corruption", "StartServicesAfterFailure", REFUSED) == REFUSED


@pytest.mark.parametrize("state", ["CheckVault", "TakeVaultSnapshot", "WrapKeys", "VerifyBackupSaved"])
def test_a_recovery_that_cannot_save_what_is_there_says_how_to_do_without(state: str) -> None:
    found = with_way_out(REFUSED, "vault_restore", state, None)
    assert found.or_else == (
        'If it cannot be saved and may be lost, start vault_restore with {"reason": "...", "without_saving": true}.'
    )
    assert Failure.parse(found.text) == found


@pytest.mark.parametrize("state", ["RestoreVaultSnapshot", "VerifyVault", "CompleteOperation", None])
def test_a_recovery_that_failed_after_it_had_saved_says_how_to_go_back(state: str | None) -> None:
    found = with_way_out(KNOWN, "vault_restore", state, "vault-pre-restore-20261122T030405Z")
    assert found.or_else == (
        "To go back to what was there before, start vault_restore with "
        '{"reason": "...", "backup_id": "vault-pre-restore-20261122T030405Z"}.'
    )


@pytest.mark.parametrize(
    ("scenario", "state"),
    [("vault_backup", "CheckVault"), ("vault_restore", "VerifyBackup"), ("vault_restore", "CheckVault")],
)
def test_any_other_failure_has_no_other_way_out(scenario: str, state: str) -> None:
    assert with_way_out(KNOWN, scenario, state, None) == KNOWN
    assert "Or:" not in KNOWN.text


@pytest.mark.parametrize("state", ["RestoreVaultSnapshotAfterFailure", "VerifyVaultSaved", None])
def test_a_restore_test_that_could_not_empty_the_staging_vault_says_so(state: str | None) -> None:
    found = with_way_out(KNOWN, "vault_restore_test", state, None)
    assert found.or_else == (
        "The staging Vault may still hold the secrets of the backup. Start staging_emptying (when a test was stopped "
        "or ran out of time it starts by itself), or give that Vault an empty disk."
    )


@pytest.mark.parametrize("state", ["CheckStagingVault", "RestoreVaultSnapshot", "VerifyVault", None])
def test_an_emptying_that_failed_says_how_else_the_secrets_go(state: str | None) -> None:
    assert with_way_out(KNOWN, "staging_emptying", state, None).or_else == (
        "The staging Vault may still hold the secrets of a backup. If staging_emptying cannot take them away, stop "
        "that Vault and give it an empty disk."
    )


@pytest.mark.parametrize("state", ["BeginOperation", "CheckStagingVault", "RestoreVaultSnapshot", "VerifyVault"])
def test_a_restore_test_that_failed_with_an_empty_staging_vault_has_no_other_way_out(state: str) -> None:
    """A failure of the restore or the proof is told under its own state only once the Vault is empty again."""
    assert with_way_out(KNOWN, "vault_restore_test", state, "vault-staging-20261122T040000Z") == KNOWN


_BACK = "To go back to the database that was live before, start database_swap_undo."
_STAND_FOR_FRESH = (
    "he services stand still, since the database that is for them is on the fresh server: point them and "
    "database.server of the estate to it, take database.fresh out of the estate, deploy, and start them. To give it up "
    "instead, start services_start: it runs them on the live server."
)


@pytest.mark.parametrize(
    ("state", "told"),
    [
        ("StartServices", _BACK),
        ("VerifyServices", _BACK),
        ("VerifyServicesOnFresh", f"T{_STAND_FOR_FRESH}"),
        ("CompleteOperation", f"{_BACK} After a restore with on_fresh: t{_STAND_FOR_FRESH}"),
    ],
)
def test_a_recovery_of_the_database_that_failed_after_the_swap_says_how_to_go_on(state: str, told: str) -> None:
    assert with_way_out(KNOWN, "database_corruption", state, None).or_else == told


def test_services_that_are_for_the_fresh_server_are_not_to_be_started_by_hand_on_the_live_one() -> None:
    failure = as_failure(ServicesBelongOnFresh(operation="op-1", host="db-fresh.example.org"))
    assert with_way_out(failure, "services_start", "CheckServicesStart", None).or_else is None


@pytest.mark.parametrize("scenario", ["database_corruption", "database_swap_undo"])
def test_a_recovery_of_the_database_or_its_undo_that_was_stopped_tells_of_the_services(scenario: str) -> None:
    assert with_way_out(KNOWN, scenario, None, None).or_else == (
        "The services may stand still. Start services_start (when this was stopped or ran out of time it starts by "
        "itself): it runs them on whichever database has the live name, and proves that they work. Then see what is "
        "still to do."
    )


@pytest.mark.parametrize("state", ["StartServices", "VerifyServices", None])
def test_services_that_could_not_be_started_again_are_started_by_hand(state: str | None) -> None:
    found = with_way_out(KNOWN, "services_start", state, None)
    assert found.or_else == "If the services stand still, start them by hand on their host."


@pytest.mark.parametrize("state", ["DropDatabase", None])
def test_what_may_have_left_rows_on_the_staging_server_says_what_takes_them_away(state: str | None) -> None:
    assert with_way_out(KNOWN, "database_restore_test", state, None).or_else == (
        "Rows of the backup may still lie on the staging server. Start database_staging_emptying (when a test was "
        "stopped or ran out of time it starts by itself), or drop the database whose name begins with mailark_test_ by "
        "hand."
    )
    assert with_way_out(KNOWN, "data_deletion", state, None).or_else == (
        "Rows of the backup may still lie on the staging server. Start row_recovery_emptying (when a recovery was "
        "stopped or ran out of time it starts by itself), or drop the database whose name begins with mailark_before_ "
        "by hand."
    )


@pytest.mark.parametrize(
    ("scenario", "name"), [("database_staging_emptying", "mailark_test_"), ("row_recovery_emptying", "mailark_before_")]
)
def test_rows_that_could_not_be_taken_away_are_dropped_by_hand(scenario: str, name: str) -> None:
    assert with_way_out(KNOWN, scenario, "DropDatabase", None).or_else == (
        f"Rows of a backup may still lie on the staging server: drop the database whose name begins with {name} by "
        "hand."
    )


@pytest.mark.parametrize(
    ("scenario", "state"),
    [
        ("database_corruption", "CheckRestore"),
        ("database_corruption", "RestoreDatabase"),
        ("database_restore_test", "VerifyDatabase"),
        ("data_deletion", "ImportRows"),
    ],
)
def test_a_database_scenario_that_has_cleared_up_after_itself_has_no_other_way_out(scenario: str, state: str) -> None:
    assert with_way_out(KNOWN, scenario, state, None) == KNOWN


@pytest.mark.parametrize("error", ["States.Timeout", "Sandbox.Timedout"])
def test_a_step_that_ran_out_of_time_may_still_be_at_work(error: str) -> None:
    assert failure_of_step("VerifyVault", error, "") == TIMED_OUT
    assert failure_of_step("VerifyVault", error, lambda_cause("Task timed out after 900.00 seconds")) == TIMED_OUT


@pytest.mark.parametrize(
    "cause",
    [
        "",
        "boom",
        "null",
        "[]",
        "{}",
        "7",
        '"text"',
        '{"errorMessage": null}',
        "{",
        lambda_cause("boom"),
        lambda_cause({}),
    ],
)
def test_any_other_failure_names_its_step_and_nothing_of_its_cause(cause: str) -> None:
    assert failure_of_step("VerifyVault", "States.TaskFailed", cause) == could_not_run("States.TaskFailed")


@given(st.text())
def test_whatever_the_cause_says_there_is_a_failure(cause: str) -> None:
    assert failure_of_step("VerifyVault", "Runtime.ExitError", cause) == could_not_run("Runtime.ExitError")


def test_a_failed_execution_fails_as_its_step_did() -> None:
    assert failure_of_execution("vault_restore", "FAILED", "VaultSealed", lambda_cause(str(SEALED))) == KNOWN


def test_an_execution_that_ran_out_of_time_says_so() -> None:
    assert failure_of_execution("vault_restore", "TIMED_OUT", "States.Timeout", "") == Failure(
        "operation-timed-out",
        "vault_restore did not end within the time limit of its state machine.",
        "Look at the step it hung in, and at the target; then start the scenario again.",
    )


def test_a_stopped_execution_says_so() -> None:
    assert failure_of_execution("vault_restore", "ABORTED", "", "") == Failure(
        "operation-stopped",
        "vault_restore was stopped from outside before it ended.",
        "Find out who stopped it and why, look at the target, and start the scenario again if it is still needed.",
    )


@pytest.mark.parametrize("kind", all_errors())
def test_every_error_can_be_had_as_data(kind: type[MailarkError]) -> None:
    facts = {name: f"the {name}" for name in re.findall(r"{(\w+)}", kind.sentence + kind.hint)}
    failure = as_failure(kind(**facts))
    assert failure.code == kind.code
    assert failure.sentence == kind.sentence.format(**facts)
    assert failure.hint == kind.hint.format(**facts)
