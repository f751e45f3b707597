"""Evidence that the audit trail is what it was: signed heads, the archive, and how both are held against the chains.

The same verification runs over the tables in AWS and over a downloaded copy of the bucket.
"""

import base64
import dataclasses
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, unquote

import msgspec
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from msgspec import Struct

from lambdas.domain.audit import EMPTY, GENESIS, End, Fault, Link, Walk, encode_link, fault_of_end, unreadable
from lambdas.domain.canonical import canonical_json
from lambdas.domain.errors import AuditTrailBroken

HEADS_FORMAT = "mailark-heads/1"
HEADS, EVENTS, SPOOL, CHAINED = "heads/", "events/", "spool/", "chained/"
"""The folders of the audit bucket: signed heads, archived events, events that wait to be chained, and marks of those
that were."""

_DIGITS = 12

Verifies = Callable[[bytes, bytes], bool]
"""Whether the second is a signature over the first."""


# --- what lies where --------------------------------------------------------------------------------------


def events_folder(scope: str) -> str:
    """Where the events of a chain are archived: `events/platform%23vault/`."""
    return f"{EVENTS}{quote(scope, safe='')}/"


def event_key(scope: str, sequence: int) -> str:
    """Where an event is archived; the keys of a chain sort as its events do."""
    return f"{events_folder(scope)}{sequence:0{_DIGITS}}.json"


def second_key(each: Link) -> str:
    """Where an event is archived whose place holds another one: a key beside that place, and no place itself."""
    return f"{event_key(each.scope, each.sequence).removesuffix('.json')}.{each.hash}.json"


def place_of(key: str) -> tuple[str, int] | None:
    """The scope and sequence that an archived event's key names; None for any other key."""
    folder, _, name = key.removeprefix(EVENTS).rpartition("/")
    digits = name.removesuffix(".json")
    if not digits.isdecimal() or event_key(unquote(folder), int(digits)) != key:
        return None
    return unquote(folder), int(digits)


def heads_key(signed_at: str) -> str:
    """Where a document of heads lies: `heads/2026/11/22/020500Z.json`; the keys sort by time."""
    return f"{HEADS}{datetime.fromisoformat(signed_at).astimezone(UTC):%Y/%m/%d/%H%M%SZ}.json"


# --- signed heads -----------------------------------------------------------------------------------------


class Head(Struct, frozen=True, forbid_unknown_fields=True):
    """Where a chain ended when it was signed."""

    scope: str
    sequence: int
    hash: str


class SignedHeads(Struct, frozen=True, forbid_unknown_fields=True):
    """Where every chain of a region ended, signed with ECDSA over SHA-256 by the key of the ARN `key_id`.

    `previous` is the SHA-256 of the document before it (`GENESIS` for the first), so that none can be left out.
    `faults` are the first that were found in what was new. `signature` is in DER, in base64; it is over everything
    else, so that nobody can change one byte.
    """

    format: str
    key_id: str
    region: str
    operation_id: str
    signed_at: str
    previous: str
    heads: list[Head]
    faults: list[str]
    signature: str = ""

    def signed_bytes(self) -> bytes:
        """The bytes that the signature is over."""
        plain: dict[str, Any] = msgspec.to_builtins(self)
        plain.pop("signature")
        return canonical_json(plain)

    def encode(self) -> bytes:
        """The document as it is stored."""
        return canonical_json(msgspec.to_builtins(self))

    def ends(self) -> dict[str, End]:
        """The ends by scope."""
        return {head.scope: (head.sequence, head.hash) for head in self.heads}


def sha256_of(document: bytes) -> str:
    """What the next document names as `previous`."""
    return hashlib.sha256(document).hexdigest()


def verifier_of(pem: str) -> Verifies:
    """Verifies signatures by the public half of the key `evidence`. Raises `ValueError` for a text that is none."""
    try:
        key = load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, EllipticCurvePublicKey):
        raise ValueError("it is not the public half of an ECDSA key in PEM")

    def verifies(message: bytes, signature: bytes) -> bool:
        try:
            key.verify(signature, message, ECDSA(SHA256()))
        except InvalidSignature:
            return False
        return True

    return verifies


@dataclass(frozen=True)
class Finding:
    """What is wrong, and where: in a chain at an event, or (without a sequence) in a document."""

    where: str
    sequence: int | None
    problem: str

    def __str__(self) -> str:
        return f"{self.where}: {self.problem}"


FAULTS_TOLD = 20
"""How many findings an error and a document hold: more do not help whoever reads them at night."""


def broken(findings: Sequence[object], more: bool = False) -> AuditTrailBroken:
    """The error that tells some findings; `more` when there are more than these."""
    told = "; ".join(str(finding) for finding in findings[:FAULTS_TOLD])
    return AuditTrailBroken(count=f"at least {len(findings)}" if more else len(findings), first=told)


NO_PLACE = "it lies where no event belongs; a second event for a place that is taken is archived so, beside the first"


LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Kept:
    """What the bucket holds under a key, as a listing of its versions shows it.

    `version`, `md5`, `size` and `put_at` are those of what was put first, and empty where there is nothing but deletion
    markers. S3's ETag of an object that was put whole is the MD5 of its content (S3 API reference, "Object"): one
    request tells it of a thousand objects. `later` counts the versions that were put after the first, `markers` the
    deletions.
    """

    key: str
    version: str
    md5: str
    later: int
    markers: int
    size: int = 0
    put_at: datetime = LONG_AGO


def kept_findings(kept: Iterable[Kept]) -> Iterator[Finding]:
    """What was put over or beside what the bucket holds, or deleted; the lock keeps what was put."""
    for each in kept:
        if each.markers:
            yield Finding(each.key, None, "it was deleted; below the deletion marker, the lock keeps what lay there")
        if each.version and each.later:
            yield Finding(each.key, None, f"it was put again; of its {each.later + 1} versions, the oldest is believed")
        if each.key.startswith(EVENTS) and not place_of(each.key):
            yield Finding(each.key, None, NO_PLACE)


def read_heads(key: str, raw: bytes, verifies: Verifies, region: str) -> SignedHeads:
    """A document that we signed for this key and region (for any, without one).

    Raises `ValueError` for anything else, and says what is wrong with it: whoever may put objects put it there.
    """
    try:
        document = msgspec.json.decode(raw, type=SignedHeads)
        signature = base64.b64decode(document.signature, validate=True)
    except (msgspec.MsgspecError, ValueError):
        raise ValueError("it cannot be read as a document of signed heads") from None
    if not verifies(document.signed_bytes(), signature):
        raise ValueError("its signature does not match")
    as_written = document.encode() == raw and base64.b64encode(signature).decode() == document.signature
    if not as_written or document.format != HEADS_FORMAT:
        raise ValueError("its text differs from what was signed")
    if (place := heads_key(document.signed_at)) != key:
        raise ValueError(f"it belongs at {place}")
    if document.region != (region or document.region):
        raise ValueError(f"it is of the region {document.region}, and those before it of {region}")
    return document


@dataclass(frozen=True)
class Newest:
    """The document that the next one goes on from: where it lies, its bytes, and what they say."""

    key: str
    raw: bytes
    document: SignedHeads


def newest_of_ours(
    there: Iterable[tuple[Kept, bytes]], verifies: Verifies, region: str
) -> tuple[Newest | None, list[Finding]]:
    """The first document that is one of ours among those given newest first, and what is news of those before it.

    News is what was put since ours was signed. The rest was told by then, and the verification tells it each day.
    """
    strangers: list[tuple[datetime, Finding]] = []
    for kept, raw in there:
        try:
            newest = Newest(kept.key, raw, read_heads(kept.key, raw, verifies, region))
        except ValueError as problem:
            strangers.append((kept.put_at, Finding(kept.key, None, f"{problem}; the heads go on without it")))
            continue
        since = datetime.fromisoformat(newest.document.signed_at)
        return newest, [finding for put_at, finding in strangers if put_at >= since]
    return None, [finding for _, finding in strangers]


class History:
    """What all documents of heads say together, read one after another in the order of their keys.

    `signed` holds, by scope, the hashes that were signed by their sequence; `findings` is what is wrong with documents.
    """

    def __init__(self, verifies: Verifies, region: str = "") -> None:
        self.signed: dict[str, dict[int, str]] = {}
        self.findings: list[Finding] = []
        self.documents = 0
        self.first_at = self.last_at = ""
        self._verifies, self._previous, self._region = verifies, GENESIS, region
        self._ends: dict[str, End] = {}

    def add(self, key: str, raw: bytes) -> None:
        """Take the next document; one that is not believed leaves a finding and nothing else."""
        self.documents += 1
        try:
            document = read_heads(key, raw, self._verifies, self._region)
        except ValueError as problem:
            self._found(key, str(problem))
            return
        if document.previous != self._previous:
            first = self._previous == GENESIS
            before = "the documents before it" if first else "a document between it and the one before"
            self._found(key, f"{before} {'are' if first else 'is'} missing, or changed")
        self._previous = sha256_of(raw)
        self._region = self._region or document.region
        self.first_at, self.last_at = self.first_at or document.signed_at, document.signed_at
        self._take(key, document.ends())
        for fault in document.faults:
            self._found(key, f"when it was signed, this was found: {fault}")

    def _take(self, key: str, ends: Mapping[str, End]) -> None:
        for scope in sorted(self._ends.keys() - ends.keys()):
            self._found(key, f"{scope} is left out")
        for scope, (sequence, hashed) in ends.items():
            last, _ = self._ends.get(scope, EMPTY)
            if sequence < last:
                self._found(key, f"the head of {scope} went back from event {last} to event {sequence}")
            if self.signed.setdefault(scope, {}).setdefault(sequence, hashed) != hashed:
                self._found(key, f"event {sequence} of {scope} is another one than was signed before")
        self._ends = dict(ends)

    def _found(self, key: str, problem: str) -> None:
        self.findings.append(Finding(key, None, problem))


# --- chains -----------------------------------------------------------------------------------------------


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
