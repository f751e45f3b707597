"""`write_manifest`: the signed manifest beside the object, and the catalog's row at the level `stored`."""

from typing import Any

import msgspec
import pytest

from lambdas.adapters.signing import SigningKey
from lambdas.domain.backup import manifest_key
from lambdas.domain.errors import KeyUnusable, StorageRefused, Unexpected
from lambdas.domain.vault_manifest import Contents
from tests.actions.house import House, bucket_name
from tests.domain.builders import NAME, manifest_of
from tests.servers.aws import PRIMARY, aws, refused

ROW = {
    "id": NAME.id,
    "kind": "vault",
    "series": "daily",
    "date": "2026-11-22",
    "started_at": "2026-11-22T02:00:00+00:00",
    "key": NAME.key,
    "version_id": "v1",
    "size": 6,
    "proof": "stored",
    "copy": "pending",
    "operation_id": "op-1",
    "cluster_id": "c-1",
    "live_count": 1,
    "second_copy": "none",
    "finished_at": "2026-11-22T02:00:09+00:00",
    "loss_accepted": False,
    "load_rate": 0,
    "proof_rate": 0,
}


def _rows(house: House) -> list[dict[str, Any]]:
    """The rows of the catalog; each names the newest version of its manifest."""
    rows = [vars(row) for row in house.catalog().rows()]
    for row in rows:
        head = aws("s3").head_object(Bucket=bucket_name("backups", PRIMARY), Key=manifest_key(row["key"]))
        assert row.pop("manifest_version") == head["VersionId"]
    return rows


@pytest.fixture
def event(house: House) -> dict[str, Any]:
    """What the actions before it measured."""
    manifest = manifest_of()
    contents = house.work().put("op-1", "contents", manifest.contents)
    return {
        "operation": house.operation("vault_backup"),
        "backup_id": manifest.backup_id,
        "series": "daily",
        "started_at": manifest.started_at,
        "finished_at": manifest.finished_at,
        "source": manifest.source,
        "encryption": manifest.encryption,
        "stored": {
            "bucket": bucket_name("backups", PRIMARY),
            "key": manifest.key,
            "version_id": "v1",
            "plaintext_size": manifest.plaintext.size,
            "plaintext_sha256": manifest.plaintext.sha256,
            "ciphertext_size": manifest.ciphertext.size,
            "ciphertext_sha256": manifest.ciphertext.sha256,
        },
        "keys": manifest.keys,
        "contents": contents,
    }


def test_a_manifest_says_all_that_was_measured_and_its_signature_holds(house: House, event: dict[str, Any]) -> None:
    assert house.run("write_manifest", event) == {"backup_id": NAME.id, "backup_date": "2026-11-22"}
    found = house.store().signed_manifest(NAME.id, NAME.key, SigningKey(house.keys.arn("evidence")))
    expected = msgspec.structs.replace(manifest_of(), signature=found.signature, made_by=found.made_by)
    assert found == expected
    assert (found.made_by.operation_id, found.made_by.region) == ("op-1", PRIMARY)
    assert found.made_by.execution == event["operation"].execution
    assert found.signature is not None
    assert (found.signature.key_id, found.signature.algorithm) == (house.keys.arn("evidence"), "ECDSA_SHA_256")


def test_the_catalog_knows_the_backup_as_stored_and_its_copy_as_pending(house: House, event: dict[str, Any]) -> None:
    house.run("write_manifest", event)
    assert _rows(house) == [ROW]


def test_running_it_twice_leaves_one_backup(house: House, event: dict[str, Any]) -> None:
    assert house.run("write_manifest", event) == house.run("write_manifest", event)
    assert _rows(house) == [ROW]
    assert list(house.objects()) == ["vault/daily/2026-11-22/vault-snapshot-20261122T020000Z.manifest.json"]
    house.store().signed_manifest(NAME.id, NAME.key, SigningKey(house.keys.arn("evidence")))


def test_a_manifest_that_cannot_be_signed_is_not_written(house: House, event: dict[str, Any]) -> None:
    with refused("Sign", "AccessDeniedException"), pytest.raises(KeyUnusable, match=house.keys.arn("evidence")):
        house.run("write_manifest", event)
    assert house.objects() == {}
    assert house.catalog().rows() == []


def test_a_manifest_that_cannot_be_stored_leaves_the_catalog_without_the_backup(
    house: House, event: dict[str, Any]
) -> None:
    with (
        refused(lambda request: request.method == "PUT" and "s3." in request.url, "AccessDenied", 403),
        pytest.raises(StorageRefused, match="S3 refused PutObject"),
    ):
        house.run("write_manifest", event)
    assert house.catalog().rows() == []


def test_what_died_between_the_manifest_and_the_catalog_is_finished_by_running_it_again(
    house: House, event: dict[str, Any]
) -> None:
    with refused("PutItem", "AccessDeniedException"), pytest.raises(Unexpected, match="unexpected"):
        house.run("write_manifest", event)
    assert len(house.objects()) == 1
    house.run("write_manifest", event)
    assert _rows(house) == [ROW]


def test_a_list_of_secrets_that_is_gone_is_an_error_before_anything_is_signed(
    house: House, event: dict[str, Any]
) -> None:
    with refused("Sign", "AccessDeniedException") as signing, pytest.raises(Unexpected, match="NoSuchKey"):
        house.run("write_manifest", event | {"contents": "op-1/gone.json"})
    assert signing.met == 0
    assert house.work().get("op-1/contents.json", Contents)
