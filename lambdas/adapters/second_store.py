"""A second, S3-compatible store of somebody else, with keys of its own: the copy that even a lost AWS account leaves.

It may know neither versions nor locks; how long copies stay there is that store's own rule.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
from boto3.exceptions import Boto3Error
from boto3.s3.transfer import TransferConfig
from botocore.config import Config

from lambdas.adapters.aws import AWS_ERRORS, CALL_LIMITS, client, error_code
from lambdas.adapters.backup_store import BackupStore
from lambdas.adapters.postgres import ca_file
from lambdas.adapters.streams import IteratorReader
from lambdas.domain.backup import CatalogRow, manifest_key
from lambdas.domain.database_errors import SecondStoreRefused
from lambdas.domain.estate_database import SecondStore, secret_in
from lambdas.domain.manifest import Manifest
from lambdas.domain.proof import Measured

_PIECE = 1024 * 1024
_PARTS = TransferConfig(multipart_chunksize=16 * _PIECE, max_concurrency=2)
"""10,000 parts, the limit of S3, of 16 MiB hold 156 GiB."""
_PLAIN = CALL_LIMITS.merge(
    Config(request_checksum_calculation="when_required", response_checksum_validation="when_required")
)
"""boto3 adds checksums of AWS's own since 1.36, which not every such store knows; here all is read back anyhow."""


class SecondBucket:
    """The estate's bucket there, with the keys that its secret in `region` holds."""

    def __init__(self, region: str, store: SecondStore) -> None:
        answer = client("secretsmanager", region).get_secret_value(SecretId=secret_in(region, store.secret))
        held = json.loads(answer["SecretString"])
        self._bucket, self._endpoint = store.bucket, store.endpoint
        self._s3: Any = boto3.client(
            "s3",
            endpoint_url=store.endpoint,
            region_name=store.region,
            aws_access_key_id=held["access_key_id"],
            aws_secret_access_key=held["secret_access_key"],
            verify=ca_file(store.ca),
            config=_PLAIN,
        )

    def copy(self, source: BackupStore, row: CatalogRow, manifest: Manifest) -> None:
        """Copy an object and its manifest, and read both back: their bytes are those that were stored first.

        Raises `SecondStoreRefused`, and `StorageRefused` for the source.
        """
        # The manifest comes last: an object without one is no backup, here as there.
        for key, pieces in ((row.key, source.read(row)), (manifest_key(row.key), iter([manifest.encode()]))):
            sent, found = Measured(), Measured()
            with _refused(self._endpoint):
                self._s3.upload_fileobj(IteratorReader(sent.through(pieces)), self._bucket, key, Config=_PARTS)
                for piece in self._read(key):
                    found.update(piece)
            expected = manifest.ciphertext.sha256 if key == row.key else sent.sha256
            if (found.size, found.sha256) != (sent.size, expected):
                raise SecondStoreRefused(endpoint=self._endpoint, problem=f"{key} is not what was sent")

    def _read(self, key: str) -> Iterator[bytes]:
        body = self._s3.get_object(Bucket=self._bucket, Key=key)["Body"]
        while piece := body.read(_PIECE):
            yield piece


@contextmanager
def _refused(endpoint: str) -> Iterator[None]:
    """What the store answers, in Mailark's words."""
    try:
        yield
    except (*AWS_ERRORS, Boto3Error) as error:
        raise SecondStoreRefused(endpoint=endpoint, problem=error_code(error)) from None
