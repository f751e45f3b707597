"""The operator's key in the estate: RSA, large enough, and its public half."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from tests.domain.builders import OFFLINE_KEY
from tests.domain.estates import HINT, refusal_of, without_key

RSA_KEY = "offline_public_key: expected an RSA public key in PEM of at least 3072 bits"


def test_a_private_key_is_refused_and_not_shown() -> None:
    pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    refusal = refusal_of(without_key(pem.decode()))
    problem = f"{RSA_KEY}; this is a private key, keep it offline and replace it"
    assert refusal == f"estate-invalid: estate.yaml, {problem}.\n{HINT}"


def test_a_key_that_is_too_small_is_refused() -> None:
    pem = _public_pem(rsa.generate_private_key(65537, 2048).public_key())
    assert refusal_of(without_key(pem)) == f"estate-invalid: estate.yaml, {RSA_KEY}.\n{HINT}"


@pytest.mark.parametrize("key", [ec.generate_private_key(ec.SECP384R1()), ed25519.Ed25519PrivateKey.generate()])
def test_a_key_that_is_not_rsa_is_refused(key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey) -> None:
    pem = _public_pem(key.public_key())
    assert refusal_of(without_key(pem)) == f"estate-invalid: estate.yaml, {RSA_KEY}.\n{HINT}"


@pytest.mark.parametrize("pem", ["offline.pem", OFFLINE_KEY.replace("MIIB", "AIIB"), OFFLINE_KEY[:200]])
def test_a_key_that_is_not_pem_is_refused(pem: str) -> None:
    assert refusal_of(without_key(pem)) == f"estate-invalid: estate.yaml, {RSA_KEY}.\n{HINT}"


def _public_pem(key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey) -> str:
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
