"""The second store: a copy there is what it was here, read back; or the store is named that did not take it."""

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from lab.certificates import CertificateAuthority
from lab.processes import free_port
from lambdas.adapters.backup_store import BackupStore
from lambdas.adapters.second_store import SecondBucket
from lambdas.domain.backup import CatalogRow, manifest_key
from lambdas.domain.database_errors import SecondStoreRefused
from lambdas.domain.errors import StorageRefused
from lambdas.domain.estate_database import SecondStore
from lambdas.domain.vault_manifest import VaultManifest
from tests.domain.builders import manifest_of, row_of
from tests.servers.aws import PRIMARY, STANDBY, aws, forget, refused
from tests.servers.second_store import BUCKET, SecondStoreServer, second_store_server

SEALED = bytes(range(256)) * 100_000
"""25 MB: two parts of an upload."""
KEYS = json.dumps({"access_key_id": "theirs", "secret_access_key": "untold-key"})


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecondStoreServer]:
    with second_store_server(CertificateAuthority(tmp_path_factory.mktemp("second-store"))) as server:
        yield server


@pytest.fixture
def server(running: SecondStoreServer) -> Iterator[SecondStoreServer]:
    """The store, with an empty bucket; a backup bucket in AWS; and the store's keys in both regions."""
    aws("s3").create_bucket(Bucket="backups", CreateBucketConfiguration={"LocationConstraint": PRIMARY})
    aws("s3").put_bucket_versioning(Bucket="backups", VersioningConfiguration={"Status": "Enabled"})
    running.make_bucket()
    running.asked.clear()
    running.spoil = bytes
    yield running
    forget("s3", "secretsmanager")


@pytest.fixture
def store(server: SecondStoreServer) -> SecondStore:
    """What an estate says of it."""
    client = aws("secretsmanager")
    arn = client.create_secret(Name="second-store", SecretString=KEYS)["ARN"]
    client.replicate_secret_to_regions(SecretId=arn, AddReplicaRegions=[{"Region": STANDBY}])
    return SecondStore(server.endpoint, "us-east-1", BUCKET, arn, server.authority.pem)


MANIFEST = manifest_of(ciphertext=SEALED)


def _stored(content: bytes = SEALED) -> CatalogRow:
    row = row_of()
    version = aws("s3").put_object(Bucket="backups", Key=row.key, Body=content)["VersionId"]
    return dataclasses.replace(row, version_id=version)


def _copy(store: SecondStore, row: CatalogRow, manifest: VaultManifest = MANIFEST, region: str = PRIMARY) -> None:
    SecondBucket(region, store).copy(BackupStore(PRIMARY, "backups"), row, manifest)


def test_object_and_manifest_lie_there_as_they_lie_here_however_often_they_are_copied(
    server: SecondStoreServer, store: SecondStore
) -> None:
    row = _stored()
    for _ in range(2):
        _copy(store, row)
        assert server.objects() == {row.key: SEALED, manifest_key(row.key): MANIFEST.encode()}


def test_nothing_is_asked_of_it_that_not_every_such_store_knows(server: SecondStoreServer, store: SecondStore) -> None:
    """Checksums of AWS's own, which boto3 adds since 1.36, are refused by Backblaze B2 and by older MinIO."""
    _copy(store, _stored())
    assert len(server.asked) > 5
    headers = {name for request in server.asked for name in request}
    assert not [name for name in headers if "CHECKSUM" in name or "TRAILER" in name]


def test_the_standby_region_copies_with_its_own_secret(server: SecondStoreServer, store: SecondStore) -> None:
    row = _stored()
    with refused(lambda request: f"secretsmanager.{PRIMARY}" in request.url, "AccessDeniedException"):
        _copy(store, row, region=STANDBY)
    assert list(server.objects()) == [row.key, manifest_key(row.key)]


# --- stores that fail -------------------------------------------------------------------------------------


def test_what_reads_back_otherwise_is_told_and_gets_no_manifest(server: SecondStoreServer, store: SecondStore) -> None:
    server.spoil = lambda body: body[:-1] + b"?"
    row = _stored()
    with pytest.raises(SecondStoreRefused, match=f"{row.key} is not what was sent"):
        _copy(store, row)
    assert list(server.objects()) == [row.key]


def test_an_object_that_is_not_what_its_manifest_says_is_told(server: SecondStoreServer, store: SecondStore) -> None:
    with pytest.raises(SecondStoreRefused, match="is not what was sent"):
        _copy(store, _stored(SEALED[:-1] + b"?"))


def test_a_bucket_that_is_not_there_is_told(server: SecondStoreServer, store: SecondStore) -> None:
    elsewhere = msgspec.structs.replace(store, bucket="nowhere")
    with pytest.raises(SecondStoreRefused, match=r"second-store-refused: .*NoSuchBucket"):
        _copy(elsewhere, _stored())


def test_a_store_that_does_not_answer_is_told(server: SecondStoreServer, store: SecondStore) -> None:
    gone = f"https://localhost:{free_port()}"
    with pytest.raises(SecondStoreRefused, match=f"The second store {gone} did not take the copy: EndpointConnection"):
        _copy(msgspec.structs.replace(store, endpoint=gone), _stored())


def test_a_certificate_of_somebody_else_is_not_trusted(
    server: SecondStoreServer, store: SecondStore, tmp_path: Path
) -> None:
    for ca in (CertificateAuthority(tmp_path).pem, ""):
        with pytest.raises(SecondStoreRefused, match="SSLError"):
            _copy(msgspec.structs.replace(store, ca=ca), _stored())
    assert server.asked == []


def test_a_source_that_fails_is_told_as_such(server: SecondStoreServer, store: SecondStore) -> None:
    row = _stored()
    with (
        refused(lambda request: "Range" in request.headers, "AccessDenied", 403),
        pytest.raises(StorageRefused, match="S3 refused GetObject"),
    ):
        _copy(store, row)
    assert server.objects() == {}


def test_its_keys_stand_in_no_error(server: SecondStoreServer, store: SecondStore) -> None:
    with pytest.raises(SecondStoreRefused) as failure:
        _copy(msgspec.structs.replace(store, bucket="nowhere"), _stored())
    assert "untold-key" not in f"{failure.value!r} {failure.value}"
