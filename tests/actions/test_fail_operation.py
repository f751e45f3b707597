"""`fail_operation`: what failed is recorded in words, once, and the target is free."""

import json

import pytest

from lambdas.domain.database_errors import DatabaseNotProved, SecondStoreRefused
from lambdas.domain.errors import Unexpected
from lambdas.domain.service_errors import ServiceControlUnreachable
from lambdas.domain.vault_errors import VaultSealed
from tests.actions.house import House, execution_arn
from tests.servers.aws import refused

_SEALED = str(VaultSealed(address="https://vault.example.org"))
SENTENCE, HINT = _SEALED.removeprefix("vault-sealed: ").split("\nNext: ")
CAUSE = json.dumps({"errorMessage": _SEALED, "errorType": "VaultSealed", "stackTrace": ["marked-secret-3f9c"]})


def _event(error: str = "VaultSealed", cause: str = CAUSE, state: str = "CheckVault") -> dict[str, object]:
    return {
        "scenario": "vault_restore",
        "execution": execution_arn("vault_restore"),
        "failed_state": state,
        "error": error,
        "cause": cause,
    }


def _begun(house: House) -> None:
    house.operations().begin(house.operation("vault_restore"))


def test_a_failure_is_recorded_in_its_own_words_once_however_often_this_runs(house: House) -> None:
    _begun(house)
    found = [house.run("fail_operation", _event()) for _ in range(2)]
    assert found == [{"error": "VaultSealed", "cause": f"vault-sealed: {SENTENCE}\nNext: {HINT}"}] * 2
    row = house.operations().get("op-1")
    assert row.status == "failed"
    assert row.outcome == {
        "code": "vault-sealed",
        "sentence": SENTENCE,
        "hint": HINT,
        "or_else": None,
        "state": "CheckVault",
        "details": {},
    }
    started, event = house.events()
    assert started.event == "operation_started"  # its beginning may have died before the trail told it
    assert (event.event, event.severity, event.user_id) == ("vault_restoration_failed", "critical", "jo")
    assert event.details == {"code": "vault-sealed", "sentence": SENTENCE, "state": "CheckVault"}
    house.leases().take("vault", "another", lambda _: True)


def test_what_was_done_all_the_same_is_recorded_too(house: House) -> None:
    _begun(house)
    done = {"retention": [{"region": "eu-central-1", "deleted": ["vault-snapshot-1"]}, None]}
    house.run("fail_operation", _event() | {"details": done})
    assert house.operations().get("op-1").outcome["details"] == done
    assert house.events()[-1].details["retention"] == done["retention"]


def test_services_that_could_not_be_started_either_are_recorded_and_told_with_it(house: House) -> None:
    house.operations().begin(house.operation("database_corruption"))
    first = str(DatabaseNotProved(backup_id="smtpy_20261122_030000.sql.gz", problem="rows differ"))
    second = str(ServiceControlUnreachable(control="https://mail.example.org:9443", problem="no answer"))
    caught = {"error": "ServiceControlUnreachable", "cause": json.dumps({"errorMessage": second})}
    event = _event("DatabaseNotProved", json.dumps({"errorMessage": first}), "VerifyDatabase") | {
        "scenario": "database_corruption",
        "execution": execution_arn("database_corruption"),
        "second": caught | {"failed_state": "StartServicesAfterFailure"},
    }
    failed = house.run("fail_operation", event)
    outcome = house.operations().get("op-1").outcome
    sentences, hints = zip(*(each.partition(": ")[2].split("\nNext: ") for each in (first, second)), strict=True)
    assert outcome["code"] == "database-not-proved"
    assert outcome["state"] == "VerifyDatabase"
    assert outcome["sentence"] == f"{sentences[0]} And the services could not be started: {sentences[1]}"
    assert outcome["hint"] == (
        f"{hints[0]} For the services: {hints[1]} Then start services_start, which proves that they work."
    )
    assert failed["cause"] == f"database-not-proved: {outcome['sentence']}\nNext: {outcome['hint']}"
    assert house.events(scope="platform#database")[-1].details["sentence"] == outcome["sentence"]


def test_services_that_run_again_are_no_second_failure(house: House) -> None:
    _begun(house)
    house.run("fail_operation", _event() | {"second": None})
    assert house.operations().get("op-1").outcome["sentence"] == SENTENCE


