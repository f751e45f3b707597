"""The spool: events that the tables did not take when they happened, held against their marks and against the trail.

The same verification runs over the bucket in AWS and over a downloaded copy of it.
"""

import dataclasses
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec
from msgspec import Struct

from lambdas.domain.audit import Event
from lambdas.domain.audit_bucket import CHAINED, SPOOL, Finding

LATE = timedelta(hours=3)
"""What is spooled is chained every hour: what waits for longer was left out three times."""
LARGEST = 256 * 1024
"""Bytes. A table takes items of 400 KB (DynamoDB quotas); none of our events has a hundredth of it."""


class Spooled(Struct, frozen=True, forbid_unknown_fields=True):
    """An event that could not be chained when it happened, with the chain that it belongs to."""

    scope: str
    event: Event


def spool_key(event_id: str) -> str:
    """Where an event is spooled."""
    return f"{SPOOL}{event_id}.json"


def mark_of(key: str) -> str:
    """Where the mark lies that says of a spooled event that it was chained."""
    return CHAINED + key.removeprefix(SPOOL)


def read_spooled(key: str, raw: bytes) -> Spooled:
    """Read back what was spooled under a key.

    Raises `ValueError` for anything else, for what lies elsewhere, and for what no table would take: it would hold up
    all that was spooled after it.
    """
    try:
        found = msgspec.json.decode(raw, type=Spooled)
        in_place = key == spool_key(found.event.id) and datetime.fromisoformat(found.event.timestamp).tzinfo
        if in_place and found.scope and found.event.event and len(raw) <= LARGEST:
            return found
    except (msgspec.MsgspecError, ValueError):
        pass
    raise ValueError("it is no event that Mailark spooled")


@dataclass(frozen=True)
class _Wanted:
    scope: str
    event: Event
    finding: Finding


class Spool:
    """What lies in the spool, given one after another, and then the events of the trail.

    `marks` are the keys of the marks; `now` is when the trail is looked at. The marks are listed first, then the spool,
    then the trail: so all that a mark speaks of is there. In memory are the marks, and the events that the trail has
    to have.
    """

    def __init__(self, marks: Iterable[str], now: datetime) -> None:
        self.events = 0
        self._marks, self._now = set(marks), now
        self._unclaimed = set(self._marks)
        self._strangers: list[Finding] = []
        self._wanted: dict[str, _Wanted] = {}

    def add(self, key: str, raw: bytes, since: datetime | None = None) -> None:
        """Take what lies in the spool, with when it was put there (else the event says when it happened)."""
        mark = mark_of(key)
        self._unclaimed.discard(mark)
        try:
            found = read_spooled(key, raw)
        except ValueError as error:
            self._strangers.append(Finding(key, None, str(error)))
            return
        self.events += 1
        since = since or datetime.fromisoformat(found.event.timestamp)
        if mark in self._marks:
            problem = f"it marks an event as chained, and {found.scope} has no such event"
            self._wanted[found.event.id] = _Wanted(found.scope, found.event, Finding(mark, None, problem))
        elif self._now - since > LATE:
            problem = f"it waits to be chained since {since.isoformat()}, and that is done every hour"
            self._wanted[found.event.id] = _Wanted(found.scope, found.event, Finding(key, None, problem))

    def come_by(self, scope: str, event: Event) -> None:
        """Take an event of the trail. One with the id of another deed takes nothing from it."""
        wanted = self._wanted.get(event.id)
        if wanted and wanted.scope == scope and _deed(wanted.event) == _deed(event):
            del self._wanted[event.id]

    def findings(self) -> Iterator[Finding]:
        """What is wrong, when all was given."""
        yield from self._strangers
        for _, wanted in sorted(self._wanted.items()):
            yield wanted.finding
        for mark in sorted(self._unclaimed):
            yield Finding(mark, None, "it marks an event as chained that was never spooled")


def _deed(event: Event) -> Event:
    """What an event tells, without what differs when an action that died runs again, or when it is chained late."""
    details = {name: value for name, value in event.details.items() if name != "chained_late"}
    return dataclasses.replace(event, timestamp="", details=details)
