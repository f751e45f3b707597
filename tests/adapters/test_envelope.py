"""Envelope encryption: who can open a message, how it is made, and what KMS says when it refuses."""

import base64
import io
import secrets
import tracemalloc

import aws_encryption_sdk
import pytest
from aws_encryption_sdk.exceptions import MaxEncryptedDataKeysExceeded
from aws_encryption_sdk.identifiers import Algorithm, CommitmentPolicy, EncryptionKeyType
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from lambdas.adapters.envelope import (
    ALGORITHM,
    FRAME_BYTES,
    Envelope,
    OfflineEnvelope,
    OfflineKeyProvider,
    claimed_context,
)
from lambdas.adapters.signing import key_id
from lambdas.domain.errors import KeyUnusable
from lambdas.domain.mailark_error import MailarkError
from lambdas.domain.proof import CiphertextDamaged
from tests.servers.aws import aws, make_key, refused, replica

CONTEXT = {"purpose": "backup", "backup_id": "vault-snapshot-20261122T020000Z", "kind": "vault"}
SIZES = [0, 1, FRAME_BYTES - 1, FRAME_BYTES, FRAME_BYTES + 1, 3 * FRAME_BYTES, 3 * FRAME_BYTES + 17]


@pytest.fixture(scope="module")
def key() -> str:
    return make_key()


@pytest.fixture(scope="module")
def envelope(key: str, offline_public: str) -> Envelope:
    return Envelope(key, offline_public)


def _sealed(envelope: Envelope, plaintext: bytes) -> bytes:
    return b"".join(envelope.seal([plaintext], CONTEXT))


def _opened(envelope: Envelope, message: bytes) -> bytes:
    return b"".join(envelope.open([message], CONTEXT))


# --- round trips ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
def test_what_is_sealed_opens_again_at_every_size_around_a_frame(size: int, envelope: Envelope) -> None:
    plaintext = secrets.token_bytes(size)
    message = _sealed(envelope, plaintext)
    assert _opened(envelope, message) == plaintext
    assert plaintext[:32] not in message or size < 16


