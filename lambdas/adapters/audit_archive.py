"""The locked audit bucket: archived events, signed heads, and events that wait until they can be chained.

What is put stays: the bucket locks every version by itself (`infra/data_stack.py`), and nothing here deletes. A lock
keeps versions, not names: what a name shows can be put over or hidden. So signed heads, archived and spooled events are
read in the version that was put first.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import Any, TypeVar

from botocore.exceptions import ClientError

from lambdas.adapters.aws import client, error_code
from lambdas.domain.audit import Event, Link, encode_link, is_whole
from lambdas.domain.audit_bucket import (
    CHAINED,
    EVENTS,
    HEADS,
    LONG_AGO,
    SPOOL,
    Kept,
    event_key,
    events_folder,
    place_of,
    second_key,
)
from lambdas.domain.canonical import canonical_json
from lambdas.domain.evidence import Copy
from lambdas.domain.spool import mark_of, spool_key

_Given = TypeVar("_Given")
_Made = TypeVar("_Made")

_JSON = "application/json"
_AT_ONCE = 16
"""Seven years of hourly documents are 61,000, and a busy hour has as many events: one by one, they would take longer
than a function may run."""
_LARGEST = 16 * 1024 * 1024
"""Some 100,000 chains in a document of heads."""
_LEVELS = 3
"""Year, month and day: no deeper, since each folder is a request, and a stranger's key can have 500."""


class AuditArchive:
    """The audit bucket of one region."""

    def __init__(self, region: str, bucket: str) -> None:
        self._bucket = bucket
        self._s3: Any = client("s3", region)

    # --- events -------------------------------------------------------------------------------------------

    def keep(self, each: Link) -> bool:
        """Archive an event, once; whether the archive holds this one and no other.

        Where another one lies already, this one is put beside it, and the lock keeps both.
        """
        key, body = event_key(each.scope, each.sequence), encode_link(each)
        if self._put_once(key, body) or self._get(key) == body:
            return True
        self._put_once(second_key(each), body)
        return False

    def keep_whole(self, links: Iterable[Link]) -> Iterator[tuple[Link, bool]]:
        """Archive events, many at once: every event in its order, and False where the archive holds another one.

        An event that is not whole is passed on, and not archived: it would lie there for years in the true one's place.
        """
        return _many_at_once(lambda each: not is_whole(each) or self.keep(each), links)

    def scopes(self) -> set[str]:
        """Every chain that has archived events."""
        folders = (f"{prefix}{0:012}.json" for prefix in self._folders(EVENTS))
        return {place[0] for folder in folders if (place := place_of(folder))}

    def copies(self, scope: str) -> Iterator[Copy]:
        """The archived events of a chain as they were put first, in order, from the listing alone."""
        for each in self.kept(events_folder(scope)):
            if each.version and (place := place_of(each.key)):
                yield Copy(place[1], each.md5)

    # --- heads --------------------------------------------------------------------------------------------

    def put_heads(self, key: str, document: bytes) -> None:
        """Store a document of signed heads. Raises `ClientError` where one lies already."""
        self._put(key, document, IfNoneMatch="*")

    def newest_heads(self) -> Iterator[tuple[Kept, bytes]]:
        """The documents of signed heads as they were put first, newest first; before them, what lies where none is."""
        return _many_at_once(self._first, self._newest_first(HEADS, _LEVELS))

    def all_heads(self) -> Iterator[tuple[str, bytes]]:
        """Every document of signed heads as it was put first, with its key, oldest first."""
        there = (each for each in self.kept(HEADS) if each.version)
        return ((each.key, document) for each, document in _many_at_once(self._first, there))

    def _newest_first(self, folder: str, levels: int) -> Iterator[Kept]:
        here = self.kept(folder, Delimiter="/") if levels else self.kept(folder)
        yield from reversed([each for each in here if each.version])
        for deeper in reversed(self._folders(folder)) if levels else ():
            yield from self._newest_first(deeper, levels - 1)

    # --- versions -----------------------------------------------------------------------------------------

    def kept(self, folder: str, **only: str) -> Iterator[Kept]:
        """What lies under every key of a folder, deleted or not, in the order of the keys."""
        for key, rows in itertools.groupby(self._versions(folder, **only), lambda row: row["Key"]):
            first: dict[str, Any] = {"VersionId": "", "ETag": "", "Size": 0, "LastModified": LONG_AGO}
            versions = markers = 0
            for row in rows:
                if "ETag" in row:  # a deletion marker has none
                    first, versions = row, versions + 1
                else:
                    markers += 1
            later, md5 = max(0, versions - 1), first["ETag"].strip('"')
            yield Kept(key, first["VersionId"], md5, later, markers, first["Size"], first["LastModified"])

    # --- the spool ----------------------------------------------------------------------------------------

    def spool(self, scope: str, event: Event) -> None:
        """Keep an event that cannot be chained now, once."""
        self._put_once(spool_key(event.id), canonical_json({"scope": scope, "event": asdict(event)}))

    def all_spooled(self) -> Iterator[tuple[Kept, bytes]]:
        """Whatever was spooled, as it was put first."""
        return _many_at_once(self._first, (each for each in self.kept(SPOOL) if each.version))

    def marks(self) -> Iterator[str]:
        """The keys of all marks that were ever put."""
        return (each.key for each in self.kept(CHAINED) if each.version)

    def waiting(self) -> Iterator[tuple[Kept, bytes]]:
        """What was spooled and has no mark now, as it was put first. A mark that somebody deleted is none: an event
        is chained again at no harm, and one whose mark was planted is chained at last."""
        marks = {row["Key"] for row in self._list(CHAINED)}
        there = (each for each in self.kept(SPOOL) if each.version and mark_of(each.key) not in marks)
        return _many_at_once(self._first, there)

    def mark_chained(self, key: str) -> None:
        """Mark a spooled event as chained: it is locked, and so stays where it is."""
        self._put_once(mark_of(key), b"{}")

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

    def _first(self, kept: Kept) -> bytes:
        if kept.size > _LARGEST:  # nothing of ours, and it must not take the memory of who looks at it
            return b""
        found = self._s3.get_object(Bucket=self._bucket, Key=kept.key, VersionId=kept.version)
        return bytes(found["Body"].read())

    def _list(self, folder: str) -> Iterator[dict[str, Any]]:
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=folder)
        for page in pages:
            yield from page.get("Contents", [])

    def _versions(self, folder: str, **only: str) -> Iterator[dict[str, Any]]:
        """Every version and deletion marker: by key, the versions of a key newest first."""
        pages = self._s3.get_paginator("list_object_versions").paginate(Bucket=self._bucket, Prefix=folder, **only)
        for page in pages:
            # A page lists both apart, each in this order already; a page ends within a key at the worst.
            yield from sorted([*page.get("Versions", []), *page.get("DeleteMarkers", [])], key=lambda row: row["Key"])

    def _folders(self, folder: str) -> list[str]:
        """The folders in a folder, in order; those too in which all was deleted."""
        pages = self._s3.get_paginator("list_object_versions").paginate(
            Bucket=self._bucket, Prefix=folder, Delimiter="/"
        )
        return [each["Prefix"] for page in pages for each in page.get("CommonPrefixes", [])]


def _many_at_once(work: Callable[[_Given], _Made], items: Iterable[_Given]) -> Iterator[tuple[_Given, _Made]]:
    """Each item with what `work` makes of it, in the order of the items. In memory are as many as are worked on."""
    coming = iter(items)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        while batch := list(itertools.islice(coming, _AT_ONCE)):
            yield from zip(batch, pool.map(work, batch), strict=True)
