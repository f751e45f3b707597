"""What is too large for a state's payload, kept in S3 for a week: lists of paths, marks and digests, never secrets."""

from typing import Any, TypeVar

import msgspec

from lambdas.adapters.aws import client

T = TypeVar("T")


class WorkStore:
    """The work bucket of one region; a lifecycle rule empties it."""

    def __init__(self, region: str, bucket: str) -> None:
        self._bucket = bucket
        self._s3: Any = client("s3", region)

    def put(self, operation_id: str, name: str, value: object) -> str:
        """Keep a value for later actions of an operation; its key."""
        key = self.key(operation_id, name)
        self._s3.put_object(Bucket=self._bucket, Key=key, Body=msgspec.json.encode(value))
        return key

    @staticmethod
    def key(operation_id: str, name: str) -> str:
        """Where `put` keeps a value."""
        return f"{operation_id}/{name}.json"

    def put_text(self, operation_id: str, name: str, text: str) -> str:
        """Keep a text for whoever follows an operation; its address, `s3://…`."""
        key = f"{operation_id}/{name}"
        self._s3.put_object(Bucket=self._bucket, Key=key, Body=text.encode(), ContentType="text/plain; charset=utf-8")
        return f"s3://{self._bucket}/{key}"

    def get(self, key: str, kind: type[T]) -> T:
        """Read back what `put` kept."""
        return msgspec.json.decode(self._s3.get_object(Bucket=self._bucket, Key=key)["Body"].read(), type=kind)
