"""`vault_restore` on the deployed house: lost secrets, a lost disk, and what is proved before it ends green."""

from datetime import UTC, datetime

import pytest

from lab.tenants import Tenant
from lab.watching import Finished
from tests.scenarios.house import House, broken, failure

SCOPE = "platform#vault"


@pytest.fixture(scope="module")
def after_disk_loss(house: House, tenants: list[Tenant], backup_id: str) -> Finished:
    """Vault's process is killed and its disk deleted; an empty one starts; a person gives a reason and nothing else."""
    assert backup_id
    house.lab.lose_vault()
    house.lab.start_vault()
    assert len(house.lab.platform().wrong(tenants)) == len(tenants)
    return house.run_well("vault_restore", {"reason": "Vault and its disk are lost", "requested_by": "Ada"})


def test_on_a_new_empty_cluster_every_credential_is_back_and_decrypts(
    house: House, tenants: list[Tenant], after_disk_loss: Finished
) -> None:
    assert after_disk_loss.output["rto"]["measured"] < after_disk_loss.output["rto"]["objective"] == 30 * 60
    assert after_disk_loss.output["rpo"]["measured"] < after_disk_loss.output["rpo"]["objective"] == 24 * 3600
    assert house.lab.platform().wrong(tenants) == []


def test_the_recovery_is_recorded_with_its_times_and_who_asked_for_it(house: House, after_disk_loss: Finished) -> None:
    arn = after_disk_loss.arn
    operation = house.operation(arn)

    assert house.audit_events(arn) == ["operation_started", "vault_restored_from_backup"]
    assert house.audit_faults(SCOPE) == []
    assert (operation["status"], operation["user_id"]) == ("succeeded", "Ada")
    states = [step["state"] for step in after_disk_loss.output["steps"]]
    assert states.index("VerifyBackup") < states.index("TakeVaultSnapshot") < states.index("RestoreVaultSnapshot")
    assert states[-1] == "VerifyVault"
    assert house.lease_is_free("vault")


def test_a_restored_backup_counts_as_proven(house: House, after_disk_loss: Finished) -> None:
    assert after_disk_loss.status == "SUCCEEDED"
    newest = [row for row in house.catalog().values() if row.series == "daily"][-1]
    assert newest.proof == "proven"


def test_on_the_same_cluster_destroyed_secrets_come_back_and_what_was_there_was_saved_first(
    house: House, tenants: list[Tenant], backup_id: str
) -> None:
    platform = house.lab.platform()
    destroyed, kept = tenants[:10], tenants[10:]
    platform.destroy(destroyed)

    restored = house.run_well("vault_restore", {"reason": "somebody destroyed secrets", "backup_id": backup_id})

    assert house.lab.platform().wrong(tenants) == []
    saved = [row for row in house.catalog().values() if row.operation_id == restored.arn.rsplit(":", 1)[-1]]
    assert [row.series for row in saved] == ["pre-restore"]

    house.run_well("vault_restore", {"reason": "it was meant so: undo", "backup_id": saved[0].id})
    assert set(house.lab.platform().wrong(tenants)) == {tenant.id for tenant in destroyed}
    assert house.lab.platform().wrong(kept) == []

    house.run_well("vault_restore", {"reason": "and back again", "backup_id": backup_id})
    assert house.lab.platform().wrong(tenants) == []


def test_a_date_takes_the_newest_good_backup_of_that_day(house: House, tenants: list[Tenant], backup_id: str) -> None:
    today = datetime.now(UTC).date().isoformat()
    newest = [row for row in house.catalog().values() if row.series == "daily" and row.date == today][-1]
    assert backup_id

    restored = house.run_well("vault_restore", {"reason": "by date", "backup_date": today, "incident_id": "INC-7"})

    event = next(
        item
        for item in house.items("audit-events")
        if item.get("operation_id") == restored.arn.rsplit(":", 1)[-1] and item["event"] == "vault_restored_from_backup"
    )
    assert newest.id in event["details"]
    assert "INC-7" in event["details"]
    assert house.lab.platform().wrong(tenants) == []


def test_where_saving_is_impossible_the_alert_says_how_to_do_without_and_that_works(
    house: House, tenants: list[Tenant], backup_id: str
) -> None:
    """The sealed key that the safety copy needs is gone; the backup itself is perfect."""
    name = "/mailark/sealed-keys/vault-seal-key/k1"
    ssm = house.lab.client("ssm")
    sealed = ssm.get_parameter(Name=name)["Parameter"]["Value"]
    house.lab.platform().destroy(tenants[:3])
    before = house.fingerprint()
    ssm.delete_parameter(Name=name)
    try:
        refused = house.run("vault_restore", {"reason": "three are gone", "backup_id": backup_id})
        alert = house.alert_of(refused.arn)
        assert failure(refused).code == "seal-key-missing"
        assert house.fingerprint() == before
        way = 'start vault_restore with {"reason": "...", "without_saving": true}.'
        assert f"Another way:    If it cannot be saved and may be lost, {way}" in alert.body.splitlines()
        assert refused.cause.endswith(f"Or: If it cannot be saved and may be lost, {way}")

        given = {"reason": "three are gone", "backup_id": backup_id, "without_saving": True}
        finished = house.run_well("vault_restore", given)
    finally:
        ssm.put_parameter(Name=name, Value=sealed, Type="String", Overwrite=True)
    assert "TakeVaultSnapshot" not in house.states_entered(finished.arn)
    assert finished.output["details"]["saved_as"] is None
    assert house.lab.platform().wrong(tenants) == []


def test_a_restore_that_fails_after_it_has_saved_says_how_to_go_back(house: House, backup_id: str) -> None:
    with broken(house, "verify_vault"):
        finished = house.run("vault_restore", {"reason": "the proof cannot be made", "backup_id": backup_id})
    alert = house.alert_of(finished.arn)
    saved = max(row.id for row in house.catalog().values() if row.series == "pre-restore")
    way = f'start vault_restore with {{"reason": "...", "backup_id": "{saved}"}}.'
    assert f"Another way:    To go back to what was there before, {way}" in alert.body.splitlines()
    house.run_well("vault_restore", {"reason": "going back", "backup_id": saved})
