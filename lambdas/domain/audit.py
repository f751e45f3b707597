"""The audit trail's hash chain: what an event is, how it is linked, and how a broken chain is found.

The fields are those of `platform-facts.md` ("Audit event"), with the operation that an event belongs to.
"""

import hashlib
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import msgspec

from lambdas.domain.canonical import canonical_json

Severity = Literal["info", "warning", "critical"]

GENESIS = "0" * 64
"""The `previous` hash of the first event of a chain."""

_NAMESPACE = uuid.UUID("8d7c9a52-4b6e-5c57-9a3f-6f1f5a1d9e10")


@dataclass(frozen=True)
class Event:
    """One deed. `timestamp` is RFC 3339 in UTC; `details` holds plain JSON and never a secret."""

    id: str
    event: str
    user_id: str
    timestamp: str
    severity: Severity
    details: dict[str, Any] = field(default_factory=dict)
    tenant_id: str | None = None
    operation_id: str | None = None
    ip_address: str | None = None
    user_agent: str | None = None


@dataclass(frozen=True)
class Link:
    """An event in its place: the `sequence`-th (from 1) of the chain `scope`."""

    scope: str
    sequence: int
    previous: str
    event: Event
    hash: str


def event_id(operation_id: str, event: str) -> str:
    """The id of a deed of an operation: the same however often the action that records it runs."""
    return str(uuid.uuid5(_NAMESPACE, f"{operation_id}/{event}"))


def link(scope: str, sequence: int, previous: str, event: Event) -> Link:
    """Put an event at the end of a chain."""
    return Link(scope, sequence, previous, event, _hash(scope, sequence, previous, event))


def _hash(scope: str, sequence: int, previous: str, event: Event) -> str:
    body = {"scope": scope, "sequence": sequence, "previous": previous, "event": asdict(event)}
    return hashlib.sha256(canonical_json(body)).hexdigest()


def encode_link(each: Link) -> bytes:
    """An event in its place as it is archived: canonical JSON of what was hashed, and the hash."""
    return canonical_json(asdict(each))


def read_link(raw: bytes) -> Link:
    """Read back what `encode_link` wrote. Raises `ValueError` for anything else, were it one space."""
    try:
        each = msgspec.json.decode(raw, type=Link)
        if encode_link(each) == raw:
            return each
    except (msgspec.MsgspecError, TypeError, ValueError):
        pass
    raise ValueError("it is no event as it is archived")


def unreadable(scope: str, sequence: int) -> Link:
    """What stands for an event that cannot be read: it has no hash, and so is not whole."""
    return Link(scope, sequence, "", Event("", "unreadable", "", "", "critical"), "")


def is_whole(each: Link) -> bool:
    """Whether an event still has the hash that it was linked with."""
    try:
        return _hash(each.scope, each.sequence, each.previous, each.event) == each.hash
    except (TypeError, ValueError):  # a value that no JSON has, and so none that was ever linked
        return False


@dataclass(frozen=True)
class Fault:
    """What is wrong at one event of a chain, in words."""

    sequence: int
    problem: str


End = tuple[int, str]
"""Where a chain ends: the sequence and hash of its last event."""
EMPTY: End = (0, GENESIS)


class Walk:
    """One walk along a chain, in constant memory.

    `signed` are hashes by sequence that were signed once; `end` is where the walk begins, and then how far it has come.
    """

    def __init__(self, signed: Mapping[int, str] | None = None, after: End = EMPTY) -> None:
        self.end = after
        self._signed = signed or {}

    def faults(self, links: Iterable[Link]) -> Iterator[Fault]:
        """Every fault of a chain, given in the order of its sequence, as it is come by."""
        for each in links:
            yield from self.step(each)
        yield from self.finish()

    def step(self, each: Link) -> Iterator[Fault]:
        """What is wrong with the next event."""
        expected, sequence = self.end[0] + 1, each.sequence
        if sequence > expected:
            yield Fault(expected, f"event {expected} is missing before event {sequence}")
        elif sequence < expected:
            yield Fault(sequence, f"event {sequence} stands after event {expected - 1}")
        elif each.previous != self.end[1]:
            yield Fault(sequence, f"event {sequence} does not follow the event before it")
        if not is_whole(each):
            yield Fault(sequence, f"event {sequence} was changed")
        if self._signed.get(sequence, each.hash) != each.hash:
            yield Fault(sequence, f"event {sequence} is another one than was signed")
        self.end = (sequence, each.hash)

    def finish(self) -> Iterator[Fault]:
        """What is wrong with an end here."""
        last = max(self._signed, default=0)
        if last > self.end[0]:
            problem = f"the chain ends at event {self.end[0]}, and event {last} was signed"
            yield Fault(self.end[0] + 1, problem)


def fault_of_end(end: End, head: End) -> Fault | None:
    """What is wrong with the end of a chain, told by its head: with it a cut tail is found too."""
    if end == head:
        return None
    other = f"event {head[0]}" if head[0] != end[0] else "another event of that number"
    return Fault(min(end[0], head[0]) + 1, f"the chain ends at event {end[0]}, and its head is {other}")


def faults(links: Iterable[Link], head: End | None = None) -> list[str]:
    """Every fault of a chain in words; an empty list is a sound chain. `head` is what the table of heads holds."""
    walk = Walk()
    found = [fault.problem for fault in walk.faults(links)]
    if head is not None and (fault := fault_of_end(walk.end, head)):
        found.append(fault.problem)
    return found
