"""Estates with something else in them than the one of the other tests, and what is said of those that are refused."""

from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from lambdas.domain.errors import EstateInvalid
from lambdas.domain.estate import parse_estate
from lambdas.domain.scenarios import SCENARIOS
from tests.domain.builders import ESTATE

HINT = "Next: Correct that line; docs/operating.md describes every key of the estate."

SUBNETWORK = (
    "{ vpc_id: vpc-1, subnet_ids: [subnet-1], security_group_ids: [sg-1], availability_zones: [eu-central-1a] }"
)
NETWORK = f"network:\n  primary: {SUBNETWORK}\n  standby: {SUBNETWORK}\n"


def with_(old: str, new: str, text: str = ESTATE) -> str:
    """The estate with one passage replaced."""
    assert text.count(old) == 1
    return text.replace(old, new)


def plus(more: str) -> str:
    """The estate with more at its end, from line 32 on."""
    return ESTATE + more


def without_key(pem: str) -> str:
    """The estate with another offline key."""
    return ESTATE.partition("offline_public_key")[0] + "offline_public_key: |\n" + _indented(pem, 2)


def with_ca(pem: str) -> str:
    """The estate with a CA bundle for Vault."""
    return with_("  canary:", "  ca: |\n" + _indented(pem, 4) + "  canary:")


def refusal_of(text: str) -> str:
    """What is said of an estate that is refused."""
    with pytest.raises(EstateInvalid) as caught:
        parse_estate(text, "estate.yaml", frozenset(SCENARIOS))
    return str(caught.value)


def _indented(text: str, by: int) -> str:
    return "".join(" " * by + line + "\n" for line in text.splitlines())


def certificate() -> str:
    """A CA's certificate in PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name.from_rfc4514_string("CN=ca")
    return (
        x509.CertificateBuilder(name, name, key.public_key(), 1)
        .not_valid_before(datetime(2026, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2036, 1, 1, tzinfo=UTC))
        .sign(key, SHA256())
        .public_bytes(Encoding.PEM)
        .decode()
    )
