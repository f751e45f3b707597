"""`lock_backup`: from the moment its manifest is complete nobody can delete a backup."""

from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

from lambdas.domain.errors import BackupUnknown, StorageRefused
from tests.actions.house import House, SavedBackup, bucket_name
from tests.servers.aws import PRIMARY, aws, on_s3, refused


def _event(house: House, saved: SavedBackup) -> dict[str, object]:
    return {"operation": house.operation("vault_backup"), "backup_id": saved.id}


def test_object_and_manifest_are_locked_for_a_week_however_often_this_runs(house: House, saved: SavedBackup) -> None:
    row = saved.put(house)
    found = [house.run("lock_backup", _event(house, saved)) for _ in range(2)]
    left = datetime.fromisoformat(found[0]["locked_until"]) - datetime.now(UTC)
    assert timedelta(days=6) < left < timedelta(days=7)
    assert found[1]["locked_until"] >= found[0]["locked_until"]
    for key, version in row.versions:
        with pytest.raises(ClientError, match="AccessDenied"):
            aws("s3").delete_object(Bucket=bucket_name("backups", PRIMARY), Key=key, VersionId=version)


def test_a_lock_that_is_longer_already_stays(house: House, saved: SavedBackup) -> None:
    row = saved.put(house)
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(days=300)
    for key, version in row.versions:
        aws("s3").put_object_retention(
            Bucket=bucket_name("backups", PRIMARY),
            Key=key,
            VersionId=version,
            Retention={"Mode": "GOVERNANCE", "RetainUntilDate": until},
        )
    assert datetime.fromisoformat(house.run("lock_backup", _event(house, saved))["locked_until"]) == until


def test_the_mode_is_the_estates(house: House, saved: SavedBackup) -> None:
    row = saved.put(house)
    house.put_estate(text=house.estate_text(house.vault).replace('"governance"', '"compliance"'))
    house.run("lock_backup", _event(house, saved))
    found = aws("s3").get_object_retention(
        Bucket=bucket_name("backups", PRIMARY), Key=row.key, VersionId=row.version_id
    )
    assert found["Retention"]["Mode"] == "COMPLIANCE"


def test_a_lock_that_s3_refuses_is_named(house: House, saved: SavedBackup) -> None:
    saved.put(house)
    with (
        refused(on_s3("PUT", "retention"), "AccessDenied", 403),
        pytest.raises(StorageRefused, match="PutObjectRetention"),
    ):
        house.run("lock_backup", _event(house, saved))


def test_a_backup_that_is_not_in_the_catalog_is_not_locked(house: House, saved: SavedBackup) -> None:
    with pytest.raises(BackupUnknown):
        house.run("lock_backup", _event(house, saved))
