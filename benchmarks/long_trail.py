"""A long audit trail as a copy of the bucket holds it: many chains, and every hour a signed document of their heads."""

import base64
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from lambdas.domain.audit import EMPTY, GENESIS, End, Event, encode_link, link
from lambdas.domain.audit_bucket import event_key, heads_key
from lambdas.domain.signed_heads import HEADS_FORMAT, Head, SignedHeads, sha256_of

_SIGNED = 24
_BEGIN = datetime(2026, 11, 22, 2, 5, tzinfo=UTC)


class LongTrail:
    """`events` events in a hundredth as many chains, signed 24 times while they were written."""

    def __init__(self, events: int) -> None:
        self.events, self.chains = events, events // 100
        self.largest_document = 0
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._ends: dict[str, End] = {}
        self._previous, self._documents = GENESIS, 0

    @property
    def public_key(self) -> str:
        """The public half of the key that signed, in PEM."""
        public = self._key.public_key()
        return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    def lay_out(self, copy: Path) -> None:
        """Write the files as `aws s3 sync` leaves them."""
        for number in range(self.events):
            scope = f"tenant#{number % self.chains:05}"
            sequence, previous = self._ends.get(scope, EMPTY)
            event = Event(
                f"event-{number}",
                "smtp_credentials_accessed",
                "system",
                "2026-11-22T02:00:00.000Z",
                "info",
                {"reason": "benchmark", "duration_seconds": number % 7},
                tenant_id=scope,
                operation_id=f"operation-{number}",
            )
            each = link(scope, sequence + 1, previous, event)
            file = copy / event_key(scope, each.sequence)
            if sequence == 0:
                file.parent.mkdir(parents=True)
            file.write_bytes(encode_link(each))
            self._ends[scope] = (each.sequence, each.hash)
            if (number + 1) % (self.events // _SIGNED) == 0 or number + 1 == self.events:
                self._sign(copy)

    def _sign(self, copy: Path) -> None:
        unsigned = SignedHeads(
            format=HEADS_FORMAT,
            key_id="benchmark",
            region="eu-central-1",
            operation_id=f"operation-{self._documents}",
            signed_at=(_BEGIN + timedelta(hours=self._documents)).isoformat(),
            previous=self._previous,
            heads=[Head(scope, *end) for scope, end in sorted(self._ends.items())],
            faults=[],
        )
        signature = self._key.sign(unsigned.signed_bytes(), ec.ECDSA(SHA256()))
        document = msgspec.structs.replace(unsigned, signature=base64.b64encode(signature).decode()).encode()
        file = copy / heads_key(unsigned.signed_at)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(document)
        self._previous, self._documents = sha256_of(document), self._documents + 1
        self.largest_document = max(self.largest_document, len(document))
