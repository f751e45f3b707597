"""Uploads of backups: all of one or nothing of it, however it ends."""

import base64
import hashlib
import secrets
import zlib
from collections.abc import Generator, Iterator
from typing import Any

import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSRequest
from botocore.exceptions import EndpointConnectionError

from lambdas.adapters.backup_store import PART_BYTES, BackupStore
from lambdas.domain.errors import StorageRefused
from tests.servers.aws import Matches, aws, refused
from tests.servers.buckets import make_bucket, unfinished, versions

KEY = "vault/daily/2026-11-22/vault-snapshot-20261122T020000Z.enc"
SIZES = [0, 1, PART_BYTES - 1, PART_BYTES, PART_BYTES + 1, 3 * PART_BYTES + 5]

pytestmark = pytest.mark.usefixtures("_clean")


@pytest.fixture
def store() -> BackupStore:
    return make_bucket()


def _stored(store: BackupStore, version: str) -> bytes:
    answer = aws("s3", store.region).get_object(Bucket=store.bucket, Key=KEY, VersionId=version)
    return bytes(answer["Body"].read())


def _pieces(content: bytes, size: int = 300_000) -> Iterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


@pytest.mark.parametrize("size", SIZES)
def test_what_is_written_is_stored_at_every_size_around_a_part(size: int, store: BackupStore) -> None:
    content = secrets.token_bytes(size)
    with store.upload(KEY) as upload:
        for piece in _pieces(content):
            upload.write(piece)
        uploaded = upload.complete()
    assert uploaded.size == size
    assert hashlib.sha256(_stored(store, uploaded.version_id)).digest() == hashlib.sha256(content).digest()
    assert unfinished(store) == []


def test_one_piece_that_is_larger_than_several_parts_is_stored_whole(store: BackupStore) -> None:
    content = secrets.token_bytes(3 * PART_BYTES + 5)
    with store.upload(KEY) as upload:
        upload.write(content)
        uploaded = upload.complete()
    assert _stored(store, uploaded.version_id) == content


