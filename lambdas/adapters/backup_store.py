"""Backups in S3: uploads that leave nothing behind when they fail, reads of one exact version, manifests, copies."""

import base64
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any

from boto3.s3.transfer import TransferConfig
from botocore.exceptions import BotoCoreError, ClientError
from isal import isal_zlib

from lambdas.adapters.aws import AWS_ERRORS, client, error_code
from lambdas.adapters.signing import ALGORITHM, SigningKey, key_id
from lambdas.domain.backup import CONTENT_TYPE, CatalogRow, Series, manifest_key, read_backup_id
from lambdas.domain.errors import BackupMissing, ManifestInvalid, ManifestMissing, StorageRefused
from lambdas.domain.manifest import Manifest, read_manifest
from lambdas.domain.orphans import Version

PART_BYTES = 8 * 1024 * 1024
"""10,000 parts (the limit of S3) of 8 MiB hold 78 GiB, far beyond a Vault; and memory stays small."""

_AT_ONCE = 2
_MISSING = ("NoSuchKey", "NoSuchVersion", "404")


@dataclass(frozen=True)
class Uploaded:
    """What S3 made of an upload: the version of the object, and its size in bytes."""

    version_id: str
    size: int


class Upload:
    """A multipart upload under way. `write` in order; nothing is visible before `complete`."""

    def __init__(self, s3: Any, bucket: str, key: str, upload_id: str, pool: ThreadPoolExecutor) -> None:
        self._s3, self._bucket, self._key, self._upload_id, self._pool = s3, bucket, key, upload_id, pool
        self._waiting: list[memoryview] = []
        self._missing = PART_BYTES
        self._parts: list[Future[dict[str, Any]]] = []
        self._size = 0

    def write(self, piece: bytes) -> None:
        """Add bytes; waits while too many parts are on their way. Raises `StorageRefused`."""
        self._size += len(piece)
        rest = memoryview(piece)
        while rest:
            self._waiting.append(rest[: self._missing])
            rest = rest[self._missing :]
            self._missing -= len(self._waiting[-1])
            if self._missing == 0:
                self._send(self._part())

    def complete(self) -> Uploaded:
        """Make the object visible, all of it at once. Raises `StorageRefused`."""
        if self._waiting or not self._parts:
            self._send(self._part())
        parts = [part.result() for part in self._parts]
        answer = _refused(
            self._bucket,
            self._s3.complete_multipart_upload,
            Bucket=self._bucket,
            Key=self._key,
            UploadId=self._upload_id,
            MultipartUpload={"Parts": parts},
        )
        return Uploaded(answer["VersionId"], self._size)

    def _part(self) -> bytes:
        """What waits, copied once: each copy of a part is new memory, whose pages cost more than the bytes."""
        part = b"".join(self._waiting)
        self._waiting, self._missing = [], PART_BYTES
        return part

    def _send(self, body: bytes) -> None:
        if len(self._parts) >= _AT_ONCE:
            self._parts[len(self._parts) - _AT_ONCE].result()
        self._parts.append(self._pool.submit(self._put, len(self._parts) + 1, body))

    def _put(self, number: int, body: bytes) -> dict[str, Any]:
        # S3 refuses what it did not get so; boto3's own would go behind the body, and cut it into small chunks.
        checksum = base64.b64encode(isal_zlib.crc32(body).to_bytes(4)).decode()
        answer = _refused(
            self._bucket,
            self._s3.upload_part,
            Bucket=self._bucket,
            Key=self._key,
            UploadId=self._upload_id,
            PartNumber=number,
            Body=body,
            ChecksumCRC32=checksum,
        )
        return {"PartNumber": number, "ETag": answer["ETag"], "ChecksumCRC32": checksum}


