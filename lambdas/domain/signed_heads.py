"""Signed heads: the documents that say where every chain ended, each naming the one before it."""

import base64
import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from msgspec import Struct

from lambdas.domain.audit import EMPTY, GENESIS, End
from lambdas.domain.audit_bucket import Finding, Kept, heads_key
from lambdas.domain.canonical import canonical_json

HEADS_FORMAT = "mailark-heads/1"

Verifies = Callable[[bytes, bytes], bool]
"""Whether the second is a signature over the first."""


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
