"""`vault_restore_test` on the deployed house: a backup is proved value by value, and no secret stays where it was."""

from datetime import UTC, datetime, timedelta
from typing import Any

import hvac
import pytest

from tests.scenarios.house import House, backup_of, broken, failure, paused


def _staged(house: House) -> list[str]:
    """The secrets that the staging Vault holds."""
    kv = house.lab.vault_client(house.lab.staging_vault.address).secrets.kv.v2
    try:
        return list(kv.list_secrets("", mount_point="smtp")["data"]["keys"])
    except hvac.exceptions.InvalidPath:
        return []


def _test_well(house: House, given: dict[str, Any]) -> dict[str, Any]:
    finished = house.run_well("vault_restore_test", given)
    assert house.audit_events(finished.arn) == ["operation_started", "vault_restore_test_completed"]
    assert house.audit_faults("platform#vault") == []
    assert house.lease_is_free("vault-staging")
    assert _staged(house) == []
    output: dict[str, Any] = finished.output
    return output


def test_the_newest_backup_is_proven_and_the_staging_vault_is_empty_again(house: House, backup_id: str) -> None:
    live = house.fingerprint()
    made = backup_of(house, house.run_well("vault_backup", {"reason": "to be tested"}))
    assert house.catalog()[made].proof == "intact"

    outcome = _test_well(house, {})

    assert outcome["details"]["backup_id"] == made
    assert outcome["details"]["secrets_compared"] > 40
    assert house.catalog()[made].proof == "proven"
    assert outcome["rto"]["measured"] < outcome["rto"]["objective"]
    assert house.fingerprint() == live
    row = house.catalog()[outcome["details"]["emptied_with"]]
    assert (row.series, row.live_count, row.copy) == ("staging", 0, "none")


def test_the_schedule_starts_it_on_sundays(house: House, backup_id: str) -> None:
    rule = house.lab.client("events").describe_rule(Name="mailark-vault-restore-test")
    assert (rule["ScheduleExpression"], rule["State"]) == ("cron(0 4 ? * SUN *)", "ENABLED")
    finished = house.follow(house.let_schedule_come("vault_restore_test"))
    assert finished.status == "SUCCEEDED", finished.cause
    assert house.operation(finished.arn)["user_id"] == "system"
    assert _staged(house) == []


def test_a_test_that_fails_empties_the_staging_vault_all_the_same(house: House, backup_id: str) -> None:
    with broken(house, "verify_vault"):
        finished = house.run("vault_restore_test", {"reason": "it cannot compare"})
    assert finished.status == "FAILED"
    assert house.operation(finished.arn)["status"] == "failed"
    entered = house.states_entered(finished.arn)
    assert entered[entered.index("VerifyVault") :][:3] == [
        "VerifyVault",
        "RestoreVaultSnapshotAfterFailure",
        "VerifyVaultAfterFailure",
    ]
    assert "The staging Vault may still hold the secrets" in house.alert_of(finished.arn).body
    assert _staged(house) == []


def test_what_a_stopped_test_left_is_taken_away_by_itself(house: House, backup_id: str) -> None:
    """Its function outlives it, and fills the staging Vault when nobody waits for that any more."""
    arn = house.start("vault_restore_test", {"reason": "it will be stopped"})
    house.wait_for_state(arn, "RestoreVaultSnapshot")
    with paused(house.lab.staging_vault.pid), house.starting("staging_emptying") as started:
        house.lab.client("stepfunctions").stop_execution(executionArn=arn, error="Stopped", cause="by a test")
    assert "Start staging_emptying" in house.alert_of(arn).body

    (emptying,) = started
    finished = house.follow(emptying)

    assert finished.status == "SUCCEEDED", finished.cause
    assert finished.output["details"]["emptied_with"] is not None
    assert _staged(house) == []
    assert house.audit_events(emptying) == ["operation_started", "staging_emptied"]
    assert house.operation(emptying)["user_id"] == "system"
    assert house.lease_is_free("vault-staging")


def test_a_staging_vault_that_is_empty_is_left_alone(house: House, backup_id: str) -> None:
    finished = house.run_well("staging_emptying", {"reason": "to be sure"})
    assert finished.output["details"]["emptied_with"] is None
    assert "RestoreVaultSnapshot" not in house.states_entered(finished.arn)


def test_secrets_that_no_test_left_stop_it_before_anything_is_overwritten(house: House, backup_id: str) -> None:
    client = house.lab.vault_client(house.lab.staging_vault.address)
    client.secrets.kv.v2.create_or_update_secret("somebodys/admin", {"password": "kept"}, mount_point="smtp")
    try:
        found = failure(house.run("vault_restore_test", {"reason": "somebody uses the staging Vault"}))
        assert found.code == "staging-not-empty"
        assert _staged(house) == ["somebodys/"]
    finally:
        client.secrets.kv.v2.delete_metadata_and_all_versions("somebodys/admin", mount_point="smtp")


@pytest.mark.parametrize("region", ["primary", "standby"])
def test_a_lost_catalog_is_rebuilt_from_the_manifests_as_it_was(house: House, backup_id: str, region: str) -> None:
    where: str = getattr(house.lab, region)
    made = backup_of(house, house.run_well("vault_backup", {"reason": "to be lost from the catalog"}))
    emptied_with = _test_well(house, {})["details"]["emptied_with"]
    before = house.catalog(where)
    told = [made, emptied_with] if region == "primary" else [made]
    assert [before[each].proof for each in told] == (["proven", "proven"] if region == "primary" else ["intact"])
    dynamo = house.lab.client("dynamodb", where)
    for name in before:
        dynamo.delete_item(TableName="mailark-catalog", Key={"id": {"S": name}})
    assert house.catalog(where) == {}

    house.run_well("catalog_rebuild", {"reason": "somebody emptied the table"}, where)

    after = house.catalog(where)
    assert [after[each] for each in told] == [before[each] for each in told]
    assert set(before) <= set(after)  # other tests have let the catalog forget some, and edited others


def test_a_night_locks_what_it_keeps_in_both_regions_and_says_why(house: House, backup_id: str) -> None:
    finished = house.run_well("vault_backup", {"reason": "to be kept"})
    made = backup_of(house, finished)
    outcome = house.operation(finished.arn)["outcome"]
    for region in (house.lab.primary, house.lab.standby):
        row, s3 = house.catalog(region)[made], house.lab.client("s3", region)
        for key, version in row.versions:
            with pytest.raises(s3.exceptions.ClientError, match="AccessDenied"):
                s3.delete_object(Bucket=house.bucket(region), Key=key, VersionId=version)
    assert "day 1 of 30" in outcome
    retention = finished.output["details"]["retention"]
    assert [part["region"] for part in retention] == [house.lab.primary, house.lab.standby]
    for part in retention:
        rows, s3 = house.catalog(part["region"]), house.lab.client("s3", part["region"])
        assert made in [kept["backup_id"] for kept in part["kept"]]
        for kept in part["kept"]:
            assert kept["reasons"]
            for key, version in rows[kept["backup_id"]].versions:
                bucket = house.bucket(part["region"])
                held = s3.get_object_retention(Bucket=bucket, Key=key, VersionId=version)["Retention"]
                assert held["RetainUntilDate"] >= datetime.fromisoformat(kept["locked_until"]).replace(microsecond=0)
                assert held["RetainUntilDate"] > datetime.now(UTC) + timedelta(hours=35)
    assert all(not part["deleted"] for part in retention)