class BackupStore:
    """The bucket of one region. Every read names a version: what was verified is what is restored."""

    def __init__(self, region: str, bucket: str) -> None:
        self.region, self.bucket = region, bucket
        self._s3: Any = client("s3", region)

    @contextmanager
    def upload(self, key: str) -> Iterator[Upload]:
        """An upload that is aborted, with all its parts, unless the block ends well. Raises `StorageRefused`."""
        started = _refused(
            self.bucket,
            self._s3.create_multipart_upload,
            Bucket=self.bucket,
            Key=key,
            ContentType=CONTENT_TYPE,
            ChecksumAlgorithm="CRC32",  # S3 takes no other checksum of a part than the upload was begun with
        )
        pool = ThreadPoolExecutor(max_workers=_AT_ONCE, thread_name_prefix="part")
        try:
            yield Upload(self._s3, self.bucket, key, started["UploadId"], pool)
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            with suppress(*AWS_ERRORS):  # the bucket's own rule clears what stays; the first error is the one to tell
                self._s3.abort_multipart_upload(Bucket=self.bucket, Key=key, UploadId=started["UploadId"])
            raise
        finally:
            pool.shutdown(wait=True)

    def size(self, backup_id: str, key: str, version_id: str) -> int:
        """The size in bytes of a stored object. Raises `BackupMissing` and `StorageRefused`."""
        try:
            answer = self._s3.head_object(Bucket=self.bucket, Key=key, VersionId=version_id)
        except ClientError as error:
            if error_code(error) in _MISSING:
                raise BackupMissing(backup_id=backup_id, key=key, series=_series(backup_id)) from None
            raise _storage(self.bucket, "HeadObject", error_code(error)) from None
        return int(answer["ContentLength"])

    def read(self, row: CatalogRow) -> Iterator[bytes]:
        """The stored object, in pieces of at most `PART_BYTES`, two ahead. Raises as `size` does."""
        size = self.size(row.id, row.key, row.version_id)
        starts = range(0, size, PART_BYTES)
        with ThreadPoolExecutor(max_workers=_AT_ONCE, thread_name_prefix="range") as pool:
            ahead: list[Future[bytes]] = []
            try:
                for start in starts:
                    ahead.append(pool.submit(self._range, row, start, min(start + PART_BYTES, size)))
                    if len(ahead) > _AT_ONCE:
                        yield ahead.pop(0).result()
                while ahead:
                    yield ahead.pop(0).result()
            finally:
                for future in ahead:
                    future.cancel()

    def _range(self, row: CatalogRow, start: int, end: int) -> bytes:
        answer = _refused(
            self.bucket,
            self._s3.get_object,
            Bucket=self.bucket,
            Key=row.key,
            VersionId=row.version_id,
            Range=f"bytes={start}-{end - 1}",
        )
        try:
            piece = bytes(answer["Body"].read())
        except (BotoCoreError, OSError) as error:
            raise _storage(self.bucket, "GetObject", type(error).__name__) from None
        if len(piece) != end - start:
            raise _storage(
                self.bucket, "GetObject", f"it answered {len(piece)} bytes, and {end - start} were asked for"
            )
        return piece

    def versions(self, prefix: str) -> list[Version]:
        """Every version of every object under a prefix, the newest of each first; markers of deletions are left out.

        Raises `StorageRefused`.
        """
        pages = self._s3.get_paginator("list_object_versions").paginate(Bucket=self.bucket, Prefix=prefix)
        listed = _refused(self.bucket, lambda: [each for page in pages for each in page.get("Versions", [])])
        return [Version(each["Key"], each["VersionId"], each["Size"], each["LastModified"]) for each in listed]

    def keep_status(self, row: CatalogRow) -> None:
        """Keep what only the catalog knows, how far it is proved and copied and how fast, as tags of its manifest too.

        Raises `StorageRefused`.
        """
        kept: dict[str, str] = {"proof": row.proof, "copy": row.copy}
        if row.second_copy != "none":
            kept["second_copy"] = row.second_copy
        rates = {"load_rate": row.load_rate, "proof_rate": row.proof_rate}
        kept |= {name: str(rate) for name, rate in rates.items() if rate}
        tags = [{"Key": name, "Value": value} for name, value in kept.items()]
        _refused(
            self.bucket,
            self._s3.put_object_tagging,
            Bucket=self.bucket,
            Key=manifest_key(row.key),
            VersionId=row.manifest_version,
            Tagging={"TagSet": tags},
        )

    def status(self, key: str, version_id: str) -> dict[str, str]:
        """What `keep_status` kept; empty for a manifest that was never given one. Raises `StorageRefused`."""
        answer = _refused(self.bucket, self._s3.get_object_tagging, Bucket=self.bucket, Key=key, VersionId=version_id)
        return {tag["Key"]: tag["Value"] for tag in answer["TagSet"]}

    def put_manifest(self, manifest: Manifest) -> str:
        """Write a signed manifest beside its object; the version that it got. Raises `StorageRefused`."""
        answer = _refused(
            self.bucket,
            self._s3.put_object,
            Bucket=self.bucket,
            Key=manifest_key(manifest.key),
            Body=manifest.encode(),
            ContentType="application/json",
        )
        return str(answer["VersionId"])

    def signed_manifest(
        self, backup_id: str, object_key: str, signer: SigningKey, version_id: str | None = None
    ) -> Manifest:
        """The manifest of a backup, its place and its signature verified; the newest where no version is known.

        Raises `ManifestMissing`, `ManifestInvalid`, `BackupMisplaced`, `KeyUnusable` and `StorageRefused`.
        """
        key = manifest_key(object_key)
        try:
            version = {"VersionId": version_id} if version_id else {}
            raw = self._s3.get_object(Bucket=self.bucket, Key=key, **version)["Body"].read()
        except ClientError as error:
            if error_code(error) in _MISSING:
                raise ManifestMissing(backup_id=backup_id, key=key, series=_series(backup_id)) from None
            raise _storage(self.bucket, "GetObject", error_code(error)) from None
        manifest = read_manifest(raw, backup_id, object_key)
        assert manifest.signature is not None  # read_manifest refuses an unsigned one
        if (manifest.signature.algorithm, key_id(manifest.signature.key_id)) != (ALGORITHM, key_id(signer.arn)):
            raise ManifestInvalid(backup_id=backup_id, problem="its signature names another key or algorithm")
        try:
            signature = base64.b64decode(manifest.signature.value, validate=True)
        except ValueError:  # binascii.Error is one, and so is what is no ASCII
            signature = b""
        if not signer.verifies(manifest.signed_bytes(), signature):
            raise ManifestInvalid(backup_id=backup_id, problem="its signature does not match")
        if raw != manifest.encode():  # a key that stands twice, an entry too many: both are read over
            raise ManifestInvalid(backup_id=backup_id, problem="its text differs")
        return manifest

    def copy_from(self, source: "BackupStore", row: CatalogRow) -> CatalogRow:
        """Copy an object and its manifest from another region's bucket; the row with the versions they got here.

        Raises `StorageRefused`.
        """
        (version, manifest_version) = (self._copy(source, *each) for each in row.versions)
        return replace(row, version_id=version, manifest_version=manifest_version)

    def _copy(self, source: "BackupStore", key: str, version_id: str) -> str:
        _refused(
            self.bucket,
            self._s3.copy,
            {"Bucket": source.bucket, "Key": key, "VersionId": version_id},
            self.bucket,
            key,
            ExtraArgs={"TaggingDirective": "REPLACE"},  # each region keeps a status of its own
            SourceClient=source._s3,
            Config=TransferConfig(max_concurrency=_AT_ONCE),
        )
        answer = _refused(self.bucket, self._s3.head_object, Bucket=self.bucket, Key=key)
        return str(answer["VersionId"])


def _series(backup_id: str) -> Series | None:
    name = read_backup_id(backup_id)
    return name.series if name else None


def _refused(bucket: str, call: Any, *positional: Any, **arguments: Any) -> Any:
    """Make a call; what it raises becomes `StorageRefused`."""
    try:
        return call(*positional, **arguments)
    except ClientError as error:
        raise _storage(bucket, error.operation_name, error_code(error)) from None
    except (BotoCoreError, OSError) as error:
        raise _storage(bucket, getattr(call, "__name__", "a request"), type(error).__name__) from None


def _storage(bucket: str, request: str, problem: str) -> StorageRefused:
    return StorageRefused(request=request, bucket=bucket, problem=problem)
