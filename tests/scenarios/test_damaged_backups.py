"""A backup that is not what it was: found before the live Vault is touched, whatever was done to it."""

import base64
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import datetime, timedelta

import pytest

from lambdas.adapters.envelope import Envelope
from lambdas.domain.backup import BackupName, CatalogRow, manifest_key
from lambdas.domain.mailark_error import Failure
from tests.scenarios.house import House, broken, failure

FRAME = 1024 * 1024


@pytest.fixture
def victim(house: House, backup_id: str) -> Iterator[CatalogRow]:
    """A good backup to be damaged; everything about it is put back afterwards."""
    row = house.catalog()[backup_id]
    item = _item(house, row)
    yield row
    house.lab.client("dynamodb").put_item(TableName="mailark-catalog", Item=item)


def _item(house: House, row: CatalogRow) -> dict[str, dict[str, str]]:
    answer = house.lab.client("dynamodb").get_item(TableName="mailark-catalog", Key={"id": {"S": row.id}})
    found: dict[str, dict[str, str]] = answer["Item"]
    return found


def _replace_object(house: House, row: CatalogRow, body: bytes) -> None:
    """Put other bytes in a backup's place, and let the catalog name them: as somebody with access to both could."""
    answer = house.lab.client("s3").put_object(Bucket=house.bucket(), Key=row.key, Body=body)
    _name(house, row, version_id=answer["VersionId"])


def _name(house: House, row: CatalogRow, **values: str) -> None:
    """Let the catalog say something else of a backup."""
    item = _item(house, row) | {name: {"S": value} for name, value in values.items()}
    house.lab.client("dynamodb").put_item(TableName="mailark-catalog", Item=item)


def _refused(house: House, row: CatalogRow) -> Failure:
    """Try to restore the backup: it must be refused, with an alert, a free lease and an untouched Vault."""
    before, canary = house.fingerprint(), house.lab.canary()
    finished = house.run("vault_restore", {"reason": "a damaged backup", "backup_id": row.id})
    found = failure(finished)
    alert = house.alert_of(finished.arn)
    assert found.code in alert.subject
    assert found.sentence in alert.body
    assert found.hint in alert.body
    assert "VerifyBackup" in house.states_entered(finished.arn)
    assert "RestoreVaultSnapshot" not in house.states_entered(finished.arn)
    assert house.audit_events(finished.arn) == ["operation_started", "vault_restoration_failed"]
    assert house.lease_is_free("vault")
    assert (house.fingerprint(), house.lab.canary()) == (before, canary)
    return found


def _flipped(body: bytes) -> bytes:
    middle = len(body) // 2
    return body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1 :]


