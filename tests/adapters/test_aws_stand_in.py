"""The mocked AWS itself: what was added to moto is still needed, and answers as AWS does."""

import hashlib

import pytest
from botocore.exceptions import ClientError
from moto.kms.utils import ECDSAPrivateKey

from lambdas.adapters.aws import error_code
from lambdas.adapters.signing import key_id
from tests.servers.aws import STANDBY, aws, make_key, make_signing_key, replica

CONTEXT = {"purpose": "backup"}


def test_a_multi_region_key_opens_in_both_regions_and_in_its_own_context_only() -> None:
    key = make_key()
    sealed = aws("kms").encrypt(KeyId=key, Plaintext=b"x", EncryptionContext=CONTEXT)["CiphertextBlob"]
    there = aws("kms", STANDBY)
    assert there.decrypt(KeyId=replica(key), CiphertextBlob=sealed, EncryptionContext=CONTEXT)["Plaintext"] == b"x"
    with pytest.raises(ClientError, match="InvalidCiphertext"):
        there.decrypt(KeyId=replica(key), CiphertextBlob=sealed, EncryptionContext={"purpose": "other"})
    with pytest.raises(ClientError):
        there.decrypt(KeyId=make_key(), CiphertextBlob=sealed, EncryptionContext=CONTEXT)


def test_moto_still_signs_the_digest_of_a_digest() -> None:
    digest = hashlib.sha256(b"x").digest()
    own = ECDSAPrivateKey("ECC_NIST_P256")
    assert own.verify(digest, own.sign(digest, "ECDSA_SHA_256"), "ECDSA_SHA_256")
    added = make_signing_key()
    assert added.verifies(b"x", added.sign(b"x"))
    with pytest.raises(ValueError, match="digest"):
        _sign(added.arn, b"no digest of 32 bytes")
    assert own.sign(b"no digest of 32 bytes", "ECDSA_SHA_256")


def _sign(arn: str, message: bytes) -> None:
    aws("kms").sign(KeyId=arn, Message=message, MessageType="DIGEST", SigningAlgorithm="ECDSA_SHA_256")


def test_a_key_that_is_disabled_or_to_be_deleted_answers_as_kms_does() -> None:
    key = make_key()
    aws("kms").disable_key(KeyId=key_id(key))
    with pytest.raises(ClientError) as failure:
        aws("kms").encrypt(KeyId=key, Plaintext=b"x")
    assert error_code(failure.value) == "DisabledException"
    aws("kms").schedule_key_deletion(KeyId=key_id(key), PendingWindowInDays=7)
    with pytest.raises(ClientError) as failure:
        aws("kms").encrypt(KeyId=key, Plaintext=b"x")
    assert error_code(failure.value) == "KMSInvalidStateException"
