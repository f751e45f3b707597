"""Leases, deaths and doubles: one restore at a time, and none that blocks the next for ever."""

import json

from lab.tenants import Tenant
from lab.watching import machine_arn
from tests.scenarios.house import House, failure, paused


def test_a_second_restore_is_refused_while_one_runs(house: House, tenants: list[Tenant], backup_id: str) -> None:
    assert backup_id
    before = house.fingerprint()
    with paused(house.lab.vault.pid):
        first = house.start("vault_restore", {"reason": "the first"})
        house.wait_for_state(first, "CheckVault")
        second = house.run("vault_restore", {"reason": "the second"})
        found = failure(second)
        alert = house.alert_of(second.arn)

    assert found.code == "target-busy"
    assert found.sentence.startswith(f"vault is being changed by {first.rsplit(':', 1)[-1]}, which started at ")
    assert found.hint == (
        f"Wait for {first} to end, or stop it if it hangs; then start yours again. If it waits for a person, "
        "`python -m lambdas.approvals list` names the approval, and `approve` or `refuse` decides it."
    )
    assert "target-busy" in alert.subject
    finished = house.follow(first)
    assert finished.status == "SUCCEEDED", finished.cause
    assert house.lease_is_free("vault")
    assert house.fingerprint() == before
    assert house.lab.platform().wrong(tenants) == []


def test_a_backup_that_comes_due_during_a_restore_waits_for_its_end_and_both_end_well(
    house: House, tenants: list[Tenant], backup_id: str
) -> None:
    assert backup_id
    with paused(house.lab.vault.pid):
        restore = house.start("vault_restore", {"reason": "at two o'clock"})
        house.wait_for_state(restore, "CheckVault")
        backup = house.start("vault_backup", {"reason": "at two o'clock too"})
        house.wait_for_state(backup, "CheckVault")

    for arn in (restore, backup):
        finished = house.follow(arn)
        assert finished.status == "SUCCEEDED", finished.cause
    tried = [event for event in house.history(backup) if event["type"] in ("TaskFailed", "LambdaFunctionFailed")]
    assert tried, "the backup did not meet the restore"
    assert house.lab.platform().wrong(tenants) == []


def test_a_stopped_restore_is_reported_and_the_next_one_waits_until_its_function_is_done(
    house: House, tenants: list[Tenant], backup_id: str
) -> None:
    before = house.fingerprint()
    states = house.lab.client("stepfunctions")
    first = house.start("vault_restore", {"reason": "will be stopped", "backup_id": backup_id})
    house.wait_for_state(first, "RestoreVaultSnapshot")
    with paused(house.lab.vault.pid):
        states.stop_execution(executionArn=first)
        second = house.start("vault_restore", {"reason": "the next one", "backup_id": backup_id})
        alert = house.alert_of(first)
        house.wait_for_state(second, "BeginOperation")

    assert alert.subject == "[example] vault_restore was stopped: operation-stopped"
    assert "vault_restore was stopped from outside before it ended." in alert.body
    assert house.operation(first)["status"] == "failed"
    assert house.audit_events(first) == ["operation_started", "vault_restoration_failed"]
    finished = house.follow(second, seconds=120)  # and not the 15 minutes that a dead function would be waited for
    assert finished.status == "SUCCEEDED", finished.cause
    assert house.lease_is_free("vault")
    assert house.fingerprint() == before
    assert house.lab.platform().wrong(tenants) == []


def test_an_execution_that_runs_out_of_time_is_reported_and_frees_its_target(house: House, backup_id: str) -> None:
    """The machine is given three seconds, and Vault stands still."""
    assert backup_id
    states = house.lab.client("stepfunctions")
    arn = machine_arn("vault_restore", house.lab.primary)
    definition = states.describe_state_machine(stateMachineArn=arn)["definition"]
    short = json.dumps(json.loads(definition) | {"TimeoutSeconds": 3})
    states.update_state_machine(stateMachineArn=arn, definition=short)
    try:
        with paused(house.lab.vault.pid):
            finished = house.run("vault_restore", {"reason": "no time"})
            alert = house.alert_of(finished.arn)
    finally:
        states.update_state_machine(stateMachineArn=arn, definition=definition)

    assert finished.status == "TIMED_OUT"
    assert alert.subject == "[example] vault_restore ran out of time: operation-timed-out"
    assert house.operation(finished.arn)["status"] == "failed"
    house.run_well("vault_restore", {"reason": "once more"})


def test_the_alert_is_what_a_person_understands_at_night(house: House, backup_id: str) -> None:
    assert backup_id
    given = {"reason": "Vault lost its disk", "requested_by": "Ada", "backup_date": "2020-02-29"}
    finished = house.run("vault_restore", given)
    alert, operation = house.alert_of(finished.arn), house.operation(finished.arn)
    day = house.catalog()[backup_id].date

    assert alert.subject == "[example] vault_restore failed: no-backup-on-date"
    lines = alert.body.splitlines()
    assert lines[0] == "vault_restore failed in the step ChooseBackup."
    assert "What happened:  There is no vault backup of 2020-02-29." in lines
    assert f"What to do now: Dates with a backup that can be restored: {day}." in lines
    assert f"On:             vault of example, region {house.lab.primary}" in lines
    assert any(line.startswith("Started:        ") and line.endswith(" by Ada") for line in lines)
    assert "Reason given:   Vault lost its disk" in lines
    link = f"https://{house.lab.primary}.console.aws.amazon.com/states/home?region={house.lab.primary}"
    assert f"Execution:      {link}#/v2/executions/details/{finished.arn}" in lines
    assert operation["user_id"] == "Ada"
