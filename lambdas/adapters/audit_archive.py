"""The locked audit bucket: archived events, signed heads, and events that wait until they can be chained.

What is put stays: the bucket locks every version by itself (`infra/data_stack.py`), and nothing here deletes.
"""

import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import Any

import msgspec
from botocore.exceptions import ClientError
from msgspec import Struct

from lambdas.adapters.aws import client, error_code
from lambdas.domain.audit import Event, Link, encode_link
from lambdas.domain.canonical import canonical_json
from lambdas.domain.evidence import CHAINED, EVENTS, HEADS, SPOOL, Copy, event_key, events_folder, place_of

_JSON = "application/json"
_AT_ONCE = 16
"""Seven years of hourly documents are 61,000: read one by one they would take longer than a function may run."""


class Spooled(Struct, frozen=True, forbid_unknown_fields=True):
    """An event that could not be chained when it happened, with the chain that it belongs to."""

    scope: str
    event: Event


class AuditArchive:
    """The audit bucket of one region."""

    def __init__(self, region: str, bucket: str) -> None:
        self._bucket = bucket
        self._s3: Any = client("s3", region)

    # --- events -------------------------------------------------------------------------------------------

    def keep(self, each: Link) -> bool:
        """Archive an event, once; whether the archive holds this one and no other.

        Where another one lies already, this one becomes a second version, and the lock keeps both.
        """
        key, body = event_key(each.scope, each.sequence), encode_link(each)
        if self._put_once(key, body) or self._get(key) == body:
            return True
        self._put(key, body)
        return False

    def scopes(self) -> set[str]:
        """Every chain that has archived events."""
        folders = (f"{prefix}{0:012}.json" for prefix in self._folders(EVENTS))
        return {place[0] for folder in folders if (place := place_of(folder))}

    def copies(self, scope: str) -> Iterator[Copy]:
        """The archived events of a chain, in order, from the listing alone."""
        for row in self._list(events_folder(scope)):
            if place := place_of(row["Key"]):
                yield Copy(place[1], row["ETag"].strip('"'))

    # --- heads --------------------------------------------------------------------------------------------

    def put_heads(self, key: str, document: bytes) -> None:
        """Store a document of signed heads. Raises `ClientError` where one lies already."""
        self._put(key, document, IfNoneMatch="*")

    def newest_heads(self) -> tuple[str, bytes] | None:
        """The last document of signed heads, with its key; None before the first."""
        folder = HEADS
        while folders := self._folders(folder):
            folder = folders[-1]
        keys = [row["Key"] for row in self._list(folder)]
        return (keys[-1], self._get(keys[-1])) if keys else None

    def all_heads(self) -> Iterator[tuple[str, bytes]]:
        """Every document of signed heads with its key, oldest first."""
        keys = (row["Key"] for row in self._list(HEADS))
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            while batch := list(itertools.islice(keys, _AT_ONCE)):
                yield from zip(batch, pool.map(self._get, batch), strict=True)

    # --- the spool ----------------------------------------------------------------------------------------

    def spool(self, scope: str, event: Event) -> None:
        """Keep an event that cannot be chained now, once."""
        self._put_once(f"{SPOOL}{event.id}.json", canonical_json({"scope": scope, "event": asdict(event)}))

    def waiting(self) -> list[str]:
        """The keys of the spooled events that have not been chained yet."""
        chained = {row["Key"].removeprefix(CHAINED) for row in self._list(CHAINED)}
        return [row["Key"] for row in self._list(SPOOL) if row["Key"].removeprefix(SPOOL) not in chained]

    def spooled(self, key: str) -> Spooled | None:
        """A spooled event; None for an object that is none, or that lies in another one's place."""
        try:
            found = msgspec.json.decode(self._get(key), type=Spooled)
        except (msgspec.MsgspecError, ValueError):
            return None
        return found if key == f"{SPOOL}{found.event.id}.json" else None

    def mark_chained(self, key: str) -> None:
        """Mark a spooled event as chained: it is locked, and so stays where it is."""
        self._put_once(CHAINED + key.removeprefix(SPOOL), b"{}")

    # --- S3 -----------------------------------------------------------------------------------------------

    def _put_once(self, key: str, body: bytes, attempts: int = 3) -> bool:
        """Put an object where none is yet; whether none was."""
        try:
            self._put(key, body, IfNoneMatch="*")
        except ClientError as error:
            if error_code(error) == "PreconditionFailed":
                return False
            # Another writer was at the same key: who tries again finds out which one was first.
            if error_code(error) == "ConditionalRequestConflict" and attempts > 1:
                return self._put_once(key, body, attempts - 1)
            raise
        return True

    def _put(self, key: str, body: bytes, **conditions: str) -> None:
        # A bucket with a default retention takes no object without a checksum (S3 guide, "Object Lock").
        self._s3.put_object(
            Bucket=self._bucket, Key=key, Body=body, ContentType=_JSON, ChecksumAlgorithm="SHA256", **conditions
        )

    def _get(self, key: str) -> bytes:
        return bytes(self._s3.get_object(Bucket=self._bucket, Key=key)["Body"].read())

    def _list(self, folder: str) -> Iterator[dict[str, Any]]:
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=folder)
        for page in pages:
            yield from page.get("Contents", [])

    def _folders(self, folder: str) -> list[str]:
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=folder, Delimiter="/")
        return [each["Prefix"] for page in pages for each in page.get("CommonPrefixes", [])]
