"""Evidence that the audit trail is what it was: chains held against what was signed of them, and against the archive.

The same verification runs over the tables in AWS and over a downloaded copy of the bucket.
"""

import dataclasses
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from lambdas.domain.audit import End, Fault, Link, Walk, encode_link, fault_of_end, unreadable
from lambdas.domain.audit_bucket import Finding


def chain_findings(scope: str, links: Iterable[Link], signed: Mapping[int, str]) -> Iterator[Finding]:
    """What is wrong with a chain, held against what was signed of it. In memory is one link at a time."""
    for fault in Walk(signed).faults(_own(scope, each) for each in links):
        yield Finding(scope, fault.sequence, fault.problem)


def news_findings(scope: str, links: Iterable[Link], after: End, end: End) -> Iterator[Finding]:
    """What is wrong with the part of a chain between the end that was signed last and its head now."""
    walk = Walk(after=after)
    for each in links:
        for fault in walk.step(_own(scope, each)):
            yield Finding(scope, fault.sequence, fault.problem)
    if fault_at_end := fault_of_end(walk.end, end):
        yield Finding(scope, fault_at_end.sequence, fault_at_end.problem)


def _own(scope: str, each: Link) -> Link:
    """A link as one of this chain; one that says that it is of another was moved here or changed, and is not whole."""
    if each.scope == scope:
        return each
    return dataclasses.replace(unreadable(scope, each.sequence), previous=each.previous, hash=each.hash)


@dataclass(frozen=True)
class Copy:
    """An archived event as a listing of the bucket shows it."""

    sequence: int
    md5: str


def trail_findings(
    scope: str,
    links: Iterable[Link],
    head: Callable[[], End],
    signed: Mapping[int, str],
    copies: Iterator[Copy],
    in_table: Callable[[int], bool],
) -> Iterator[Finding]:
    """What is wrong with a chain in the table, held against its head, what was signed of it, and its archive.

    `head` is asked when all links are read; `in_table` when the archive holds an event that was not among them, since
    one may have come meanwhile. In memory are a link and a copy at a time.
    """
    walk, beside = Walk(signed), _Beside(copies, max(signed, default=0))
    for each in links:
        for fault in (*walk.step(_own(scope, each)), *beside.step(each)):
            yield Finding(scope, fault.sequence, fault.problem)
    end = fault_of_end(walk.end, head())
    for fault in (*walk.finish(), *((end,) if end else ())):
        yield Finding(scope, fault.sequence, fault.problem)
    for sequence in beside.left():
        if not in_table(sequence):
            yield Finding(scope, sequence, _only_archived(sequence).problem)


class _Beside:
    """Holds each event of the table against its copy in the archive."""

    def __init__(self, copies: Iterator[Copy], signed_until: int) -> None:
        self._copies, self._signed_until = copies, signed_until
        self._next = next(copies, None)

    def step(self, each: Link) -> Iterator[Fault]:
        sequence = each.sequence
        while self._next is not None and self._next.sequence < sequence:
            yield _only_archived(self._next.sequence)
            self._next = next(self._copies, None)
        if self._next is not None and self._next.sequence == sequence:
            if self._next.md5 != _md5(each):
                yield Fault(sequence, f"event {sequence} differs from its copy in the archive")
            self._next = next(self._copies, None)
        elif sequence <= self._signed_until:  # what is younger than the last signed head may still be on its way
            yield Fault(sequence, f"event {sequence} has no copy in the archive")

    def left(self) -> Iterator[int]:
        while self._next is not None:
            yield self._next.sequence
            self._next = next(self._copies, None)


def _only_archived(sequence: int) -> Fault:
    return Fault(sequence, f"event {sequence} is in the archive, and not in the table")


def _md5(each: Link) -> str:
    try:
        return hashlib.md5(encode_link(each), usedforsecurity=False).hexdigest()
    except (TypeError, ValueError):  # a value that no JSON has, and so none that was ever archived
        return ""
