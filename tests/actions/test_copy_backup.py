"""`copy_backup`: the copy in the other region has a status of its own; the backup stays good whatever becomes of it."""

import dataclasses
from datetime import UTC, datetime, timedelta

import pytest

from lambdas.adapters.backup_locks import BackupLocks
from lambdas.adapters.backup_store import BackupStore
from lambdas.adapters.signing import SigningKey
from lambdas.domain.backup import CatalogRow, manifest_key
from lambdas.domain.errors import CopyNotProved, KeyUnusable, ManifestInvalid, StorageRefused, Unexpected
from tests.actions.damage import DAMAGES, Damage
from tests.actions.house import House, SavedBackup, bucket_name
from tests.servers.aws import PRIMARY, STANDBY, aws, refused


def _event(house: House, saved: SavedBackup) -> dict[str, object]:
    return {"operation": house.operation("vault_backup"), "backup_id": saved.id}


def test_a_copy_is_proved_in_the_other_region_and_known_in_both_catalogs(house: House, saved: SavedBackup) -> None:
    row = saved.put(house)
    assert row.copy == "pending"
    copied = house.run("copy_backup", _event(house, saved))
    assert copied["region"] == STANDBY
    assert house.objects(region=STANDBY) == {row.key: saved.content, manifest_key(row.key): saved.manifest}
    assert house.catalog().get(saved.id).copy == "intact"
    there = house.catalog(STANDBY).get(saved.id)
    assert (there.version_id, there.proof, there.copy) == (copied["version_id"], "intact", "intact")
    assert (there.id, there.key, there.size, there.started_at) == (row.id, row.key, row.size, row.started_at)
    key = SigningKey(house.keys.arn("evidence", STANDBY))
    assert house.store(STANDBY).signed_manifest(row.id, row.key, key) == saved.read()


def test_the_copy_is_locked_like_the_backup(house: House, saved: SavedBackup) -> None:
    saved.put(house)
    house.run("copy_backup", _event(house, saved))
    locks = BackupLocks(STANDBY, bucket_name("backups", STANDBY), "governance")
    until = [locks.locked_until(*version) for version in house.catalog(STANDBY).get(saved.id).versions]
    assert all(each and each > datetime.now(UTC) + timedelta(days=6) for each in until)


def test_copying_twice_leaves_a_good_copy(house: House, saved: SavedBackup) -> None:
    saved.put(house)
    event = _event(house, saved)
    found = [house.run("copy_backup", event) for _ in range(2)]
    assert [each["region"] for each in found] == [STANDBY, STANDBY]
    there = house.catalog(STANDBY).get(saved.id)
    assert there.version_id == found[1]["version_id"]
    assert b"".join(house.store(STANDBY).read(there)) == saved.content


def test_each_region_copies_to_the_other(house: House, saved: SavedBackup) -> None:
    saved.put(house, STANDBY)
    assert house.run("copy_backup", _event(house, saved), region=STANDBY)["region"] == PRIMARY
    assert house.catalog().get(saved.id).proof == "intact"


# --- copies that fail -------------------------------------------------------------------------------------


def _check_failed(house: House, before: CatalogRow) -> None:
    """The copy has failed, and the backup is as good as it was."""
    after = house.catalog().get(before.id)
    assert after.copy == "failed"
    assert (after.proof, after.version_id) == (before.proof, before.version_id)
    assert before.proof == "intact"
    assert house.catalog(STANDBY).rows() == []


def test_a_region_that_is_gone_fails_the_copy_and_not_the_backup(house: House, saved: SavedBackup) -> None:
    row = saved.put(house)
    with (
        refused(lambda request: STANDBY in request.url.split("/")[2], None),
        pytest.raises(StorageRefused, match="storage-refused"),
    ):
        house.run("copy_backup", _event(house, saved))
    _check_failed(house, row)
    house.run("copy_backup", _event(house, saved))
    assert house.catalog().get(saved.id).copy == "intact"


def test_a_bucket_that_refuses_fails_the_copy(house: House, saved: SavedBackup) -> None:
    row = saved.put(house)
    with (
        refused(lambda request: request.method == "PUT" and "s3." in request.url, "AccessDenied", 403),
        pytest.raises(StorageRefused, match="AccessDenied"),
    ):
        house.run("copy_backup", _event(house, saved))
    _check_failed(house, row)
    assert house.objects(region=STANDBY) == {}


