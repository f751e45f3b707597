"""`write_database_manifest`: what a dump is and held, signed beside it, and known to the catalog."""

import json

import msgspec
import pytest

from lambdas.adapters.signing import SigningKey
from lambdas.domain.backup import manifest_key
from lambdas.domain.database_manifest import DatabaseManifest
from lambdas.domain.errors import KeyUnusable, StorageRefused, Unexpected
from lambdas.domain.estate_database import SecondStore
from tests.actions.database_house import DUMP, KEY, NIGHT, Databases, Event, change_database
from tests.actions.house import House, bucket_name
from tests.servers.aws import PRIMARY, aws, refused


@pytest.fixture
def event(house: House, database: Databases) -> Event:
    """What the state machine passes on of a dump."""
    operation = house.operation("database_backup", started_at=NIGHT)
    dumped: Event = house.run("dump_database", {"operation": operation})
    return dumped | {"operation": operation}


def _manifest(house: House) -> DatabaseManifest:
    manifest = house.store().signed_manifest(DUMP, KEY, SigningKey(house.keys.arn("evidence")))
    assert isinstance(manifest, DatabaseManifest)
    return manifest


def test_it_says_what_the_dump_is_and_what_the_database_held(house: House, database: Databases, event: Event) -> None:
    assert house.run("write_database_manifest", event) == {"backup_id": DUMP, "backup_date": "2026-11-22"}
    manifest, contents = _manifest(house), database.contents()
    assert (manifest.kind, manifest.series, manifest.made_by.operation_id) == ("database", "daily", "op-1")
    assert manifest.ciphertext.size == len(house.objects()[KEY])
    assert {table.name: table.rows for table in manifest.contents.tables} == {
        name: rows for name, (rows, _) in contents.items()
    }
    assert len({table.checksum for table in manifest.contents.tables}) == len(contents)
    assert manifest.contents.roles == ["postgres", "smtpy"]
    assert manifest.contents.alembic == "9f3c1a7be204"
    assert manifest.contents.left_out == []
    aliases = next(each for each in manifest.contents.sequences if each.name == "aliases_id_seq")
    assert aliases.last_value == contents["aliases"][0]


def test_the_catalog_knows_it_as_stored_and_not_copied(house: House, event: Event) -> None:
    house.run("write_database_manifest", event)
    row, source = house.catalog().get(DUMP), event["source"]
    assert (row.kind, row.proof, row.copy, row.second_copy) == ("database", "stored", "pending", "none")
    assert row.version_id == event["stored"]["version_id"]
    assert (row.size, row.live_count) == (event["stored"]["ciphertext_size"], event["rows"])
    assert row.cluster_id == f"{source['system_identifier']}/smtpy"


def test_an_accepted_loss_is_signed_and_a_rebuilt_catalog_knows_it(house: House, event: Event) -> None:
    house.run("write_database_manifest", event | {"accept_loss": True})
    assert _manifest(house).loss_accepted is True
    row = house.catalog().get(DUMP)
    assert row.loss_accepted is True
    house.catalog().delete(DUMP)
    house.run("rebuild_catalog", {"operation": house.operation("catalog_rebuild")})
    assert house.catalog().get(DUMP) == row


def test_where_the_estate_names_a_second_store_that_copy_is_still_to_come_in_a_rebuilt_catalog_too(
    house: House, event: Event
) -> None:
    arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:second-AbCdEf"
    change_database(house, second_store=SecondStore("https://s3.example.org", "us-east-1", "offsite", arn))
    house.run("write_database_manifest", event)
    row = house.catalog().get(DUMP)
    assert (row.copy, row.second_copy) == ("pending", "pending")
    house.catalog().delete(DUMP)
    house.run("rebuild_catalog", {"operation": house.operation("catalog_rebuild")})
    assert house.catalog().get(DUMP) == row


def test_where_no_loss_was_accepted_the_manifest_has_no_word_of_it(house: House, event: Event) -> None:
    house.run("write_database_manifest", event)
    assert "loss_accepted" not in json.loads(house.objects()[manifest_key(KEY)])
    assert _manifest(house).loss_accepted is msgspec.UNSET
    assert house.catalog().get(DUMP).loss_accepted is False


def test_what_a_recovery_saves_is_to_have_no_copy_anywhere(house: House, database: Databases) -> None:
    arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:second-AbCdEf"
    change_database(house, second_store=SecondStore("https://s3.example.org", "us-east-1", "offsite", arn))
    operation = house.operation("database_corruption", started_at=NIGHT)
    dumped = house.run("dump_database", {"operation": operation, "series": "pre-restore"})
    house.run("write_database_manifest", dumped | {"operation": operation})
    row = house.catalog().get(dumped["backup_id"])
    assert (row.copy, row.second_copy) == ("none", "none")


def test_running_it_twice_says_the_same_twice(house: House, event: Event) -> None:
    house.run("write_database_manifest", event)
    first = json.loads(house.objects()[manifest_key(KEY)])
    house.run("write_database_manifest", event)
    second = json.loads(house.objects()[manifest_key(KEY)])
    assert first | {"signature": None} == second | {"signature": None}
    assert [row.id for row in house.catalog().rows()] == [DUMP]
    _manifest(house)


def test_no_row_is_readable_in_it(house: House, event: Event) -> None:
    house.run("write_database_manifest", event)
    written = house.objects()[manifest_key(KEY)].decode()
    assert not [secret for secret in house.secrets if secret in written]


def test_a_dump_that_could_not_be_signed_is_no_backup(house: House, event: Event) -> None:
    with refused("Sign", "AccessDeniedException"), pytest.raises(KeyUnusable, match="key-unusable"):
        house.run("write_database_manifest", event)
    assert house.catalog().rows() == []
    assert list(house.objects()) == [KEY]


def test_a_manifest_that_s3_refuses_makes_no_row(house: House, event: Event) -> None:
    with (
        refused(lambda request: request.method == "PUT" and "s3." in request.url, "AccessDenied", 403),
        pytest.raises(StorageRefused, match="S3 refused PutObject"),
    ):
        house.run("write_database_manifest", event)
    assert house.catalog().rows() == []


def test_what_the_dump_left_in_the_work_bucket_must_be_there(house: House, event: Event) -> None:
    aws("s3").delete_object(Bucket=bucket_name("work", PRIMARY), Key=event["contents"])
    with pytest.raises(Unexpected, match="NoSuchKey from GetObject"):
        house.run("write_database_manifest", event)
    assert house.catalog().rows() == []
