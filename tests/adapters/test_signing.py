"""Signatures by KMS keys, and the JWT that Vault takes as a login."""

import base64
import hashlib
import json

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from lambdas.adapters.signing import SigningKey, key_id
from lambdas.domain.errors import AwsUnavailable, KeyUnusable
from lambdas.domain.mailark_error import MailarkError
from tests.servers.aws import aws, make_signing_key, refused, replica

MESSAGE = b"a manifest, which may well be larger than the 4,096 bytes that KMS takes" * 100


@pytest.fixture(scope="module")
def key() -> SigningKey:
    return make_signing_key()


def _public(key: SigningKey) -> ec.EllipticCurvePublicKey:
    public = load_pem_public_key(key.public_pem().encode())
    assert isinstance(public, ec.EllipticCurvePublicKey)
    assert isinstance(public.curve, ec.SECP256R1)
    return public


def test_a_signature_verifies_here_and_with_the_replica_of_the_key(key: SigningKey) -> None:
    signature = key.sign(MESSAGE)
    assert key.verifies(MESSAGE, signature)
    assert SigningKey(replica(key.arn)).verifies(MESSAGE, signature)


def test_anybody_can_verify_a_signature_with_the_public_key_alone(key: SigningKey) -> None:
    _public(key).verify(key.sign(MESSAGE), MESSAGE, ec.ECDSA(SHA256()))


def test_a_signature_of_another_message_does_not_verify(key: SigningKey) -> None:
    assert not key.verifies(MESSAGE + b"x", key.sign(MESSAGE))


def test_a_signature_by_another_key_does_not_verify(key: SigningKey) -> None:
    assert not key.verifies(MESSAGE, make_signing_key().sign(MESSAGE))


@pytest.mark.parametrize("signature", [b"x", b"\x30\x06\x02\x01\x01\x02\x01\x01", bytes(72)])
def test_what_is_no_signature_does_not_verify(signature: bytes, key: SigningKey) -> None:
    assert not key.verifies(MESSAGE, signature)


@pytest.mark.parametrize("code", ["KMSInvalidSignatureException", "ValidationException"])
def test_both_answers_that_kms_has_for_a_wrong_signature_are_known(code: str, key: SigningKey) -> None:
    with refused("Verify", code):
        assert not SigningKey(key.arn).verifies(MESSAGE, b"x")


def test_a_token_says_its_claims_and_is_signed_as_rfc_7518_has_it(key: SigningKey) -> None:
    claims: dict[str, object] = {"iss": "mailark", "sub": "mailark-backup", "exp": 1_800_000_000}
    head, body, signature = key.jwt(claims).split(".")
    assert json.loads(_decoded(head)) == {"alg": "ES256", "typ": "JWT"}
    assert json.loads(_decoded(body)) == claims
    raw = _decoded(signature)
    assert len(raw) == 64
    der = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    _public(key).verify(der, f"{head}.{body}".encode(), ec.ECDSA(SHA256()))
    with pytest.raises(InvalidSignature):
        _public(key).verify(der, f"{head}.{body}x".encode(), ec.ECDSA(SHA256()))


def _decoded(part: str) -> bytes:
    assert "=" not in part
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def test_tokens_are_well_formed_whatever_the_signature_begins_with(key: SigningKey) -> None:
    """A coordinate with leading zeros is shorter in DER, and must not be in a token: one in 128 has one."""
    lengths = {len(_decoded(key.jwt({"n": n}).split(".")[2])) for n in range(300)}
    assert lengths == {64}


def test_the_digest_that_kms_is_sent_is_that_of_the_message(key: SigningKey) -> None:
    answer = aws("kms").verify(
        KeyId=key.arn,
        Message=hashlib.sha256(MESSAGE).digest(),
        MessageType="DIGEST",
        Signature=key.sign(MESSAGE),
        SigningAlgorithm="ECDSA_SHA_256",
    )
    assert answer["SignatureValid"]


def test_a_disabled_key_is_said_to_be_unusable() -> None:
    key = make_signing_key()
    signature = key.sign(MESSAGE)
    aws("kms").disable_key(KeyId=key_id(key.arn))
    with pytest.raises(KeyUnusable, match="DisabledException"):
        key.sign(MESSAGE)
    with pytest.raises(KeyUnusable, match="DisabledException"):
        key.verifies(MESSAGE, signature)
    with pytest.raises(KeyUnusable, match="DisabledException"):
        key.jwt({})


@pytest.mark.parametrize(
    ("code", "kind", "problem"),
    [
        ("AccessDeniedException", KeyUnusable, "AccessDeniedException"),
        ("ThrottlingException", AwsUnavailable, "ThrottlingException"),
        (None, AwsUnavailable, "EndpointConnectionError"),
    ],
)
def test_a_refusal_or_a_silence_of_kms_is_no_verdict(
    code: str | None, kind: type[MailarkError], problem: str, key: SigningKey
) -> None:
    signature = key.sign(MESSAGE)
    with refused(lambda request: "kms." in request.url, code):
        other = SigningKey(key.arn)
        with pytest.raises(kind, match=problem):
            other.verifies(MESSAGE, signature)
        with pytest.raises(kind, match=problem):
            other.sign(MESSAGE)
        with pytest.raises(kind, match=problem):
            other.public_pem()