@pytest.mark.parametrize("damage", DAMAGES[1:6])
def test_a_copy_that_does_not_equal_the_backup_is_found(
    damage: Damage, house: House, saved: SavedBackup, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = saved.put(house)
    original = BackupStore.copy_from

    def copy_badly(there: BackupStore, here: BackupStore, of: CatalogRow) -> CatalogRow:
        copied = original(there, here, of)
        body = damage(saved.content)
        answer = aws("s3", STANDBY).put_object(Bucket=there.bucket, Key=of.key, Body=body)
        return dataclasses.replace(copied, version_id=answer["VersionId"])

    monkeypatch.setattr(BackupStore, "copy_from", copy_badly)
    with pytest.raises(CopyNotProved, match=f"copy-not-proved: The copy of {saved.id} in {STANDBY} does not equal"):
        house.run("copy_backup", _event(house, saved))
    _check_failed(house, row)


def test_a_manifest_that_was_changed_on_the_way_is_found(house: House, saved: SavedBackup) -> None:
    edited = saved.manifest.replace(b'"format":"mailark-backup/1"', b'"format":"mailark-backup/2"')
    row = saved.put(house, manifest=edited)
    with pytest.raises(ManifestInvalid, match="manifest-invalid"):
        house.run("copy_backup", _event(house, saved))
    _check_failed(house, row)


@pytest.mark.parametrize("operation", ["Verify", "Decrypt"])
def test_a_key_of_the_other_region_that_is_refused_fails_the_copy(
    operation: str, house: House, saved: SavedBackup
) -> None:
    row = saved.put(house)
    with refused(operation, "AccessDeniedException"), pytest.raises(KeyUnusable) as failure:
        house.run("copy_backup", _event(house, saved))
    assert f":kms:{STANDBY}:" in str(failure.value)
    _check_failed(house, row)


def test_a_catalog_that_is_gone_over_there_fails_the_copy(house: House, saved: SavedBackup) -> None:
    row = saved.put(house)
    aws("dynamodb", STANDBY).delete_table(TableName="mailark-catalog")
    with pytest.raises(Unexpected, match=r"unexpected: .*ResourceNotFoundException from PutItem"):
        house.run("copy_backup", _event(house, saved))
    after = house.catalog().get(row.id)
    assert (after.copy, after.proof) == ("failed", "intact")


# --- dumps ------------------------------------------------------------------------------------------------


def test_a_dump_is_copied_and_proved_in_the_other_region(house: House, dumped: SavedBackup) -> None:
    row = dumped.put(house)
    for _ in range(2):
        assert house.run("copy_backup", _event(house, dumped))["region"] == STANDBY
        assert house.objects(region=STANDBY) == {row.key: dumped.content, manifest_key(row.key): dumped.manifest}
    assert house.catalog().get(dumped.id).copy == "intact"
    there = house.catalog(STANDBY).get(dumped.id)
    assert (there.kind, there.proof, there.cluster_id, there.live_count) == (
        "database",
        "intact",
        row.cluster_id,
        row.live_count,
    )


def test_the_status_of_the_second_stores_copy_stays_in_the_region_that_makes_it(
    house: House, dumped: SavedBackup
) -> None:
    row = dataclasses.replace(dumped.put(house), second_copy="pending")
    house.catalog().put(row)
    house.run("copy_backup", _event(house, dumped))
    assert house.catalog().get(dumped.id).second_copy == "pending"
    there = house.catalog(STANDBY).get(dumped.id)
    assert there.second_copy == "none"
    assert "second_copy" not in house.store(STANDBY).status(manifest_key(row.key), there.manifest_version)


def test_a_damaged_dump_makes_no_copy(house: House, dumped: SavedBackup) -> None:
    row = dumped.put(house, content=DAMAGES[1](dumped.content))
    with pytest.raises(CopyNotProved, match=f"copy-not-proved: The copy of {dumped.id} in {STANDBY} does not equal"):
        house.run("copy_backup", _event(house, dumped))
    _check_failed(house, row)
