"""`complete_operation`: measured, recorded once, published, and the target is free.

moto gives every execution the same two events of history; what the steps of a real one are is left to the tests of
the deployed stack.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lambdas.domain.errors import Unexpected
from lambdas.domain.operation import Operation
from tests.actions.house import House, start_execution
from tests.servers.aws import refused

DETAILS: Mapping[str, object] = {"backup_id": "vault-snapshot-1", "size": 7}


def _running(house: House, scenario: str, minutes: float = 1) -> Operation:
    """An operation that began some minutes ago, of an execution that runs."""
    start_execution(scenario)
    started = (datetime.now(UTC) - timedelta(minutes=minutes)).isoformat(timespec="milliseconds")
    operation = house.operation(scenario, started_at=started)
    house.operations().begin(operation)
    return operation


def _metrics(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """What CloudWatch takes from the output: the embedded metric format."""
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line]
    (found,) = lines
    namespace = found["_aws"]["CloudWatchMetrics"][0]["Namespace"]
    names = [each["Name"] for each in found["_aws"]["CloudWatchMetrics"][0]["Metrics"]]
    return {"namespace": namespace, "scenario": found["scenario"]} | {name: found[name] for name in names}


def test_a_backup_is_measured_recorded_and_published(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    operation = _running(house, "vault_backup")
    done = house.run("complete_operation", {"operation": operation, "details": DETAILS})
    assert done["operation_id"] == "op-1"
    assert 60 <= done["seconds"] < 75
    assert [(step["state"], step["seconds"]) for step in done["steps"]] == [("A State", 0.0)]
    assert (done["rto"], done["rpo"]) == (None, None)
    (event,) = house.events()
    assert (event.event, event.severity, event.operation_id) == ("vault_backup_completed", "info", "op-1")
    assert event.details == {
        **DETAILS,
        "reason": "a test",
        "incident_id": "INC-7",
        "seconds": str(done["seconds"]),
    }
    row = house.operations().get("op-1")
    assert row.status == "succeeded"
    assert row.outcome == done | {"details": event.details}
    assert _metrics(capsys) == {
        "namespace": "Mailark",
        "scenario": "vault_backup",
        "OperationSucceeded": [1.0],
        "OperationSeconds": [done["seconds"]],
    }
    house.leases().take("backup#vault", "another", lambda _: True)


def test_a_recovery_is_held_against_its_promises(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    operation = _running(house, "vault_restore", minutes=2)
    data_from = (datetime.fromisoformat(operation.started_at) - timedelta(hours=10)).isoformat()
    done = house.run("complete_operation", {"operation": operation, "data_from": data_from})
    assert done["rto"] == {"objective": 30 * 60, "measured": pytest.approx(120, abs=15)}
    assert done["rpo"] == {"objective": 24 * 3600, "measured": 10 * 3600.0}
    found = _metrics(capsys)
    assert (found["RecoveryTimeMissed"], found["RecoveryPointMissed"]) == ([0.0], [0.0])
    assert found["RecoveryPointSeconds"] == [36000.0]
    assert [event.event for event in house.events()] == ["vault_restored_from_backup"]


def test_a_promise_that_was_missed_is_published_as_missed(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    operation = _running(house, "vault_restore", minutes=31)
    data_from = (datetime.fromisoformat(operation.started_at) - timedelta(hours=25)).isoformat()
    house.run("complete_operation", {"operation": operation, "data_from": data_from})
    found = _metrics(capsys)
    assert (found["RecoveryTimeMissed"], found["RecoveryPointMissed"]) == ([1.0], [1.0])


def test_the_promise_of_the_estate_stands_above_that_of_the_plan(house: House) -> None:
    estate = json.loads(house.estate_text(house.vault)) | {
        "objectives": {"vault_restore": {"rto_minutes": 10, "rpo_hours": 12}}
    }
    house.put_estate(text=json.dumps(estate))
    operation = _running(house, "vault_restore")
    done = house.run("complete_operation", {"operation": operation, "data_from": operation.started_at})
    assert (done["rto"]["objective"], done["rpo"]["objective"]) == (600, 12 * 3600)


def test_a_recovery_that_is_proved_ends_well_even_when_nobody_can_tell_its_times(house: House) -> None:
    operation = _running(house, "vault_restore")
    with refused("GetExecutionHistory", "AccessDeniedException"):
        done = house.run("complete_operation", {"operation": operation, "data_from": operation.started_at})
    assert done["steps"] == []
    assert house.operations().get("op-1").status == "succeeded"


def test_completing_twice_records_it_once(house: House) -> None:
    operation = _running(house, "vault_backup")
    first = house.run("complete_operation", {"operation": operation, "details": DETAILS})
    house.run("complete_operation", {"operation": operation, "details": DETAILS})
    assert len(house.events()) == 1
    assert house.operations().get("op-1").outcome["seconds"] == first["seconds"]


def test_completing_again_does_not_free_what_another_operation_holds_by_now(house: House) -> None:
    operation = _running(house, "vault_backup")
    house.run("complete_operation", {"operation": operation})
    house.operation("vault_backup", "op-2")
    house.run("complete_operation", {"operation": operation})
    assert house.operation("vault_backup", "op-2").lease.token == 2


def test_what_died_in_the_middle_is_finished_by_running_it_again(house: House) -> None:
    operation = _running(house, "vault_backup")
    with refused("UpdateItem", "AccessDeniedException"), pytest.raises(Unexpected, match="unexpected"):
        house.run("complete_operation", {"operation": operation})
    assert house.operations().get("op-1").status == "running"
    house.run("complete_operation", {"operation": operation})
    assert house.operations().get("op-1").status == "succeeded"
    assert len(house.events()) == 1
    house.leases().take("backup#vault", "another", lambda _: True)