DAMAGE: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "truncated": (lambda body: body[:-1], "its encryption does not verify"),
    "cut to nothing": (lambda body: body[:0], "its encryption does not verify"),
    "a flipped bit": (_flipped, "its encryption does not verify"),
    "bytes appended": (lambda body: body + b"x", "there are bytes after its end"),
    "its first half twice": (lambda body: body[: len(body) // 2] * 2, "its encryption does not verify"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_object_is_refused(house: House, victim: CatalogRow, damage: str) -> None:
    change, problem = DAMAGE[damage]
    _replace_object(house, victim, change(house.object_bytes(victim)))

    found = _refused(house, victim)

    assert found.code == "backup-damaged"
    assert found.sentence.startswith(f"{victim.id} is damaged: {problem}")
    assert found.hint == (
        "Restore another backup; this one stays where it is, as evidence. The other region's copy may be whole."
    )


def test_another_backups_object_in_its_place_is_refused(house: House, victim: CatalogRow) -> None:
    other = house.run_well("vault_backup", {"reason": "another backup"}).arn.rsplit(":", 1)[-1]
    another = next(row for row in house.catalog().values() if row.operation_id == other)
    _replace_object(house, victim, house.object_bytes(another))

    found = _refused(house, victim)

    assert found.code == "backup-damaged"
    assert found.sentence == f"{victim.id} is damaged: it was sealed as another backup."


def test_an_object_encrypted_under_another_key_is_refused(house: House, victim: CatalogRow) -> None:
    lab = house.lab
    kms = lab.client("kms")
    stranger = kms.create_key(MultiRegion=True)["KeyMetadata"]["Arn"]
    context = house.manifest(victim).encryption.context
    with lab.as_root():
        forged = b"".join(Envelope(stranger, lab.offline.public_pem).seal([b"forged"], context))
    _replace_object(house, victim, forged)

    found = _refused(house, victim)

    assert found.code == "backup-damaged"
    assert found.sentence == f"{victim.id} is damaged: it does not open under the backup key."


def test_a_backup_without_its_manifest_is_refused(house: House, victim: CatalogRow) -> None:
    _name(house, victim, manifest_version="0" * 32)

    found = _refused(house, victim)

    assert found.code == "manifest-missing"
    assert found.sentence == f"{victim.id} has no manifest at {manifest_key(victim.key)}."


def test_neither_a_deletion_nor_a_newer_version_of_a_manifest_hides_the_one_that_was_made(
    house: House, victim: CatalogRow
) -> None:
    """Object Lock keeps versions, not names: whoever may write can hide a name, and no more."""
    s3, key = house.lab.client("s3"), manifest_key(victim.key)
    forged = s3.put_object(Bucket=house.bucket(), Key=key, Body=b"{}")["VersionId"]
    hidden = s3.delete_object(Bucket=house.bucket(), Key=key)["VersionId"]

    house.run_well("vault_restore", {"reason": "its manifest is hidden", "backup_id": victim.id})

    for version in (hidden, forged):
        s3.delete_object(Bucket=house.bucket(), Key=key, VersionId=version)


def _edit(house: House, row: CatalogRow, change: Callable[[dict[str, object]], object]) -> None:
    s3, key = house.lab.client("s3"), manifest_key(row.key)
    answer = s3.get_object(Bucket=house.bucket(), Key=key, VersionId=row.manifest_version)
    manifest = json.loads(answer["Body"].read())
    change(manifest)
    edited = s3.put_object(Bucket=house.bucket(), Key=key, Body=json.dumps(manifest).encode())
    _name(house, row, manifest_version=edited["VersionId"])


def _sign_with(house: House, key: str) -> Callable[[dict[str, object]], object]:
    kms = house.lab.client("kms")
    value = kms.sign(KeyId=key, Message=b"x" * 32, MessageType="DIGEST", SigningAlgorithm="ECDSA_SHA_256")
    signature = {"key_id": key, "algorithm": "ECDSA_SHA_256", "value": base64.b64encode(value["Signature"]).decode()}
    return lambda manifest: manifest.update(signature=signature)


def test_an_edited_manifest_is_refused(house: House, victim: CatalogRow) -> None:
    _edit(house, victim, lambda manifest: manifest.update(finished_at="2026-01-01T00:00:00+00:00"))

    found = _refused(house, victim)

    assert found.code == "manifest-invalid"
    assert found.sentence == f"The manifest of {victim.id} is not what was signed: its signature does not match."
    assert found.hint == "Treat it as tampered with. Restore another backup, and tell the security team."


def test_a_manifest_signed_by_somebody_else_is_refused(house: House, victim: CatalogRow) -> None:
    _edit(house, victim, _sign_with(house, "alias/mailark-vault-backup"))

    assert _refused(house, victim).code == "manifest-invalid"


def test_a_manifest_without_a_signature_is_refused(house: House, victim: CatalogRow) -> None:
    _edit(house, victim, lambda manifest: manifest.pop("signature"))

    found = _refused(house, victim)

    assert found.sentence == f"The manifest of {victim.id} is not what was signed: it is not signed."


def test_a_backup_renamed_to_another_days_key_is_refused(house: House, victim: CatalogRow) -> None:
    """Object and manifest are moved together, and the catalog is made to fit: yesterday's passwords as today's."""
    s3, dynamo = house.lab.client("s3"), house.lab.client("dynamodb")
    renamed, key = "vault-snapshot-20200101T020000Z", "vault/daily/2020-01-01/vault-snapshot-20200101T020000Z.enc"
    body = s3.put_object(Bucket=house.bucket(), Key=key, Body=house.object_bytes(victim))
    manifest = s3.get_object(Bucket=house.bucket(), Key=manifest_key(victim.key))["Body"].read()
    copied = s3.put_object(Bucket=house.bucket(), Key=manifest_key(key), Body=manifest)
    moved = {
        "id": {"S": renamed},
        "key": {"S": key},
        "version_id": {"S": body["VersionId"]},
        "manifest_version": {"S": copied["VersionId"]},
        "date": {"S": "2020-01-01"},
    }
    dynamo.put_item(TableName="mailark-catalog", Item=_item(house, victim) | moved)

    row = house.catalog()[renamed]
    found = _refused(house, row)
    dynamo.delete_item(TableName="mailark-catalog", Key={"id": {"S": renamed}})
    for name, version in row.versions:
        s3.delete_object(Bucket=house.bucket(), Key=name, VersionId=version)

    assert found.code == "backup-misplaced"
    assert found.sentence == f"The manifest at {manifest_key(key)} belongs to {victim.id}, not to {renamed}."


@contextmanager
def _disabled(house: House, alias: str) -> Iterator[None]:
    kms = house.lab.client("kms")
    key = kms.describe_key(KeyId=alias)["KeyMetadata"]["KeyId"]
    kms.disable_key(KeyId=key)
    try:
        yield
    finally:
        kms.enable_key(KeyId=key)


def test_with_its_kms_key_disabled_a_backup_cannot_be_opened_and_the_cure_is_named(
    house: House, victim: CatalogRow
) -> None:
    with _disabled(house, "alias/mailark-backup"):
        found = _refused(house, victim)

    assert found.code == "key-unusable"
    assert found.sentence.endswith(": it is disabled.")
    assert found.hint == (
        "Enable the key, or cancel its deletion, and check its policy; then start the execution again. "
        "Without KMS, docs/break-glass.md opens a backup with the offline key."
    )


def test_an_object_that_is_gone_is_refused(house: House, victim: CatalogRow) -> None:
    item = _item(house, victim) | {"version_id": {"S": "0" * 32}}
    house.lab.client("dynamodb").put_item(TableName="mailark-catalog", Item=item)

    found = _refused(house, victim)

    assert found.code == "backup-missing"
    assert found.sentence == f"The object of {victim.id} is not at {victim.key}."


@pytest.fixture
def vanished(house: House, backup_id: str) -> Iterator[str]:
    """A backup that the catalog names, and of which somebody has left nothing."""
    dynamo, row = house.lab.client("dynamodb"), house.catalog()[backup_id]
    name = BackupName("vault", "daily", datetime.fromisoformat(row.started_at) - timedelta(days=1))
    item = _item(house, row) | {
        "id": {"S": name.id},
        "key": {"S": name.key},
        "started_at": {"S": name.started_at.isoformat()},
    }
    dynamo.put_item(TableName="mailark-catalog", Item=item)
    yield name.id
    dynamo.delete_item(TableName="mailark-catalog", Key={"id": {"S": name.id}})


@pytest.mark.parametrize("also_broken", [None, "take_vault_snapshot"])
def test_a_backup_that_vanished_is_told_before_anything_else_and_the_other_region_stays_locked(
    house: House, vanished: str, also_broken: str | None
) -> None:
    with broken(house, also_broken) if also_broken else nullcontext():
        finished = house.run("vault_backup", {"reason": "somebody deletes backups"})
    found = failure(finished)
    assert (found.code, found.sentence.endswith(f"first {vanished}.")) == ("backups-vanished", True)
    assert "backups-vanished" in house.alert_of(finished.arn).subject
    assert house.states_entered(finished.arn)[-3:] == ["ApplyRetentionCopiesAfterFailure", "FailOperation", "Failed"]
    here, there = json.loads(house.operation(finished.arn)["outcome"])["details"]["retention"]
    assert here is None
    assert there["region"] == house.lab.standby
    assert {kept["backup_id"] for kept in there["kept"]} == set(house.catalog(house.lab.standby))
    assert (there["deleted"], there["deferred_by"]) == ([], finished.arn)
    assert house.lease_is_free("backup#vault")
