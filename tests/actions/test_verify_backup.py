"""`verify_backup`: all of a stored backup is read back and proved; whatever is wrong with it is found."""

import dataclasses
import json

import pytest

from lambdas.domain.backup import PROOF_LEVELS, ProofLevel, manifest_key
from lambdas.domain.errors import (
    BackupDamaged,
    BackupMisplaced,
    BackupMissing,
    BackupUnknown,
    KeyUnusable,
    ManifestInvalid,
    ManifestMissing,
    StorageRefused,
)
from tests.actions.damage import DAMAGES, Damage, swapped
from tests.actions.database_house import DUMP, Databases, make_long_dump
from tests.actions.house import House, SavedBackup, bucket_name
from tests.domain.builders import STARTED, row_of
from tests.servers.aws import PRIMARY, STANDBY, aws, refused

OWN = "make-2026-11-22"
"""The operation that made what is verified here."""


def _event(house: House, backup_id: str, scenario: str = "vault_backup", name: str = OWN) -> dict[str, object]:
    return {"operation": house.operation(scenario, name), "backup_id": backup_id}


def _at_level(house: House, saved: SavedBackup, level: ProofLevel) -> None:
    house.catalog().put(dataclasses.replace(house.catalog().get(saved.id), proof=level))


def test_a_whole_backup_is_proved_intact_however_often_this_runs(house: House, saved: SavedBackup) -> None:
    saved.put(house)
    _at_level(house, saved, "stored")
    found = [house.run("verify_backup", _event(house, saved.id)) for _ in range(2)]
    assert found == [{"backup_id": saved.id, "started_at": "2026-11-22T02:00:00+00:00"}] * 2
    assert house.catalog().get(saved.id).proof == "intact"


@pytest.mark.parametrize("scenario", ["vault_restore", "vault_restore_test"])
def test_a_backup_that_its_own_operation_left_unproved_is_verified_and_stays_unproved(
    scenario: str, house: House, saved: SavedBackup
) -> None:
    saved.put(house)
    _at_level(house, saved, "stored")
    verified = house.run("verify_backup", _event(house, saved.id, scenario, "op-1"))
    assert verified == {"backup_id": saved.id, "started_at": "2026-11-22T02:00:00+00:00"}
    assert _still_stored(house, saved)


@pytest.mark.parametrize("level", PROOF_LEVELS[1:])
def test_a_level_that_was_reached_before_is_kept(level: ProofLevel, house: House, saved: SavedBackup) -> None:
    saved.put(house)
    _at_level(house, saved, level)
    house.run("verify_backup", _event(house, saved.id))
    assert house.catalog().get(saved.id).proof == level


def test_the_standby_region_proves_its_copy_with_its_own_keys(house: House, saved: SavedBackup) -> None:
    saved.put(house, STANDBY)
    found = house.run("verify_backup", _event(house, saved.id), region=STANDBY)
    assert found["backup_id"] == saved.id


# --- backups that are not whole ---------------------------------------------------------------------------


def _still_stored(house: House, saved: SavedBackup) -> bool:
    return house.catalog().get(saved.id).proof == "stored"


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_object_is_found_and_stays_unproved(damage: Damage, house: House, saved: SavedBackup) -> None:
    saved.put(house, content=damage(saved.content))
    _at_level(house, saved, "stored")
    with pytest.raises(BackupDamaged, match=f"^backup-damaged: {saved.id} is damaged: "):
        house.run("verify_backup", _event(house, saved.id))
    assert _still_stored(house, saved)


def test_the_bytes_of_another_backup_do_not_pass(house: House, saved: SavedBackup) -> None:
    saved.put(house, content=swapped(house, saved))
    _at_level(house, saved, "stored")
    with pytest.raises(BackupDamaged, match="is damaged: "):
        house.run("verify_backup", _event(house, saved.id))
    assert _still_stored(house, saved)


