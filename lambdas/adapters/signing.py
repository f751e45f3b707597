"""Signatures by KMS keys (ECDSA on P-256): over manifests, and as the JWT that Vault accepts as a login."""

import base64
import hashlib
import json
from typing import Any

from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from lambdas.adapters.aws import AWS_ERRORS, client, error_code, key_error

ALGORITHM = "ECDSA_SHA_256"
_COORDINATE = 32


class SigningKey:
    """A KMS key of the spec ECC_NIST_P256, in the region of its ARN."""

    def __init__(self, arn: str) -> None:
        self.arn = arn
        self._kms: Any = client("kms", arn.split(":")[3])

    def sign(self, message: bytes) -> bytes:
        """A DER signature over the SHA-256 of `message`. Raises `KeyUnusable` and `AwsUnavailable`."""
        try:
            return bytes(
                self._kms.sign(
                    KeyId=self.arn, Message=_digest(message), MessageType="DIGEST", SigningAlgorithm=ALGORITHM
                )["Signature"]
            )
        except AWS_ERRORS as error:
            raise key_error(self.arn, error) from None

    def verifies(self, message: bytes, signature: bytes) -> bool:
        """Whether this key made `signature` over `message`. Raises `KeyUnusable` and `AwsUnavailable`."""
        try:
            answer = self._kms.verify(
                KeyId=self.arn,
                Message=_digest(message),
                MessageType="DIGEST",
                Signature=signature,
                SigningAlgorithm=ALGORITHM,
            )
        except AWS_ERRORS as error:
            if error_code(error) in ("KMSInvalidSignatureException", "ValidationException"):
                return False
            raise key_error(self.arn, error) from None
        return bool(answer["SignatureValid"])

    def public_pem(self) -> str:
        """The public half, in PEM. Raises `KeyUnusable` and `AwsUnavailable`."""
        try:
            der = self._kms.get_public_key(KeyId=self.arn)["PublicKey"]
        except AWS_ERRORS as error:
            raise key_error(self.arn, error) from None
        return load_der_public_key(der).public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    def jwt(self, claims: dict[str, object]) -> str:
        """A JSON Web Token signed with ES256 (RFC 7518, 3.4). Raises `KeyUnusable` and `AwsUnavailable`."""
        body = _b64({"alg": "ES256", "typ": "JWT"}) + b"." + _b64(claims)
        r, s = decode_dss_signature(self.sign(body))
        raw = r.to_bytes(_COORDINATE, "big") + s.to_bytes(_COORDINATE, "big")
        return (body + b"." + base64.urlsafe_b64encode(raw).rstrip(b"=")).decode()


def key_id(arn: str) -> str:
    """The id of a key: the same in both regions."""
    return arn.rpartition("/")[2]


def _digest(message: bytes) -> bytes:
    """KMS takes at most 4,096 bytes of message; a manifest is larger, so its digest is sent."""
    return hashlib.sha256(message).digest()


def _b64(part: dict[str, object]) -> bytes:
    return base64.urlsafe_b64encode(json.dumps(part, separators=(",", ":")).encode()).rstrip(b"=")
