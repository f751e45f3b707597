"""`rebuild_catalog`: what the catalog has lost is told again by the manifests."""

import dataclasses

import pytest

from lambdas.adapters.proof_record import record_proof, record_rate
from lambdas.domain.backup import manifest_key
from lambdas.domain.errors import CatalogIncomplete, KeyUnusable, StorageRefused
from lambdas.domain.mailark_error import MailarkError
from tests.actions.house import House, SavedBackup, bucket_name
from tests.servers.aws import PRIMARY, STANDBY, aws, on_s3, refused


def _rebuild(house: House, region: str = PRIMARY) -> dict[str, object]:
    found: dict[str, object] = house.run(
        "rebuild_catalog", {"operation": house.operation("catalog_rebuild")}, region=region
    )
    return found


@pytest.fixture
def copied(house: House, saved: SavedBackup) -> dict[str, object]:
    """A backup in both regions, proven here and proved intact there; the rows of both."""
    saved.put(house)
    named = {"operation": house.operation("vault_backup"), "backup_id": saved.id}
    house.run("verify_backup", named)
    house.run("copy_backup", named)
    record_proof(house.catalog(), house.store(), house.operation("vault_restore_test"), saved.id, "proven")
    record_rate(house.catalog(), house.store(), saved.id, "load_rate", 31_000_000)
    record_rate(house.catalog(), house.store(), saved.id, "proof_rate", 52_000_000)
    return {region: house.catalog(region).rows() for region in (PRIMARY, STANDBY)}


@pytest.mark.parametrize("region", [PRIMARY, STANDBY])
def test_a_lost_catalog_is_rebuilt_as_it_was_in_either_region(
    region: str, house: House, saved: SavedBackup, copied: dict[str, object]
) -> None:
    house.catalog(region).delete(saved.id)
    assert _rebuild(house, region) == {"added": [saved.id], "already_there": 0}
    assert house.catalog(region).rows() == copied[region]
    assert _rebuild(house, region) == {"added": [], "already_there": 1}


def test_a_proof_that_never_reached_the_catalog_is_not_lost_with_it(house: House, saved: SavedBackup) -> None:
    saved.put(house)
    house.catalog().put(dataclasses.replace(house.catalog().get(saved.id), proof="stored"))
    named = {"operation": house.operation("vault_backup", saved.row.operation_id), "backup_id": saved.id}
    with refused("UpdateItem", "AccessDeniedException"), pytest.raises(MailarkError):
        house.run("verify_backup", named)  # as if it had died there
    house.catalog().delete(saved.id)
    _rebuild(house)
    assert house.catalog().get(saved.id).proof == "intact"


def test_a_dump_that_was_refused_is_still_nobody_elses_to_raise_in_a_rebuilt_catalog(
    house: House, dumped: SavedBackup
) -> None:
    dumped.put(house)  # no tag of its manifest was ever written
    house.catalog().delete(dumped.id)
    _rebuild(house)
    tested = {"operation": house.operation("database_restore_test"), "backup_id": dumped.id}
    house.run("verify_backup", tested)
    rebuilt = house.catalog().get(dumped.id)
    assert (rebuilt.proof, rebuilt.operation_id) == ("stored", dumped.row.operation_id)


def test_a_row_that_is_there_stays_as_it_is(house: House, saved: SavedBackup) -> None:
    row = dataclasses.replace(saved.put(house), proof="proven")
    house.catalog().put(row)
    assert _rebuild(house)["already_there"] == 1
    assert house.catalog().get(saved.id) == row


def test_a_backup_hidden_by_a_deletion_is_found(house: House, saved: SavedBackup) -> None:
    row = saved.put(house)
    house.catalog().delete(saved.id)
    for key, _ in row.versions:
        aws("s3").delete_object(Bucket=bucket_name("backups", PRIMARY), Key=key)
    assert _rebuild(house)["added"] == [saved.id]
    assert house.catalog().get(saved.id).versions == row.versions


def test_of_two_objects_of_one_size_it_is_the_one_that_the_manifest_describes(house: House, saved: SavedBackup) -> None:
    row = saved.put(house)
    house.catalog().delete(saved.id)
    aws("s3").put_object(Bucket=bucket_name("backups", PRIMARY), Key=row.key, Body=bytes(len(saved.content)))
    assert _rebuild(house)["added"] == [saved.id]
    assert house.catalog().get(saved.id).version_id == row.version_id


def test_of_two_manifests_it_is_the_one_that_is_signed(house: House, saved: SavedBackup) -> None:
    row = saved.put(house)
    house.catalog().delete(saved.id)
    forged = saved.manifest.replace(b'"live_count":', b'"live_count":1')
    assert forged != saved.manifest
    aws("s3").put_object(Bucket=bucket_name("backups", PRIMARY), Key=manifest_key(row.key), Body=forged)
    assert _rebuild(house)["added"] == [saved.id]
    assert house.catalog().get(saved.id).manifest_version == row.manifest_version


def test_a_manifest_without_its_object_makes_no_row_and_ends_red(house: House, saved: SavedBackup) -> None:
    row = saved.put(house, content=b"something else")
    house.catalog().delete(saved.id)
    said = f"0 made a row, and 1 did not, first {manifest_key(row.key)}: The object of {row.id} is not at {row.key}."
    with pytest.raises(CatalogIncomplete, match=said):
        _rebuild(house)
    assert house.catalog().rows() == []


def test_a_status_that_nobody_wrote_counts_for_nothing(house: House, saved: SavedBackup) -> None:
    row = saved.put(house)
    house.catalog().delete(saved.id)
    aws("s3").put_object_tagging(
        Bucket=bucket_name("backups", PRIMARY),
        Key=manifest_key(row.key),
        VersionId=row.manifest_version,
        Tagging={"TagSet": [{"Key": "proof", "Value": "certainly"}, {"Key": "load_rate", "Value": "-1"}]},
    )
    _rebuild(house)
    assert (house.catalog().get(saved.id).proof, house.catalog().get(saved.id).copy) == ("stored", "pending")


def test_what_aws_refuses_fails_and_writes_nothing(house: House, saved: SavedBackup) -> None:
    saved.put(house)
    house.catalog().delete(saved.id)
    with refused(on_s3("GET", "versions"), "AccessDenied", 403), pytest.raises(StorageRefused):
        _rebuild(house)
    with refused("Verify", "AccessDeniedException"), pytest.raises(KeyUnusable):
        _rebuild(house)
    assert house.catalog().rows() == []


# --- dumps ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("region", [PRIMARY, STANDBY])
def test_a_dump_is_found_again_beside_a_snapshot_in_either_region(
    region: str, house: House, saved: SavedBackup, dumped: SavedBackup
) -> None:
    rows = [saved.put(house, region), dumped.put(house, region)]
    for row in rows:
        tested = house.operation(f"{row.kind}_restore_test")
        record_proof(house.catalog(region), house.store(region), tested, row.id, "proven")
    before = house.catalog(region).rows()
    for row in rows:
        house.catalog(region).delete(row.id)
    assert _rebuild(house, region) == {"added": sorted(row.id for row in rows), "already_there": 0}
    assert house.catalog(region).rows() == before
    assert _rebuild(house, region) == {"added": [], "already_there": 2}


def test_a_dump_without_its_object_makes_no_row_and_ends_red(house: House, dumped: SavedBackup) -> None:
    row = dumped.put(house, content=b"something else")
    house.catalog().delete(dumped.id)
    with pytest.raises(CatalogIncomplete, match=f"The object of {row.id} is not at {row.key}."):
        _rebuild(house)
    assert house.catalog().rows() == []
