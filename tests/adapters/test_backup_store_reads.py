"""Reads of backups and of their manifests, and copies of both to the other region."""

import dataclasses
import json
import secrets
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lambdas.adapters.backup_store import BackupStore
from lambdas.adapters.signing import ALGORITHM, SigningKey
from lambdas.domain.backup import CatalogRow, Series, Signature, manifest_key
from lambdas.domain.errors import (
    BackupMisplaced,
    BackupMissing,
    KeyUnusable,
    ManifestInvalid,
    ManifestMissing,
    StorageRefused,
)
from lambdas.domain.manifest import Manifest
from tests.domain.builders import STARTED, manifest_of, row_of
from tests.servers.aws import STANDBY, aws, make_signing_key, refused, replica
from tests.servers.buckets import make_bucket, put, signed, unfinished, versions

pytestmark = pytest.mark.usefixtures("_clean", "_small_ranges")

RANGE = 64 * 1024


@pytest.fixture
def _small_ranges(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ranges that are read in no time; S3 has no smallest range, as it has a smallest part."""
    monkeypatch.setattr("lambdas.adapters.backup_store.PART_BYTES", RANGE)


@pytest.fixture
def store() -> BackupStore:
    return make_bucket()


@pytest.fixture(scope="module")
def evidence() -> SigningKey:
    return make_signing_key()


def _row(store: BackupStore, content: bytes) -> CatalogRow:
    """A backup that is stored, as the catalog knows it."""
    row = row_of()
    return _at_version(row, put(store, row.key, content))


def _at_version(row: CatalogRow, version: str) -> CatalogRow:
    return dataclasses.replace(row, version_id=version)


# --- objects ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, RANGE - 1, RANGE, RANGE + 1, 4 * RANGE + 5])
def test_an_object_is_read_whole_and_in_order(size: int, store: BackupStore) -> None:
    content = secrets.token_bytes(size)
    row = _row(store, content)
    pieces = list(store.read(row))
    assert b"".join(pieces) == content
    assert all(len(piece) <= RANGE for piece in pieces)
    assert store.size(row.id, row.key, row.version_id) == size


def test_what_is_read_is_the_version_of_the_catalog_whatever_was_put_over_it(store: BackupStore) -> None:
    first, second = secrets.token_bytes(2 * RANGE), secrets.token_bytes(2 * RANGE)
    row = _row(store, first)
    put(store, row.key, second)
    assert b"".join(store.read(row)) == first
    aws("s3", store.region).delete_object(Bucket=store.bucket, Key=row.key)
    assert b"".join(store.read(row)) == first


def test_a_version_that_is_put_while_another_is_read_does_not_mix_in(store: BackupStore) -> None:
    content = secrets.token_bytes(4 * RANGE)
    row = _row(store, content)
    reading = store.read(row)
    begin = next(reading)
    put(store, row.key, secrets.token_bytes(4 * RANGE))
    assert begin + b"".join(reading) == content


def test_a_reading_that_is_given_up_ends(store: BackupStore) -> None:
    reading = store.read(_row(store, bytes(4 * RANGE)))
    next(reading)
    reading.close()  # type: ignore[attr-defined]  # a generator


def test_an_object_that_is_missing_is_named(store: BackupStore) -> None:
    row = row_of()
    with pytest.raises(BackupMissing, match=f"The object of {row.id} is not at {row.key}."):
        list(store.read(row))


@pytest.mark.parametrize(
    ("series", "cure"),
    [("daily", "from the other region's bucket"), ("pre-restore", "only nightly ones"), ("staging", "an empty disk")],
)
def test_what_is_missing_names_the_cure_of_its_series(
    store: BackupStore, evidence: SigningKey, series: Series, cure: str
) -> None:
    row = row_of(series=series)
    with pytest.raises(BackupMissing, match=f"Next: .*{cure}"):
        list(store.read(row))
    with pytest.raises(ManifestMissing, match=f"Next: .*{cure}"):
        store.signed_manifest(row.id, row.key, evidence)


def test_a_version_that_is_missing_is_named(store: BackupStore) -> None:
    row = _row(store, b"x")
    aws("s3", store.region).delete_object(
        Bucket=store.bucket, Key=row.key, VersionId=row.version_id, BypassGovernanceRetention=True
    )
    put(store, row.key, b"another")
    with pytest.raises(BackupMissing):
        list(store.read(row))


@pytest.mark.parametrize("method", ["HEAD", "GET"])
def test_a_refused_read_is_named_and_not_taken_for_a_missing_object(method: str, store: BackupStore) -> None:
    row = _row(store, b"x")
    with (
        refused(lambda request: request.method == method, "AccessDenied", 403),
        pytest.raises(StorageRefused, match=f"in {store.bucket}: (AccessDenied|403)"),
    ):
        list(store.read(row))


def test_a_range_that_is_refused_in_the_middle_is_an_error_and_not_an_end(store: BackupStore) -> None:
    row = _row(store, secrets.token_bytes(4 * RANGE))
    with (
        refused(lambda r: f"bytes={2 * RANGE}-" in str(r.headers.get("Range")), "InternalError", 500),
        pytest.raises(StorageRefused, match="GetObject"),
    ):
        list(BackupStore(store.region, store.bucket).read(row))


# --- manifests --------------------------------------------------------------------------------------------


def test_a_manifest_is_read_as_it_was_written_once_its_signature_is_verified(
    store: BackupStore, evidence: SigningKey
) -> None:
    manifest = signed(manifest_of(), evidence)
    store.put_manifest(manifest)
    assert versions(store) == [manifest_key(manifest.key)]
    assert store.signed_manifest(manifest.backup_id, manifest.key, evidence) == manifest


def test_a_manifest_is_verified_in_the_other_region_with_the_replica_of_the_key(
    store: BackupStore, evidence: SigningKey
) -> None:
    manifest = signed(manifest_of(), evidence)
    store.put_manifest(manifest)
    found = store.signed_manifest(manifest.backup_id, manifest.key, SigningKey(replica(evidence.arn)))
    assert found == manifest


def test_a_manifest_that_is_missing_is_named(store: BackupStore, evidence: SigningKey) -> None:
    row = row_of()
    with pytest.raises(ManifestMissing, match=f"{row.id} has no manifest at {manifest_key(row.key)}."):
        store.signed_manifest(row.id, row.key, evidence)


def test_a_manifest_that_may_not_be_read_is_not_taken_for_a_missing_one(
    store: BackupStore, evidence: SigningKey
) -> None:
    row = row_of()
    with (
        refused(lambda request: request.method == "GET", "AccessDenied", 403),
        pytest.raises(StorageRefused, match="AccessDenied"),
    ):
        store.signed_manifest(row.id, row.key, evidence)


def test_a_manifest_that_may_not_be_written_is_named(store: BackupStore, evidence: SigningKey) -> None:
    with (
        refused(lambda request: request.method == "PUT", "AccessDenied", 403),
        pytest.raises(StorageRefused, match="PutObject"),
    ):
        store.put_manifest(signed(manifest_of(), evidence))


def test_a_manifest_without_a_signature_is_refused(store: BackupStore, evidence: SigningKey) -> None:
    manifest = msgspec.structs.replace(manifest_of(), signature=None)
    store.put_manifest(manifest)
    with pytest.raises(ManifestInvalid, match="it is not signed"):
        store.signed_manifest(manifest.backup_id, manifest.key, evidence)


def test_a_manifest_that_another_key_signed_is_refused_whatever_key_it_names(
    store: BackupStore, evidence: SigningKey
) -> None:
    manifest = signed(manifest_of(), make_signing_key())
    store.put_manifest(manifest)
    with pytest.raises(ManifestInvalid, match="its signature names another key"):
        store.signed_manifest(manifest.backup_id, manifest.key, evidence)
    assert manifest.signature is not None
    forged = msgspec.structs.replace(manifest.signature, key_id=evidence.arn)
    store.put_manifest(manifest.with_signature(forged))
    with pytest.raises(ManifestInvalid, match="its signature does not match"):
        store.signed_manifest(manifest.backup_id, manifest.key, evidence)


@pytest.mark.parametrize("value", ["", "not base64!", "AAAA", "MEUCIQ=="])
def test_a_signature_that_is_none_is_refused(value: str, store: BackupStore, evidence: SigningKey) -> None:
    manifest = signed(manifest_of(), evidence)
    assert manifest.signature is not None
    store.put_manifest(manifest.with_signature(msgspec.structs.replace(manifest.signature, value=value)))
    with pytest.raises(ManifestInvalid, match="its signature does not match"):
        store.signed_manifest(manifest.backup_id, manifest.key, evidence)


def test_a_backup_that_was_moved_to_the_place_of_another_day_is_refused(
    store: BackupStore, evidence: SigningKey
) -> None:
    manifest = signed(manifest_of(), evidence)
    next_day = row_of(STARTED.replace(day=23))
    put(store, next_day.key, b"the object of the day before")
    put(store, manifest_key(next_day.key), manifest.encode())
    with pytest.raises(BackupMisplaced) as failure:
        store.signed_manifest(next_day.id, next_day.key, evidence)
    assert f"belongs to {manifest.backup_id}, not to {next_day.id}" in str(failure.value)


def test_a_key_that_kms_refuses_is_told_apart_from_a_forged_manifest(store: BackupStore, evidence: SigningKey) -> None:
    manifest = signed(manifest_of(), evidence)
    store.put_manifest(manifest)
    with refused("Verify", "AccessDeniedException"), pytest.raises(KeyUnusable, match="AccessDeniedException"):
        store.signed_manifest(manifest.backup_id, manifest.key, evidence)


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where a JSON value can be changed: every key of every object, every place in every list."""
    children: list[Any] = []
    if isinstance(value, dict):
        children = list(value)
    elif isinstance(value, list):
        children = list(range(len(value)))
    found = [(*path, child) for child in children]
    return found + [place for child in children for place in _places(value[child], (*path, child))]


_ANY: st.SearchStrategy[Any] = (
    st.none() | st.booleans() | st.integers(-5, 2**40) | st.text(max_size=8) | st.just([]) | st.just({})
)


@pytest.mark.parametrize("value", ["", "no base64", "\x80", "AAAA"])
def test_a_manifest_whose_signature_is_none_is_refused(value: str, store: BackupStore, evidence: SigningKey) -> None:
    manifest = manifest_of()
    forged = manifest.with_signature(Signature(evidence.arn, ALGORITHM, value))
    put(store, manifest_key(manifest.key), forged.encode())
    with pytest.raises(ManifestInvalid, match="its signature does not match"):
        store.signed_manifest(manifest.backup_id, manifest.key, evidence)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_manifest_that_was_changed_anywhere_is_refused(
    store: BackupStore, evidence: SigningKey, data: st.DataObject
) -> None:
    manifest = signed(manifest_of(), evidence)
    raw = json.loads(manifest.encode())
    *above, last = data.draw(st.sampled_from(_places(raw)), label="place")
    parent = raw
    for step in above:
        parent = parent[step]
    how = data.draw(st.sampled_from(["replace", "remove", "add"]), label="how")
    if how == "replace":
        parent[last] = data.draw(_ANY.filter(lambda new: new != parent[last] or type(new) is not type(parent[last])))
    elif how == "remove":
        del parent[last]
    elif isinstance(parent, dict):
        parent["another"] = data.draw(_ANY)
    else:
        parent.append(parent[last])
    put(store, manifest_key(manifest.key), json.dumps(raw).encode())
    with pytest.raises((ManifestInvalid, BackupMisplaced)):
        store.signed_manifest(manifest.backup_id, manifest.key, evidence)


@pytest.mark.parametrize("change", ["a key that stands twice", "white space", "another order"])
def test_a_manifest_is_refused_unless_it_is_written_as_it_was_signed(
    change: str, store: BackupStore, evidence: SigningKey
) -> None:
    manifest = signed(manifest_of(), evidence)
    raw, plain = manifest.encode(), json.loads(manifest.encode())
    changed = {
        "a key that stands twice": b'{"backup_id":"vault-snapshot-20261121T020000Z",' + raw[1:],
        "white space": json.dumps(plain, sort_keys=True).encode(),
        "another order": json.dumps(dict(reversed(plain.items())), separators=(",", ":")).encode(),
    }
    put(store, manifest_key(manifest.key), changed[change])
    with pytest.raises(ManifestInvalid, match="its text differs"):
        store.signed_manifest(manifest.backup_id, manifest.key, evidence)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(noise=st.binary(max_size=60))
def test_what_is_no_manifest_is_refused(store: BackupStore, evidence: SigningKey, noise: bytes) -> None:
    row = row_of()
    put(store, manifest_key(row.key), noise)
    with pytest.raises(ManifestInvalid, match="it cannot be read"):
        store.signed_manifest(row.id, row.key, evidence)


# --- copies -----------------------------------------------------------------------------------------------


PART = 8 * 1024 * 1024
"""boto3, TransferConfig: an object of this size or more is copied in parts of this size."""


def _stored(store: BackupStore, content: bytes, evidence: SigningKey) -> tuple[CatalogRow, Manifest]:
    manifest = signed(manifest_of(), evidence)
    version = store.put_manifest(manifest)
    return dataclasses.replace(_row(store, content), manifest_version=version), manifest


@pytest.mark.parametrize("size", [1, PART + PART // 2])
def test_a_copy_is_the_same_object_with_its_manifest(size: int, store: BackupStore, evidence: SigningKey) -> None:
    there, content = make_bucket(STANDBY), secrets.token_bytes(size)
    row, manifest = _stored(store, content, evidence)
    copied = there.copy_from(store, row)
    assert b"".join(there.read(copied)) == content
    assert there.signed_manifest(row.id, row.key, SigningKey(replica(evidence.arn))) == manifest
    assert versions(there) == sorted([row.key, manifest_key(row.key)])
    assert unfinished(there) == []


def test_a_copy_is_of_the_version_that_the_catalog_names(store: BackupStore, evidence: SigningKey) -> None:
    there = make_bucket(STANDBY)
    row, _ = _stored(store, b"the backup", evidence)
    put(store, row.key, b"something newer")
    copied = there.copy_from(store, row)
    assert b"".join(there.read(copied)) == b"the backup"


def test_copying_twice_makes_another_version_that_is_the_same(store: BackupStore, evidence: SigningKey) -> None:
    there = make_bucket(STANDBY)
    row, _ = _stored(store, b"the backup", evidence)
    found = [there.copy_from(store, row) for _ in range(2)]
    assert found[0].version_id != found[1].version_id
    assert [b"".join(there.read(each)) for each in found] == [b"the backup"] * 2


def test_a_copy_that_is_refused_is_named_and_leaves_no_parts(store: BackupStore, evidence: SigningKey) -> None:
    there = make_bucket(STANDBY)
    row, _ = _stored(store, bytes(PART + PART // 2), evidence)
    with (
        refused(lambda request: "partNumber=2" in request.url, "AccessDenied", 403),
        pytest.raises(StorageRefused, match=f"in {there.bucket}: AccessDenied"),
    ):
        there.copy_from(store, row)
    assert versions(there) == []
    assert unfinished(there) == []


def test_a_region_that_does_not_answer_fails_the_copy(store: BackupStore, evidence: SigningKey) -> None:
    there = make_bucket(STANDBY)
    row, _ = _stored(store, b"the backup", evidence)
    with refused(lambda request: STANDBY in request.url, None), pytest.raises(StorageRefused):
        BackupStore(STANDBY, there.bucket).copy_from(store, row)


def test_a_backup_that_is_gone_cannot_be_copied(store: BackupStore) -> None:
    with pytest.raises(StorageRefused):
        make_bucket(STANDBY).copy_from(store, row_of())
