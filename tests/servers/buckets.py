"""Buckets as they are deployed, as far as moto knows them, and what lies in them."""

import base64
from typing import Any

import msgspec

from lambdas.adapters.backup_store import BackupStore
from lambdas.adapters.signing import ALGORITHM, SigningKey
from lambdas.domain.backup import Signature
from lambdas.domain.manifest import Manifest
from tests.servers.aws import PRIMARY, aws


def make_bucket(region: str = PRIMARY, name: str = "backups") -> BackupStore:
    """A bucket with versioning and Object Lock, as the backups are kept in."""
    s3, bucket = aws("s3", region), f"{name}-{region}"
    s3.create_bucket(
        Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": region}, ObjectLockEnabledForBucket=True
    )
    return BackupStore(region, bucket)


def put(store: BackupStore, key: str, body: bytes) -> str:
    """Put an object; its version."""
    answer = aws("s3", store.region).put_object(Bucket=store.bucket, Key=key, Body=body)
    return str(answer["VersionId"])


def versions(store: BackupStore) -> list[str]:
    """The keys of all versions of all objects."""
    answer = aws("s3", store.region).list_object_versions(Bucket=store.bucket)
    return sorted(each["Key"] for each in answer.get("Versions", []))


def unfinished(store: BackupStore) -> list[Any]:
    """The multipart uploads that have begun and neither been completed nor aborted."""
    return list(aws("s3", store.region).list_multipart_uploads(Bucket=store.bucket).get("Uploads", []))


def signed(manifest: Manifest, key: SigningKey) -> Manifest:
    """A manifest signed as `WriteManifest` signs it."""
    unsigned = msgspec.structs.replace(manifest, signature=None)
    value = base64.b64encode(key.sign(unsigned.signed_bytes())).decode()
    return unsigned.with_signature(Signature(key.arn, ALGORITHM, value))
