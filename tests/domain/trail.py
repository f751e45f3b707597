"""A small audit trail with its signed heads, as the locked bucket holds both: to be tampered with."""

import base64
import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from lambdas.domain.audit import EMPTY, GENESIS, End, Event, Link, encode_link, link
from lambdas.domain.audit_bucket import Finding, event_key, heads_key
from lambdas.domain.signed_heads import HEADS_FORMAT, Head, SignedHeads, sha256_of

NIGHT = datetime(2026, 11, 22, 2, 5, tzinfo=UTC)


class Key:
    """Stands for the KMS key `evidence`."""

    def __init__(self) -> None:
        self._private = ec.generate_private_key(ec.SECP256R1())

    @property
    def pem(self) -> str:
        public = self._private.public_key()
        return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    def signed(self, document: SignedHeads) -> SignedHeads:
        signature = base64.b64encode(self._private.sign(document.signed_bytes(), ec.ECDSA(SHA256()))).decode()
        return msgspec.structs.replace(document, signature=signature)


EVIDENCE = Key()


VAULT, TENANT = "platform#vault", "tenant#1/ä"
"""Two scopes: one of the platform, and one whose key has to be quoted."""


def said(findings: Iterable[Finding]) -> list[str]:
    """Findings as people read them."""
    return [str(finding) for finding in findings]


@dataclass
class Trail:
    """Chains by scope, and the documents that were signed of them by their key."""

    chains: dict[str, list[Link]] = field(default_factory=dict)
    documents: dict[str, bytes] = field(default_factory=dict)

    def append(self, scope: str, name: str = "operation_started") -> Link:
        chain = self.chains.setdefault(scope, [])
        sequence, previous = self.end(scope)
        event = Event(f"id-{scope}-{sequence + 1}", name, "jo", "2026-11-22T02:00:00.000Z", "info", {"n": sequence})
        chain.append(link(scope, sequence + 1, previous, event))
        return chain[-1]

    def end(self, scope: str) -> End:
        chain = self.chains[scope]
        return (chain[-1].sequence, chain[-1].hash) if chain else EMPTY

    def sign(self, key: Key = EVIDENCE, region: str = "eu-central-1", faults: Sequence[str] = ()) -> str:
        """Sign where every chain ends, an hour after the last time; the document's key."""
        document = SignedHeads(
            format=HEADS_FORMAT,
            key_id="evidence",
            region=region,
            operation_id=f"op-{len(self.documents)}",
            signed_at=(NIGHT + timedelta(hours=len(self.documents))).isoformat(),
            previous=sha256_of(list(self.documents.values())[-1]) if self.documents else GENESIS,
            heads=[Head(scope, *self.end(scope)) for scope in sorted(self.chains)],
            faults=list(faults),
        )
        place = heads_key(document.signed_at)
        self.documents[place] = key.signed(document).encode()
        return place

    def signed_ends(self) -> Iterator[tuple[str, int, str]]:
        """Scope, sequence and hash of everything that was signed."""
        for raw in self.documents.values():
            for head in msgspec.json.decode(raw, type=SignedHeads).heads:
                yield head.scope, head.sequence, head.hash

    def rewrite(self, scope: str, at: int) -> None:
        """Change an event and link all that follow anew, as somebody with full access to the tables can."""
        chain = self.chains[scope]
        previous = chain[at - 2].hash if at > 1 else GENESIS
        for i in range(at - 1, len(chain)):
            event = chain[i].event
            if i == at - 1:
                event = dataclasses.replace(event, user_id="nobody")
            chain[i] = link(scope, i + 1, previous, event)
            previous = chain[i].hash

    def files(self) -> dict[str, bytes]:
        """What the bucket holds, by key."""
        events = {event_key(each.scope, each.sequence): encode_link(each) for c in self.chains.values() for each in c}
        return events | self.documents


def lay_out(files: dict[str, bytes], folder: Path) -> Path:
    """Files as `aws s3 sync` leaves them."""
    for key, body in files.items():
        place = folder / key
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(body)
    return folder


def a_trail() -> Trail:
    """Two chains, signed three times; the last event is signed too."""
    trail = Trail()
    for number in range(3):
        trail.append("platform#vault", f"event-{number}")
        trail.append("tenant#1/ä", f"event-{number}")
        trail.append("platform#vault", f"another-{number}")
        trail.sign()
    return trail
