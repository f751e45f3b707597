"""The audit trail's hash chain: what an event is, how it is linked, and how a broken chain is found.

The fields are those of `platform-facts.md` ("Audit event"), with the operation that an event belongs to.
"""

import hashlib
import uuid
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

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


def faults(links: Iterable[Link], head: tuple[int, str] | None = None) -> list[str]:
    """Every fault of a chain, given in the order of its sequence, in words; an empty list is a sound chain.

    `head` is the sequence and hash that the table of heads holds: with it a cut tail is found too.
    """
    found: list[str] = []
    expected, previous = 1, GENESIS
    for each in links:
        if each.sequence > expected:
            found.append(f"event {expected} is missing before event {each.sequence}")
        elif each.sequence < expected:
            found.append(f"event {each.sequence} stands after event {expected - 1}")
        elif each.previous != previous:
            found.append(f"event {each.sequence} does not follow the event before it")
        if _hash(each.scope, each.sequence, each.previous, each.event) != each.hash:
            found.append(f"event {each.sequence} was changed")
        expected, previous = each.sequence + 1, each.hash
    if head is not None and head != (expected - 1, previous):
        other = f"event {head[0]}" if head[0] != expected - 1 else "another event of that number"
        found.append(f"the chain ends at event {expected - 1}, and its head is {other}")
    return found