def test_a_manifest_that_was_edited_is_found(house: House, saved: SavedBackup) -> None:
    edited = json.loads(saved.manifest) | {"finished_at": "2026-11-22T03:00:00+00:00"}
    body = json.dumps(edited, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    saved.put(house, manifest=body)
    _at_level(house, saved, "stored")
    with pytest.raises(ManifestInvalid, match=r"manifest-invalid: .*its signature does not match"):
        house.run("verify_backup", _event(house, saved.id))
    assert _still_stored(house, saved)


def test_a_backup_that_was_moved_to_another_day_is_found(house: House, saved: SavedBackup) -> None:
    other, s3, bucket = row_of(STARTED.replace(day=23)), aws("s3"), bucket_name("backups", PRIMARY)
    version = s3.put_object(Bucket=bucket, Key=other.key, Body=saved.content)["VersionId"]
    beside = s3.put_object(Bucket=bucket, Key=manifest_key(other.key), Body=saved.manifest)["VersionId"]
    house.catalog().put(dataclasses.replace(other, version_id=version, manifest_version=beside, proof="stored"))
    with pytest.raises(BackupMisplaced, match=f"backup-misplaced: .*belongs to {saved.id}, not to {other.id}"):
        house.run("verify_backup", _event(house, other.id))


def test_a_manifest_that_is_gone_is_named(house: House, saved: SavedBackup) -> None:
    row = saved.put(house)
    aws("s3").delete_object(
        Bucket=bucket_name("backups", PRIMARY), Key=manifest_key(row.key), VersionId=row.manifest_version
    )
    with pytest.raises(ManifestMissing, match="manifest-missing"):
        house.run("verify_backup", _event(house, saved.id))


def test_an_object_that_is_gone_is_named(house: House, saved: SavedBackup) -> None:
    row = saved.put(house)
    house.catalog().put(dataclasses.replace(row, version_id="gone"))
    with pytest.raises((BackupMissing, StorageRefused), match="backup-missing"):
        house.run("verify_backup", _event(house, saved.id))


def test_a_backup_that_the_catalog_does_not_know_is_named(house: House) -> None:
    with pytest.raises(BackupUnknown, match="backup-unknown"):
        house.run("verify_backup", _event(house, "vault-snapshot-20261101T020000Z"))


@pytest.mark.parametrize("operation", ["Decrypt", "Verify"])
def test_a_key_that_kms_refuses_is_not_taken_for_damage(operation: str, house: House, saved: SavedBackup) -> None:
    saved.put(house)
    _at_level(house, saved, "stored")
    with refused(operation, "AccessDeniedException"), pytest.raises(KeyUnusable, match="key-unusable"):
        house.run("verify_backup", _event(house, saved.id))
    assert _still_stored(house, saved)


# --- dumps ------------------------------------------------------------------------------------------------


def test_a_dump_that_would_not_be_read_in_time_is_not_begun_and_stays_unproved(
    house: House, database: Databases
) -> None:
    make_long_dump(house)
    assert house.catalog().get(DUMP).proof == "stored"


def test_a_whole_dump_is_proved_intact_however_often_this_runs(house: House, dumped: SavedBackup) -> None:
    dumped.put(house)
    _at_level(house, dumped, "stored")
    found = [house.run("verify_backup", _event(house, dumped.id)) for _ in range(2)]
    assert found == [{"backup_id": dumped.id, "started_at": "2026-11-22T03:00:00+00:00"}] * 2
    assert house.catalog().get(dumped.id).proof == "intact"


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_dump_is_found_and_stays_unproved(damage: Damage, house: House, dumped: SavedBackup) -> None:
    dumped.put(house, content=damage(dumped.content))
    _at_level(house, dumped, "stored")
    with pytest.raises(BackupDamaged, match=f"^backup-damaged: {dumped.id} is damaged: "):
        house.run("verify_backup", _event(house, dumped.id))
    assert _still_stored(house, dumped)


def test_a_snapshot_in_the_place_of_a_dump_is_found(house: House, dumped: SavedBackup, saved: SavedBackup) -> None:
    dumped.put(house, content=saved.content)
    _at_level(house, dumped, "stored")
    with pytest.raises(BackupDamaged, match="backup-damaged"):
        house.run("verify_backup", _event(house, dumped.id))
    dumped.put(house, manifest=saved.manifest)
    with pytest.raises(BackupMisplaced, match=f"belongs to {saved.id}, not to {dumped.id}"):
        house.run("verify_backup", _event(house, dumped.id))


def test_a_manifest_of_a_dump_that_was_edited_is_found(house: House, dumped: SavedBackup) -> None:
    dumped.put(house, manifest=dumped.manifest.replace(b'"left_out":[]', b'"left_out":["public.users"]'))
    with pytest.raises(ManifestInvalid, match="its signature does not match"):
        house.run("verify_backup", _event(house, dumped.id))