def test_each_part_goes_as_it_is_with_a_checksum_that_s3_holds_it_to(
    store: BackupStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Amazon S3 guide, "Checking object integrity": S3 refuses a part that does not have its checksum."""
    sent: list[tuple[bytes, str, str | None]] = []

    def looks(request: AWSRequest, **_: object) -> None:
        body: Any = request.data
        sent.append((body.getvalue(), request.headers["x-amz-checksum-crc32"], request.headers["Content-Encoding"]))

    watched = aws("s3", store.region)
    watched.meta.events.register_first("request-created.s3.UploadPart", looks)
    monkeypatch.setattr("lambdas.adapters.aws._made", lambda *_: watched)
    content = secrets.token_bytes(PART_BYTES + 5)
    with BackupStore(store.region, store.bucket).upload(KEY) as upload:
        upload.write(content)
        upload.complete()
    parts = [content[:PART_BYTES], content[PART_BYTES:]]
    checksums = [base64.b64encode(zlib.crc32(part).to_bytes(4)).decode() for part in parts]
    assert sorted(sent) == sorted((part, checksum, None) for part, checksum in zip(parts, checksums, strict=True))


def test_an_upload_has_the_content_type_of_a_backup(store: BackupStore) -> None:
    with store.upload(KEY) as upload:
        upload.write(b"x")
        upload.complete()
    answer = aws("s3", store.region).head_object(Bucket=store.bucket, Key=KEY)
    assert answer["ContentType"] == "application/octet-stream"


def test_nothing_is_visible_before_an_upload_is_complete(store: BackupStore) -> None:
    with store.upload(KEY) as upload:
        upload.write(bytes(2 * PART_BYTES + 1))
        assert versions(store) == []
        upload.complete()
        assert versions(store) == [KEY]


def test_uploading_twice_makes_two_versions(store: BackupStore) -> None:
    found = []
    for content in (b"first", b"second"):
        with store.upload(KEY) as upload:
            upload.write(content)
            found.append(upload.complete().version_id)
    assert [_stored(store, version) for version in found] == [b"first", b"second"]


# --- uploads that fail ------------------------------------------------------------------------------------


@pytest.mark.parametrize("written", [0, 10, 2 * PART_BYTES + 1])
def test_an_error_in_the_block_leaves_neither_an_object_nor_parts(written: int, store: BackupStore) -> None:
    def fail() -> None:
        with store.upload(KEY) as upload:
            upload.write(bytes(written))
            raise InterruptedError("the stream was cut")

    with pytest.raises(InterruptedError, match="the stream was cut"):
        fail()
    assert versions(store) == []
    assert unfinished(store) == []


def test_an_upload_that_is_given_up_by_a_generator_leaves_nothing(store: BackupStore) -> None:
    def uploading() -> Generator[None]:
        with store.upload(KEY) as upload:
            upload.write(bytes(PART_BYTES + 1))
            yield

    generator = uploading()
    next(generator)
    assert len(unfinished(store)) == 1
    generator.close()
    assert versions(store) == []
    assert unfinished(store) == []


def _part(number: int) -> Matches:
    return lambda request: request.method == "PUT" and f"partNumber={number}" in request.url


def _create(request: AWSPreparedRequest) -> bool:
    return request.method == "POST" and request.url.endswith("?uploads")


def _complete(request: AWSPreparedRequest) -> bool:
    return request.method == "POST" and "uploadId=" in request.url


def _abort(request: AWSPreparedRequest) -> bool:
    return request.method == "DELETE"


def _upload(store: BackupStore, size: int = 3 * PART_BYTES + 1) -> None:
    with store.upload(KEY) as upload:
        for piece in _pieces(bytes(size), PART_BYTES):
            upload.write(piece)
        upload.complete()


@pytest.mark.parametrize(
    ("matches", "request_name"),
    [
        (_create, "CreateMultipartUpload"),
        (_part(1), "UploadPart"),
        (_part(2), "UploadPart"),
        (_part(4), "UploadPart"),
        (_complete, "CompleteMultipartUpload"),
    ],
)
def test_a_refusal_at_any_moment_is_named_and_leaves_nothing(
    matches: Matches, request_name: str, store: BackupStore
) -> None:
    with refused(matches, "AccessDenied", 403) as refusal, pytest.raises(StorageRefused) as failure:
        _upload(store)
    assert refusal.met == 1
    assert f"S3 refused {request_name} in {store.bucket}: AccessDenied." in str(failure.value)
    assert versions(store) == []
    assert unfinished(store) == []


def test_a_store_that_does_not_answer_is_named(store: BackupStore) -> None:
    with refused(_part(2), None), pytest.raises(StorageRefused, match=r"upload_part.*EndpointConnectionError"):
        _upload(BackupStore(store.region, store.bucket))
    assert versions(store) == []
    assert unfinished(store) == []


def test_the_first_error_is_the_one_that_is_told_even_when_nothing_can_be_tidied_up(store: BackupStore) -> None:
    with (
        refused(_part(2), "InvalidRequest", 403),
        refused(_abort, "AccessDenied", 403) as abort,
        pytest.raises(StorageRefused, match=r"UploadPart.*InvalidRequest"),
    ):
        _upload(store)
    assert abort.met == 1
    assert versions(store) == []


def test_an_answer_that_is_lost_after_the_object_was_stored_is_an_error(store: BackupStore) -> None:
    """What is left is an object without a manifest, which nothing takes for a backup."""

    def lose(**_: Any) -> None:
        raise EndpointConnectionError(endpoint_url="https://s3.example.org")

    store._s3.meta.events.register("after-call.s3.CompleteMultipartUpload", lose)
    with pytest.raises(StorageRefused, match="EndpointConnectionError"):
        _upload(store)
    assert unfinished(store) == []


def test_no_part_is_sent_after_one_has_been_refused(store: BackupStore) -> None:
    sent: list[str] = []

    def note(request: AWSPreparedRequest) -> bool:
        if request.method == "PUT":
            sent.append(request.url)
        return _part(1)(request)

    with refused(note, "AccessDenied", 403), pytest.raises(StorageRefused):
        _upload(store, 20 * PART_BYTES)
    assert len(sent) <= 4
