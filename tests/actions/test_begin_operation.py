"""`begin_operation`: strict about its input, alone on its target, and recorded once."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lambdas.domain.database_errors import DatabaseNotInEstate, FreshServerNotInEstate, ServicesNotInEstate
from lambdas.domain.errors import (
    BackupChoiceAmbiguous,
    EstateInvalid,
    InputInvalid,
    OperationStopped,
    OperationUnknown,
    TargetBusy,
    TargetSettling,
    Unexpected,
)
from lambdas.domain.estate_services import Services
from lambdas.domain.scenarios import SCENARIOS
from tests.actions.database_house import Databases, change_database
from tests.actions.house import House, execution_arn, start_execution
from tests.servers.aws import aws, refused

AT = "2026-11-22T02:00:00.123Z"
DUE = "2026-11-22T02:00:00Z"


NOTHING = {
    "operation": None,
    "backup_date": None,
    "backup_id": None,
    "duplicate_of": None,
    "accept_loss": False,
    "without_saving": False,
    "even_if_sound": False,
    "place": "live",
    "deletion": None,
    "kept_as": None,
    "stopped": None,
    "tenant_id": None,
}


def _event(scenario: str, given: object, name: str = "op-1") -> dict[str, object]:
    return {"scenario": scenario, "execution": execution_arn(scenario, name), "started_at": AT, "input": given}


def _is_untouched(house: House) -> bool:
    """Nothing is recorded, and nobody holds a target."""
    leases = aws("dynamodb").scan(TableName="mailark-leases")["Items"]
    return not leases and house.events() == [] and not aws("dynamodb").scan(TableName="mailark-operations")["Items"]


def test_a_person_begins_a_restore_and_it_is_recorded_once_however_often_this_runs(house: House) -> None:
    given = {"reason": "Vault is gone", "incident_id": "INC-7", "requested_by": "jo", "backup_date": "2026-11-21"}
    found = [house.run("begin_operation", _event("vault_restore", given)) for _ in range(2)]
    operation = {
        "id": "op-1",
        "scenario": "vault_restore",
        "execution": execution_arn("vault_restore"),
        "mode": "recover",
        "started_at": AT,
        "lease": {"target": "vault", "token": 1},
        "reason": "Vault is gone",
        "user_id": "jo",
        "incident_id": "INC-7",
    }
    begun = NOTHING | {"operation": operation, "backup_date": "2026-11-21"}
    assert found == [begun, begun]
    (event,) = house.events()
    assert (event.event, event.user_id, event.operation_id) == ("operation_started", "jo", "op-1")
    assert event.details["reason"] == "Vault is gone"
    row = house.operations().get("op-1")
    assert (row.status, row.operation.incident_id, row.scheduled_for) == ("running", "INC-7", None)


def test_a_backup_needs_no_input_and_its_operator_is_then_unnamed(house: House) -> None:
    operation = house.run("begin_operation", _event("vault_backup", {}))["operation"]
    assert (operation["reason"], operation["user_id"]) == ("started by hand", "unnamed operator")
    assert operation["lease"] == {"target": "backup#vault", "token": 1}


def test_a_backup_that_is_named_by_its_id_is_passed_on(house: House) -> None:
    given = {"reason": "an older state", "backup_id": "vault-snapshot-20261120T020000Z"}
    begun = house.run("begin_operation", _event("vault_restore", given))
    assert (begun["backup_id"], begun["backup_date"]) == ("vault-snapshot-20261120T020000Z", None)


# --- schedules --------------------------------------------------------------------------------------------


def test_a_scheduled_run_belongs_to_the_system(house: House) -> None:
    begun = house.run("begin_operation", _event("vault_backup", {"scheduled_for": DUE}))
    assert begun["operation"]["user_id"] == "system"
    assert house.operations().get("op-1").scheduled_for == "2026-11-22T02:00:00+00:00"


def test_a_schedule_that_starts_twice_is_done_once(house: House) -> None:
    arn = start_execution("vault_backup")
    first = house.run("begin_operation", _event("vault_backup", {"scheduled_for": DUE}))
    assert house.run("begin_operation", _event("vault_backup", {"scheduled_for": DUE})) == first
    for ended in (False, True):
        if ended:
            house.operations().end("op-1", "succeeded", AT, {})
            aws("stepfunctions").stop_execution(executionArn=arn)
        second = house.run("begin_operation", _event("vault_backup", {"scheduled_for": DUE}, "op-2"))
        assert second == NOTHING | {"duplicate_of": "op-1"}
    assert [event.operation_id for event in house.events()] == ["op-1"]
    with pytest.raises(OperationUnknown):
        house.operations().get("op-2")


@pytest.mark.parametrize("recorded", [True, False])
def test_a_scheduled_run_that_failed_can_be_started_again_with_the_same_input(recorded: bool, house: House) -> None:
    """Whether or not it got as far as a record: it may have died right after it had claimed its run."""
    if recorded:
        begun = house.run("begin_operation", _event("vault_backup", {"scheduled_for": DUE}))
        house.operations().end("op-1", "failed", AT, {})
        house.leases().release("backup#vault", begun["operation"]["execution"])
    else:
        house.operations().claim_schedule("vault_backup", "2026-11-22T02:00:00+00:00", execution_arn("vault_backup"))
    again = house.run("begin_operation", _event("vault_backup", {"scheduled_for": DUE}, "op-2"))
    assert again["duplicate_of"] is None
    assert again["operation"]["id"] == "op-2"
    start_execution("vault_backup", "op-2")
    third = house.run("begin_operation", _event("vault_backup", {"scheduled_for": DUE}, "op-3"))
    assert third["duplicate_of"] == "op-2"


def test_a_run_that_is_not_due_yet_cannot_be_claimed(house: House) -> None:
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    with pytest.raises(InputInvalid, match="scheduled_for: expected a time that has come"):
        house.run("begin_operation", _event("vault_backup", {"scheduled_for": tomorrow}))
    assert _is_untouched(house)


def test_what_a_person_allows_is_passed_on(house: House) -> None:
    assert house.run("begin_operation", _event("vault_backup", {"accept_loss": True}))["accept_loss"] is True
    given = {"reason": "it gives no snapshot", "without_saving": True}
    assert house.run("begin_operation", _event("vault_restore", given))["without_saving"] is True


# --- databases --------------------------------------------------------------------------------------------

CORRUPTION = {"reason": "pages are damaged"}


@pytest.fixture
def with_services(house: House, database: Databases) -> House:
    """A house with a database that services use."""
    arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:supervisord-AbCdEf"
    address, health = "https://mail.example.org:9443", ["https://mail.example.org/health"]
    change_database(house, services=Services("supervisord", ["api"], health, address, arn))
    return house


def test_a_recovery_of_the_database_begins_as_careful_as_it_can_be(with_services: House) -> None:
    begun = with_services.run("begin_operation", _event("database_corruption", CORRUPTION))
    assert begun["operation"]["lease"] == {"target": "database", "token": 1}
    assert begun == NOTHING | {"operation": begun["operation"]}
    (event,) = with_services.events(scope="platform#database")
    assert (event.event, event.details["reason"]) == ("operation_started", "pages are damaged")


def test_what_a_person_allows_of_a_database_is_passed_on(with_services: House) -> None:
    assert with_services.database is not None
    change_database(with_services, fresh=with_services.database.staging)
    allowed = {"pre_restore_backup": False, "even_if_sound": True, "on_fresh": True, "backup_date": "2026-11-21"}
    begun = with_services.run("begin_operation", _event("database_corruption", CORRUPTION | allowed))
    assert (begun["without_saving"], begun["even_if_sound"], begun["place"]) == (True, True, "fresh")
    assert (begun["backup_date"], begun["backup_id"]) == ("2026-11-21", None)


def test_a_dump_that_is_named_by_its_id_is_passed_on(with_services: House) -> None:
    given = CORRUPTION | {"backup_id": "smtpy_20261120_030000.sql.gz"}
    begun = with_services.run("begin_operation", _event("database_corruption", given))
    assert (begun["backup_id"], begun["backup_date"]) == ("smtpy_20261120_030000.sql.gz", None)


NEED_A_DATABASE = sorted(name for name, scenario in SCENARIOS.items() if scenario.needs_database)


@pytest.mark.parametrize("scenario", NEED_A_DATABASE)
def test_without_a_database_in_the_estate_nothing_of_a_database_begins(scenario: str, house: House) -> None:
    given = json.loads(SCENARIOS[scenario].example)
    with pytest.raises(DatabaseNotInEstate, match="database-not-in-estate"):
        house.run("begin_operation", _event(scenario, given))
    assert _is_untouched(house)


def test_every_scenario_whose_target_is_a_database_needs_one() -> None:
    found = {name for name, scenario in SCENARIOS.items() if "database" in scenario.target}
    assert found == set(NEED_A_DATABASE)


def test_a_recovery_that_could_stop_no_service_does_not_begin(house: House, database: Databases) -> None:
    with pytest.raises(ServicesNotInEstate, match="services-not-in-estate"):
        house.run("begin_operation", _event("database_corruption", CORRUPTION))
    assert _is_untouched(house)


def test_a_recovery_onto_a_server_that_the_estate_does_not_name_does_not_begin(with_services: House) -> None:
    with pytest.raises(FreshServerNotInEstate, match="fresh-server-not-in-estate"):
        with_services.run("begin_operation", _event("database_corruption", CORRUPTION | {"on_fresh": True}))
    assert _is_untouched(with_services)


def test_the_database_that_an_undoing_is_to_bring_back_is_passed_on(with_services: House) -> None:
    given = {"reason": "it lacks too much", "kept_as": "smtpy_corrupt_20261122_030000"}
    assert with_services.run("begin_operation", _event("database_swap_undo", given))["kept_as"] == given["kept_as"]


def test_the_execution_that_left_services_standing_is_passed_on(with_services: House) -> None:
    given = {"reason": "a recovery was stopped", "stopped": "arn:aws:states:eu-central-1:111122223333:execution:m:op-0"}
    assert with_services.run("begin_operation", _event("services_start", given))["stopped"] == given["stopped"]


def test_rows_that_will_have_been_deleted_are_not_looked_for(with_services: House) -> None:
    """Somebody has typed the time of their clock, and Z after it."""
    tomorrow = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    with pytest.raises(InputInvalid, match=r"deleted_at: expected a time that has come \(it ends with its zone: Z is"):
        with_services.run("begin_operation", _event("data_deletion", {"reason": "x", "deleted_at": tomorrow}))
    assert _is_untouched(with_services)


def test_a_recovery_and_a_backup_of_the_database_do_not_block_each_other(with_services: House) -> None:
    start_execution("database_corruption", "op-0")
    with_services.run("begin_operation", _event("database_corruption", CORRUPTION, "op-0"))
    assert with_services.run("begin_operation", _event("database_backup", {}))["operation"]
    with pytest.raises(TargetBusy, match="target-busy: database is being changed by op-0"):
        with_services.run("begin_operation", _event("database_swap_undo", {"reason": "too early"}))


# --- inputs that are refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scenario", "given", "problem"),
    [
        ("vault_restore", {}, "reason: this key is required and missing"),
        ("vault_restore", {"reason": ""}, "reason: "),
        ("vault_restore", {"reason": "x", "backup_date": "yesterday"}, "backup_date: expected a date"),
        ("vault_restore", {"reason": "x", "backup": "x"}, "backup: this key is not known"),
        ("vault_restore", "now", "expected a group of keys"),
        ("database_corruption", {}, "reason: this key is required and missing"),
        ("database_corruption", {"reason": "x", "on_fresh": "yes"}, "on_fresh: expected true or false, got 'yes'"),
        ("database_corruption", {"reason": "x", "without_saving": True}, "without_saving: this key is not known"),
        ("vault_backup", {"reason": 7}, "reason: expected text, got 7"),
        ("vault_backup", None, "expected a group of keys"),
        ("vault_backup", {"accept_loss": "yes"}, "accept_loss: expected true or false, got 'yes'"),
        ("vault_backup", {"scheduled_for": "at two"}, "scheduled_for: expected a time such as 2026-11-22T02:00:00Z"),
        ("vault_backup", {"scheduled_for": "2026-11-22T02:00:00"}, "scheduled_for: expected a time such as "),
        ("vault_backup", {"scheduled_for": 2}, "scheduled_for: expected a time such as 2026-11-22T02:00:00Z, got 2"),
    ],
)
def test_an_input_that_is_wrong_is_named_and_nothing_has_begun(
    scenario: str, given: Any, problem: str, house: House
) -> None:
    with pytest.raises(InputInvalid, match="input-invalid") as failure:
        house.run("begin_operation", _event(scenario, given))
    assert f"The input of {scenario} is not valid: {problem}" in str(failure.value)
    assert _is_untouched(house)


def test_two_ways_to_choose_a_backup_are_one_too_many(house: House) -> None:
    given = {"reason": "x", "backup_date": "2026-11-21", "backup_id": "vault-snapshot-20261121T020000Z"}
    with pytest.raises(BackupChoiceAmbiguous, match="backup-choice-ambiguous"):
        house.run("begin_operation", _event("vault_restore", given))
    assert _is_untouched(house)


def test_an_estate_that_was_edited_badly_stops_everything_before_it_begins(house: House) -> None:
    house.put_estate(text="{}")
    with pytest.raises(EstateInvalid, match="estate-invalid"):
        house.run("begin_operation", _event("vault_backup", {"scheduled_for": DUE}))
    assert _is_untouched(house)


# --- targets that are taken -------------------------------------------------------------------------------


def test_a_target_that_another_execution_changes_is_busy_until_that_has_ended(house: House) -> None:
    other = start_execution("vault_restore", "op-0")
    house.run("begin_operation", _event("vault_restore", {"reason": "x"}, "op-0"))
    with pytest.raises(TargetBusy, match=r"target-busy: vault is being changed by op-0") as failure:
        house.run("begin_operation", _event("vault_restore", {"reason": "y"}))
    assert other in str(failure.value)
    assert [event.operation_id for event in house.events()] == ["op-0"]
    aws("stepfunctions").stop_execution(executionArn=other)
    begun = house.run("begin_operation", _event("vault_restore", {"reason": "y"}))
    assert begun["operation"]["lease"] == {"target": "vault", "token": 2}


def test_a_backup_and_a_restore_do_not_block_each_other(house: House) -> None:
    start_execution("vault_backup", "op-0")
    house.run("begin_operation", _event("vault_backup", {}, "op-0"))
    assert house.run("begin_operation", _event("vault_restore", {"reason": "x"}))["operation"]


def test_a_function_of_a_dead_execution_that_may_still_work_is_waited_for(house: House) -> None:
    dead = house.operation("vault_restore", "op-0")
    with (
        house.leases().guard(dead, 60),
        pytest.raises(TargetSettling, match="A function that op-0 started"),
    ):
        house.run("begin_operation", _event("vault_restore", {"reason": "x"}))
    assert house.run("begin_operation", _event("vault_restore", {"reason": "x"}))["operation"]


def test_an_operation_begins_while_the_audit_trail_cannot_be_written_and_its_event_waits(house: House) -> None:
    with refused("TransactWriteItems", "AccessDeniedException"):
        assert house.run("begin_operation", _event("vault_backup", {}))["operation"]["id"] == "op-1"
    assert house.events() == []
    (spooled,) = house.objects("audit").values()
    assert json.loads(spooled)["scope"] == "platform#vault"
    assert json.loads(spooled)["event"]["event"] == "operation_started"


def test_what_died_after_the_lease_was_taken_is_finished_by_running_it_again(house: House) -> None:
    no_spool = refused(lambda request: "s3." in request.url, "AccessDenied", 403)
    with (
        no_spool,
        refused("TransactWriteItems", "AccessDeniedException"),
        pytest.raises(Unexpected, match="AccessDeniedException from TransactWriteItems"),
    ):
        house.run("begin_operation", _event("vault_backup", {}))
    assert house.events() == []
    begun = house.run("begin_operation", _event("vault_backup", {}))
    assert begun["operation"]["lease"]["token"] == 1
    assert [event.event for event in house.events()] == ["operation_started"]


def test_what_was_stopped_before_it_could_begin_changes_nothing_and_holds_nothing(house: House) -> None:
    """The report of the stop comes first, and then the function that nobody waits for any more."""
    arn = start_execution("vault_restore")
    aws("stepfunctions").stop_execution(executionArn=arn)
    house.run("report_failed_execution", {"execution": arn})
    with pytest.raises(OperationStopped, match="vault_restore was stopped from outside before it ended"):
        house.run("begin_operation", _event("vault_restore", {"reason": "Vault is gone"}))
    assert house.leases().holder("vault") is None
    assert [event.event for event in house.events()] == ["vault_restoration_failed"]


def test_executions_of_two_machines_with_one_name_are_two_operations(house: House) -> None:
    watch = house.run("begin_operation", _event("backup_watch", {}))["operation"]
    restore = house.run("begin_operation", _event("vault_restore", {"reason": "Vault is gone"}))
    assert restore == house.run("begin_operation", _event("vault_restore", {"reason": "Vault is gone"}))
    assert (watch["id"], restore["operation"]["id"]) == ("op-1", execution_arn("vault_restore"))
    assert [event.operation_id for event in house.events()] == [execution_arn("vault_restore")]

    failure = {"failed_state": "CheckVault", "error": "VaultSealed", "cause": "text"}
    house.run("fail_operation", failure | {"scenario": "vault_restore", "execution": execution_arn("vault_restore")})
    assert house.operations().get(restore["operation"]["id"]).status == "failed"
    assert house.operations().get("op-1").status == "running"
    assert house.leases().holder("vault") is None
    assert house.leases().holder("watch#backups") == watch["execution"]
