"""Recovery from the standby region with the primary gone: no request that names the primary is answered."""

from lab.tenants import Tenant
from tests.scenarios.house import House, failure, idle


def test_vault_is_recovered_from_the_standby_region_while_the_primary_is_gone(
    house: House, tenants: list[Tenant], backup_id: str
) -> None:
    lab = house.lab
    assert backup_id in house.catalog(lab.standby)
    watching = ("detect_compromise", "sweep_suspects")  # which work by themselves, and are gone with their region
    with idle(house, *watching), lab.gate.without_region(lab.primary) as refused:
        lab.lose_vault()
        lab.start_vault(endpoint=lab.gate.endpoint)
        assert refused, "the host of Vault asked the primary first, and was refused"
        refused.clear()
        assert len(lab.platform().wrong(tenants)) == len(tenants)

        finished = house.run_well("vault_restore", {"reason": "the primary region is gone"}, lab.standby)

        assert refused == [], "the recovery needed nothing from the primary"
    assert finished.output["rto"]["measured"] < 30 * 60
    assert lab.platform().wrong(tenants) == []
    assert house.audit_events(finished.arn) == ["operation_started", "vault_restored_from_backup"]
    assert house.audit_faults("platform#vault", lab.standby) == []
    assert house.catalog(lab.standby)[backup_id].proof in ("intact", "proven")
    assert house.lease_is_free("vault", lab.standby)


def test_the_standbys_schedule_is_off_until_it_is_told_to_work(house: House) -> None:
    lab = house.lab
    events = lab.client("events", lab.standby)
    assert events.describe_rule(Name="mailark-vault-backup")["State"] == "DISABLED"

    events.enable_rule(Name="mailark-vault-backup")
    try:
        with lab.gate.without_region(lab.primary):
            finished = house.follow(house.let_schedule_come("vault_backup", lab.standby))
    finally:
        events.disable_rule(Name="mailark-vault-backup")

    assert failure(finished).code == "storage-refused", "the copy to the region that is gone fails, and says so"
    newest = list(house.catalog(lab.standby).values())[-1]
    assert (newest.proof, newest.copy) == ("intact", "failed")
    assert house.alert_of(finished.arn).subject == "[example] vault_backup failed: storage-refused"