@pytest.mark.parametrize("piece", [1000, FRAME_BYTES // 2 + 1, 2 * FRAME_BYTES])
def test_the_pieces_that_a_stream_comes_in_make_no_difference(piece: int, envelope: Envelope) -> None:
    plaintext = secrets.token_bytes(2 * FRAME_BYTES + 5)
    pieces = [plaintext[i : i + piece] for i in range(0, len(plaintext), piece)]
    message = b"".join(envelope.seal(pieces, CONTEXT))
    parts = [message[i : i + piece] for i in range(0, len(message), piece)]
    assert b"".join(envelope.open(parts, CONTEXT)) == plaintext


def test_each_message_has_a_data_key_of_its_own(envelope: Envelope) -> None:
    assert _sealed(envelope, b"the same") != _sealed(envelope, b"the same")


def test_a_small_key_is_wrapped_as_text_and_unwrapped(envelope: Envelope) -> None:
    secret = secrets.token_bytes(32)
    wrapped = envelope.wrap(secret, CONTEXT)
    assert envelope.unwrap(wrapped, CONTEXT) == secret
    assert secret not in base64.b64decode(wrapped)


def test_sealing_and_opening_take_memory_that_does_not_grow_with_the_stream(envelope: Envelope) -> None:
    assert _peak(envelope, 64) < _peak(envelope, 8) + 4 * FRAME_BYTES


def _peak(envelope: Envelope, frames: int) -> int:
    """The most memory, in bytes, that sealing and opening a stream of so many frames takes."""
    piece = bytes(FRAME_BYTES // 4)
    plaintext = (piece for _ in range(4 * frames))
    tracemalloc.start()
    try:
        passed = sum(len(part) for part in envelope.open(envelope.seal(plaintext, CONTEXT), CONTEXT))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert passed == frames * FRAME_BYTES
    return peak


def test_sealing_takes_the_offline_key(key: str) -> None:
    with pytest.raises(ValueError, match="offline public key"):
        list(Envelope(key).seal([b"x"], CONTEXT))


# --- who can open it --------------------------------------------------------------------------------------


def test_a_message_opens_with_the_replica_of_the_key_in_the_other_region(key: str, envelope: Envelope) -> None:
    assert _opened(Envelope(replica(key)), _sealed(envelope, b"a backup")) == b"a backup"


def test_what_the_other_region_seals_opens_here(key: str, offline_public: str) -> None:
    there = Envelope(replica(key), offline_public)
    assert _opened(Envelope(key), _sealed(there, b"a backup")) == b"a backup"


def test_a_message_opens_with_the_offline_private_key_and_nothing_else(
    envelope: Envelope, offline_private: str
) -> None:
    plaintext = secrets.token_bytes(FRAME_BYTES + 5)
    message = _sealed(envelope, plaintext)
    sdk = aws_encryption_sdk.EncryptionSDKClient(commitment_policy=CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT)
    provider = OfflineKeyProvider.of(offline_private, EncryptionKeyType.PRIVATE)
    with refused(lambda _: True, "AccessDeniedException") as aws:
        found, header = sdk.decrypt(source=message, key_provider=provider)
    assert found == plaintext
    assert {name: header.encryption_context[name] for name in CONTEXT} == CONTEXT
    assert aws.met == 0


def test_the_offline_envelope_opens_what_was_sealed_and_wrapped(envelope: Envelope, offline_private: str) -> None:
    offline = OfflineEnvelope(offline_private)
    plaintext = secrets.token_bytes(2 * FRAME_BYTES + 5)
    assert b"".join(offline.open([_sealed(envelope, plaintext)], CONTEXT)) == plaintext
    assert offline.unwrap(envelope.wrap(b"a key", CONTEXT), CONTEXT) == b"a key"


@pytest.mark.parametrize("message", ["", "AAAA", "no base64!"])
def test_the_offline_envelope_refuses_what_is_no_message(message: str, offline_private: str) -> None:
    with pytest.raises(CiphertextDamaged):
        OfflineEnvelope(offline_private).unwrap(message, CONTEXT)


def test_the_offline_envelope_refuses_a_message_of_another_backup(envelope: Envelope, offline_private: str) -> None:
    with pytest.raises(CiphertextDamaged, match="sealed as another backup"):
        OfflineEnvelope(offline_private).unwrap(envelope.wrap(b"a key", CONTEXT), CONTEXT | {"backup_id": "other"})


def test_what_a_message_claims_to_be_is_read_without_a_key(envelope: Envelope) -> None:
    message = _sealed(envelope, b"plain")
    assert CONTEXT.items() <= claimed_context(message[:5000]).items()
    assert claimed_context(b"") == claimed_context(message[:20]) == claimed_context(b"\xff" + message) == {}


def test_another_offline_key_opens_nothing(envelope: Envelope) -> None:
    other = rsa.generate_private_key(public_exponent=65537, key_size=3072)
    pem = other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    with pytest.raises(aws_encryption_sdk.exceptions.DecryptKeyError):
        aws_encryption_sdk.EncryptionSDKClient().decrypt(
            source=_sealed(envelope, b"x"), key_provider=OfflineKeyProvider.of(pem, EncryptionKeyType.PRIVATE)
        )


def test_the_offline_public_key_opens_nothing(envelope: Envelope, offline_public: str) -> None:
    provider = OfflineKeyProvider.of(offline_public, EncryptionKeyType.PUBLIC)
    with pytest.raises(aws_encryption_sdk.exceptions.AWSEncryptionSDKClientError):
        aws_encryption_sdk.EncryptionSDKClient().decrypt(source=_sealed(envelope, b"x"), key_provider=provider)


# --- how it is made ---------------------------------------------------------------------------------------


def test_a_message_names_the_committing_algorithm_its_frames_and_exactly_two_recipients(envelope: Envelope) -> None:
    with aws_encryption_sdk.EncryptionSDKClient().stream(
        mode="d", source=io.BytesIO(_sealed(envelope, b"x")), key_provider=envelope._kms([])
    ) as stream:
        header = stream.header
        stream.read()
    assert ALGORITHM is Algorithm.AES_256_GCM_HKDF_SHA512_COMMIT_KEY
    assert header.algorithm is ALGORITHM
    assert ALGORITHM.is_committing()
    assert header.frame_length == FRAME_BYTES
    providers = sorted(each.key_provider.provider_id for each in header.encrypted_data_keys)
    assert providers == ["aws-kms", "mailark-offline"]


def test_the_description_says_how_a_message_is_made(envelope: Envelope, key: str) -> None:
    found = envelope.description(CONTEXT)
    assert found.format == "aws-encryption-sdk/2"
    assert found.algorithm == "AES_256_GCM_HKDF_SHA512_COMMIT_KEY"
    assert found.frame_bytes == FRAME_BYTES
    assert found.key_id == key
    assert found.context == CONTEXT
    assert _sealed(envelope, b"x")[0] == 2  # the version of the message format


def test_a_message_with_three_recipients_is_refused(envelope: Envelope, key: str, offline_public: str) -> None:
    provider = envelope._kms([])
    provider.add_master_key_provider(OfflineKeyProvider.of(offline_public, EncryptionKeyType.PUBLIC))
    third = Envelope(make_key(), offline_public)._kms([])
    provider.add_master_key_provider(third)
    sdk = aws_encryption_sdk.EncryptionSDKClient(commitment_policy=CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT)
    message, _ = sdk.encrypt(source=b"x", key_provider=provider, encryption_context=CONTEXT)
    with pytest.raises(CiphertextDamaged, match=MaxEncryptedDataKeysExceeded.__name__):
        _opened(envelope, message)


# --- what KMS says ----------------------------------------------------------------------------------------


def _unusable(envelope: Envelope, message: bytes) -> list[str]:
    """What sealing and opening say of the key."""
    with pytest.raises(MailarkError) as sealing:
        list(envelope.seal([b"x"], CONTEXT))
    with pytest.raises(MailarkError) as opening:
        list(envelope.open([message], CONTEXT))
    return [str(sealing.value).partition("\n")[0], str(opening.value).partition("\n")[0]]


def test_a_disabled_key_is_said_to_be_disabled_and_the_replica_still_opens(offline_public: str) -> None:
    key = make_key()
    envelope, kms = Envelope(key, offline_public), aws("kms")
    message = _sealed(envelope, b"a backup")
    kms.disable_key(KeyId=key_id(key))
    expected = f"key-unusable: KMS does not let this function use {key}: it is disabled."
    assert _unusable(envelope, message) == [expected, expected]
    assert _opened(Envelope(replica(key)), message) == b"a backup"
    kms.enable_key(KeyId=key_id(key))
    assert _opened(envelope, message) == b"a backup"


def test_a_key_that_is_to_be_deleted_is_said_to_wait_for_it(offline_public: str) -> None:
    key = make_key()
    envelope = Envelope(key, offline_public)
    message = _sealed(envelope, b"a backup")
    aws("kms").schedule_key_deletion(KeyId=key_id(key), PendingWindowInDays=7)
    expected = f"key-unusable: KMS does not let this function use {key}: it is waiting to be deleted."
    assert _unusable(envelope, message) == [expected, expected]


def test_a_key_that_is_gone_is_said_to_be_gone(offline_public: str, envelope: Envelope) -> None:
    gone = make_key()[:-4] + "0000"
    with pytest.raises(KeyUnusable, match="NotFoundException"):
        list(Envelope(gone, offline_public).seal([b"x"], CONTEXT))


def test_a_refusal_of_kms_is_named_and_not_taken_for_damage(envelope: Envelope, key: str) -> None:
    message = _sealed(envelope, b"a backup")
    with refused("Decrypt", "AccessDeniedException"), refused("GenerateDataKey", "AccessDeniedException"):
        expected = f"key-unusable: KMS does not let this function use {key}: AccessDeniedException."
        assert _unusable(envelope, message) == [expected, expected]


@pytest.mark.parametrize("code", ["KMSInternalException", "ThrottlingException"])
def test_a_kms_that_may_answer_a_little_later_is_neither_damage_nor_a_refusal(code: str, envelope: Envelope) -> None:
    message = _sealed(envelope, b"a backup")
    with refused("Decrypt", code), refused("GenerateDataKey", code):
        assert _unusable(envelope, message) == [f"aws-unavailable: AWS did not answer KMS: {code}."] * 2


def test_a_role_that_may_not_even_ask_about_the_key_is_told_so(envelope: Envelope, key: str) -> None:
    message = _sealed(envelope, b"a backup")
    with refused(lambda request: "kms." in request.url, "AccessDeniedException"):
        expected = f"key-unusable: KMS does not let this function use {key}: AccessDeniedException."
        assert _unusable(envelope, message) == [expected, expected]


def test_a_region_that_does_not_answer_is_told_apart_from_damage(envelope: Envelope, key: str) -> None:
    message = _sealed(envelope, b"a backup")
    with refused("Decrypt", None), refused("GenerateDataKey", None):
        expected = "aws-unavailable: AWS did not answer a request: EndpointConnectionError."
        assert _unusable(envelope, message) == [expected, expected]
