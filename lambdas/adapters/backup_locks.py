"""What keeps backups from being deleted, and what deletes them: Object Lock and versions in the bucket of one region.

Nobody may lift a lock (no role holds `s3:BypassGovernanceRetention`): what is locked is safe from mistakes here too.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from lambdas.adapters.aws import client, error_code
from lambdas.domain.backup import CatalogRow
from lambdas.domain.errors import LockNotSet, StorageRefused

_NO_LOCK = ("NoSuchObjectLockConfiguration", "ObjectLockConfigurationNotFoundError")
_GONE = ("NoSuchKey", "NoSuchVersion", "404")


class BackupLocks:
    """The bucket of one region, as retention sees it. Every method raises `StorageRefused`."""

    def __init__(self, region: str, bucket: str, mode: str) -> None:
        """`mode` is `governance` or `compliance`, for what was never locked: no lock's mode may be changed."""
        self._bucket, self._mode = bucket, mode.upper()
        self._s3: Any = client("s3", region)

    def lock_backup(self, row: CatalogRow, until: datetime) -> datetime:
        """Lock object and manifest until `until` at least, and read the locks back; an earlier, longer one stays.

        Gives the moment until which both are locked. Raises `LockNotSet` when S3 does not show the lock.
        """
        return min(self.lock(key, version, until) for key, version in row.versions)

    def lock(self, key: str, version: str, until: datetime) -> datetime:
        """The same for one version."""
        wanted = until.astimezone(UTC).replace(microsecond=0)
        mode, held = self._lock_of(key, version) or (self._mode, None)
        if held is not None and held >= wanted:
            return held
        retention = {"Mode": mode, "RetainUntilDate": wanted}
        with self._refused("PutObjectRetention"):
            self._s3.put_object_retention(Bucket=self._bucket, Key=key, VersionId=version, Retention=retention)
        held = self.locked_until(key, version)
        if held is None or held < wanted:
            raise LockNotSet(key=key, bucket=self._bucket)
        return held

    def locked_until(self, key: str, version: str) -> datetime | None:
        """Until when a version is locked, in UTC; None if it never was, or is gone."""
        lock = self._lock_of(key, version)
        return lock and lock[1]

    def _lock_of(self, key: str, version: str) -> tuple[str, datetime] | None:
        """The mode of a version's lock, and its end in UTC."""
        with self._refused("GetObjectRetention"):
            try:
                answer = self._s3.get_object_retention(Bucket=self._bucket, Key=key, VersionId=version)["Retention"]
            except ClientError as error:
                if error_code(error) in (*_NO_LOCK, *_GONE):
                    return None
                raise
        until: datetime = answer["RetainUntilDate"]
        return answer["Mode"], until.astimezone(UTC)

    def is_locked(self, key: str, version: str, now: datetime) -> bool:
        """Whether a lock holds a version."""
        held = self.locked_until(key, version)
        return held is not None and held > now

    def delete(self, key: str, version: str, now: datetime) -> bool:
        """Delete one version for good; False when a lock holds it. One that is gone already is fine."""
        if self.is_locked(key, version, now):
            return False
        with self._refused("DeleteObject"):
            self._s3.delete_object(Bucket=self._bucket, Key=key, VersionId=version)
        return True

    def abort_uploads(self, prefix: str, before: datetime) -> int:
        """Throw the parts of uploads away that began before a moment and never ended; how many there were."""
        with self._refused("AbortMultipartUpload"):
            pages = self._s3.get_paginator("list_multipart_uploads").paginate(Bucket=self._bucket, Prefix=prefix)
            left = [each for page in pages for each in page.get("Uploads", []) if each["Initiated"] < before]
            for upload in left:
                self._s3.abort_multipart_upload(Bucket=self._bucket, Key=upload["Key"], UploadId=upload["UploadId"])
        return len(left)

    @contextmanager
    def _refused(self, request: str) -> Iterator[None]:
        try:
            yield
        except ClientError as error:
            raise StorageRefused(request=request, bucket=self._bucket, problem=error_code(error)) from None
        except (BotoCoreError, OSError) as error:
            raise StorageRefused(request=request, bucket=self._bucket, problem=type(error).__name__) from None
