"""`copy_to_second_store`: a copy with somebody else, with a status of its own; the backup is good without it."""

import json
from collections.abc import Iterator

import msgspec
import pytest

from lab.certificates import CertificateAuthority
from lambdas.domain.backup import manifest_key
from lambdas.domain.database_errors import DatabaseNotInEstate, SecondStoreRefused
from lambdas.domain.errors import BackupUnknown, ManifestInvalid
from lambdas.domain.estate_database import SecondStore
from tests.actions.database_house import NIGHT, Databases, Event, change_database, put_secret
from tests.actions.house import House, SavedBackup
from tests.servers.second_store import BUCKET, SecondStoreServer, second_store_server


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecondStoreServer]:
    with second_store_server(CertificateAuthority(tmp_path_factory.mktemp("second-store"))) as server:
        yield server


@pytest.fixture
def second(house: House, database: Databases, running: SecondStoreServer) -> SecondStoreServer:
    """A second store, in the estate of the house."""
    arn = put_secret("second-store", json.dumps({"access_key_id": "theirs", "secret_access_key": "untold-key"}))
    house.secrets.add("untold-key")
    store = SecondStore(running.endpoint, "us-east-1", BUCKET, arn, running.authority.pem)
    change_database(house, second_store=store)
    running.make_bucket()
    running.spoil = bytes
    return running


def _copy(house: House, backup: SavedBackup) -> Event:
    operation = house.operation("database_backup", started_at=NIGHT)
    copied: Event = house.run("copy_to_second_store", {"operation": operation, "backup_id": backup.id})
    return copied


def test_a_copy_lies_there_and_the_catalog_knows_it_however_often_this_runs(
    house: House, dumped: SavedBackup, second: SecondStoreServer
) -> None:
    row = dumped.put(house)
    for _ in range(2):
        assert _copy(house, dumped) == {"status": "intact"}
        assert second.objects() == {row.key: dumped.content, manifest_key(row.key): dumped.manifest}
        assert house.catalog().get(row.id).second_copy == "intact"
    assert house.catalog().get(row.id).copy == "pending"


def test_an_estate_without_a_second_store_has_no_copy_there(
    house: House, dumped: SavedBackup, database: Databases
) -> None:
    row = dumped.put(house)
    assert _copy(house, dumped) == {"status": "none"}
    assert house.catalog().get(row.id) == row


def test_a_store_that_refuses_fails_the_copy_and_not_the_backup(
    house: House, dumped: SavedBackup, second: SecondStoreServer
) -> None:
    row = dumped.put(house)
    assert house.database is not None
    assert house.database.second_store is not None
    named = house.database.second_store
    change_database(house, second_store=msgspec.structs.replace(named, bucket="nowhere"))
    with pytest.raises(SecondStoreRefused, match=r"second-store-refused: .*NoSuchBucket"):
        _copy(house, dumped)
    after = house.catalog().get(row.id)
    assert (after.second_copy, after.proof, after.copy) == ("failed", "intact", "pending")
    change_database(house, second_store=named)
    _copy(house, dumped)
    assert house.catalog().get(row.id).second_copy == "intact"


def test_a_copy_that_reads_back_otherwise_has_failed(
    house: House, dumped: SavedBackup, second: SecondStoreServer
) -> None:
    row = dumped.put(house)
    second.spoil = lambda body: body[:-1] + b"?"
    with pytest.raises(SecondStoreRefused, match="is not what was sent"):
        _copy(house, dumped)
    assert house.catalog().get(row.id).second_copy == "failed"
    assert list(second.objects()) == [row.key]


def test_a_manifest_that_was_edited_is_not_copied(house: House, dumped: SavedBackup, second: SecondStoreServer) -> None:
    dumped.put(house, manifest=dumped.manifest.replace(b'"rows":', b'"rows":1'))
    with pytest.raises(ManifestInvalid, match="manifest-invalid"):
        _copy(house, dumped)
    assert second.objects() == {}


def test_a_backup_that_the_catalog_does_not_know_is_named(
    house: House, dumped: SavedBackup, second: SecondStoreServer
) -> None:
    with pytest.raises(BackupUnknown, match="backup-unknown"):
        _copy(house, dumped)


def test_an_estate_without_a_database_has_nothing_to_copy(house: House, dumped: SavedBackup) -> None:
    with pytest.raises(DatabaseNotInEstate, match="database-not-in-estate"):
        _copy(house, dumped)