def test_a_copy_that_failed_in_both_places_is_recorded_and_told_as_both(house: House) -> None:
    _begun(house)
    second = str(SecondStoreRefused(endpoint="https://s3.example.org", problem="NoSuchBucket"))
    caught = {"error": "SecondStoreRefused", "cause": json.dumps({"errorMessage": second})}
    event = _event(state="CopyBackup") | {"second": caught | {"failed_state": "CopyToSecondStoreAfterFailure"}}
    failed = house.run("fail_operation", event)
    outcome = house.operations().get("op-1").outcome
    sentence = second.removeprefix("second-store-refused: ").partition("\n")[0]
    assert (failed["error"], outcome["code"], outcome["state"]) == ("VaultSealed", "vault-sealed", "CopyBackup")
    assert outcome["sentence"] == f"{SENTENCE} And the copy to the second store failed too: {sentence}"
    assert outcome["sentence"] in failed["cause"]


def test_a_second_copy_that_is_good_is_no_second_failure(house: House) -> None:
    _begun(house)
    house.run("fail_operation", _event() | {"second": None})
    assert house.operations().get("op-1").outcome["sentence"] == SENTENCE


def test_nothing_but_the_message_of_a_cause_is_kept(house: House) -> None:
    house.secrets |= {"marked-secret-3f9c"}
    _begun(house)
    house.run("fail_operation", _event())
    assert "marked-secret" not in f"{house.operations().get('op-1')} {house.events()}"


@pytest.mark.parametrize(
    ("error", "cause", "code"),
    [
        ("States.Timeout", "", "step-timed-out"),
        ("Sandbox.Timedout", '{"errorMessage": "Task timed out after 60.00 seconds"}', "step-timed-out"),
        ("Lambda.TooManyRequestsException", "Rate exceeded", "step-failed"),
        ("Runtime.ExitError", '{"errorMessage": "marked-secret-3f9c"}', "step-failed"),
        ("States.QueryEvaluationError", "not JSON {", "step-failed"),
    ],
)
def test_what_has_no_words_of_its_own_is_given_some(error: str, cause: str, code: str, house: House) -> None:
    house.secrets |= {"marked-secret-3f9c"}
    _begun(house)
    failed = house.run("fail_operation", _event(error, cause))
    assert failed["error"] == error
    assert failed["cause"].startswith(f"{code}: The step CheckVault ")
    assert house.operations().get("op-1").outcome["code"] == code


def test_an_operation_that_was_refused_before_it_began_is_recorded_too(house: House) -> None:
    failed = house.run("fail_operation", _event("InputInvalid", "input-invalid: No.\nNext: Yes.", "BeginOperation"))
    assert failed == {"error": "InputInvalid", "cause": "input-invalid: No.\nNext: Yes."}
    row = house.operations().get("op-1")
    assert (row.status, row.outcome["state"], row.operation.user_id) == ("failed", "BeginOperation", "unnamed operator")
    assert [event.event for event in house.events()] == ["vault_restoration_failed"]


def test_an_operation_that_never_got_its_target_does_not_free_it(house: House) -> None:
    house.operation("vault_restore", "op-0")
    house.run("fail_operation", _event("TargetBusy", "target-busy: x.\nNext: y.", "BeginOperation"))
    assert house.operation("vault_restore", "op-0").lease.token == 1


def test_an_operation_that_has_succeeded_stays_so(house: House) -> None:
    _begun(house)
    house.operations().end("op-1", "succeeded", "2026-11-22T02:01:00Z", {})
    house.run("fail_operation", _event())
    assert house.operations().get("op-1").status == "succeeded"
    assert [event.event for event in house.events()] == ["operation_started", "vault_restored_from_backup"]


def test_what_died_in_the_middle_is_finished_by_running_it_again(house: House) -> None:
    _begun(house)
    with refused("UpdateItem", "AccessDeniedException"), pytest.raises(Unexpected, match="unexpected"):
        house.run("fail_operation", _event())
    house.run("fail_operation", _event())
    assert house.operations().get("op-1").status == "failed"
    assert [event.event for event in house.events()] == ["operation_started", "vault_restoration_failed"]
    house.leases().take("vault", "another", lambda _: True)
