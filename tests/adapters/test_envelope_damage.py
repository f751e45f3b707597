"""Nothing but exactly the message that was sealed is opened, and nothing unverified is ever released."""

import io
import secrets
from collections.abc import Callable

import aws_encryption_sdk
import pytest
from aws_encryption_sdk.identifiers import CommitmentPolicy, EncryptionKeyType
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from lambdas.adapters.envelope import ALGORITHM, FRAME_BYTES, Envelope, OfflineKeyProvider
from lambdas.domain.errors import KeyUnusable
from lambdas.domain.proof import CiphertextDamaged
from tests.servers.aws import make_key

CONTEXT = {"purpose": "backup", "backup_id": "vault-snapshot-20261122T020000Z", "kind": "vault"}
SMALL = b"a snapshot of Vault, small enough to be damaged everywhere"
FRAME_HEAD = 4 + 12
"""AWS Encryption SDK, message format, body: a sequence number and an IV before the content of a frame."""
FRAME_TAIL = 16


@pytest.fixture(scope="module")
def offline_public() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=3072)
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


@pytest.fixture(scope="module")
def envelope(offline_public: str) -> Envelope:
    return Envelope(make_key(), offline_public)


@pytest.fixture(scope="module")
def small(envelope: Envelope) -> bytes:
    return b"".join(envelope.seal([SMALL], CONTEXT))


@pytest.fixture(scope="module")
def plaintext() -> bytes:
    return secrets.token_bytes(2 * FRAME_BYTES + 1000)


@pytest.fixture(scope="module")
def large(envelope: Envelope, plaintext: bytes) -> bytes:
    return b"".join(envelope.seal([plaintext], CONTEXT))


def _released(envelope: Envelope, message: bytes, context: dict[str, str] = CONTEXT) -> bytes:
    """What opening a damaged message releases before it refuses the rest of it."""
    released = bytearray()
    pieces = envelope.open([message], context)
    with pytest.raises((CiphertextDamaged, KeyUnusable)):  # noqa: PT012  # reading is what raises
        for piece in pieces:
            released += piece
    return bytes(released)


def _frames(message: bytes) -> tuple[bytes, list[bytes]]:
    """A message with two whole frames and a last one: what stands before its frames, and the frames."""
    whole = FRAME_HEAD + FRAME_BYTES + FRAME_TAIL
    last = 4 + FRAME_HEAD + 4 + 1000 + FRAME_TAIL
    start = len(message) - 2 * whole - last
    assert start > 0
    return message[:start], [message[start : start + whole], message[start + whole : -last], message[-last:]]


# --- small messages, damaged at every byte ----------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_bit_that_is_flipped_anywhere_is_noticed(envelope: Envelope, small: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(small) - 1), label="byte")
    bit = data.draw(st.integers(0, 7), label="bit")
    damaged = small[:at] + bytes([small[at] ^ (1 << bit)]) + small[at + 1 :]
    assert _released(envelope, damaged) == b""


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_bytes_that_are_replaced_anywhere_are_noticed(envelope: Envelope, small: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(small) - 1), label="byte")
    put = data.draw(st.binary(min_size=1, max_size=8).filter(lambda put: small[at : at + len(put)] != put))
    assert _released(envelope, small[:at] + put + small[at + len(put) :]) == b""


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_a_message_that_is_cut_anywhere_is_noticed(envelope: Envelope, small: bytes, data: st.DataObject) -> None:
    assert _released(envelope, small[: data.draw(st.integers(0, len(small) - 1), label="length")]) == b""


@settings(max_examples=10, deadline=None)
@given(more=st.binary(min_size=1, max_size=50))
def test_bytes_after_the_end_are_noticed(envelope: Envelope, small: bytes, more: bytes) -> None:
    with pytest.raises(CiphertextDamaged, match="there are bytes after its end"):
        b"".join(envelope.open([small, more], CONTEXT))


@settings(max_examples=20, deadline=None)
@given(noise=st.binary(max_size=400))
def test_what_never_was_a_message_is_refused(envelope: Envelope, noise: bytes) -> None:
    assert _released(envelope, noise) == b""


def test_the_end_of_a_stream_that_is_cut_between_its_pieces_is_noticed(envelope: Envelope, small: bytes) -> None:
    with pytest.raises(CiphertextDamaged):
        b"".join(envelope.open([small[:100], small[100:-1]], CONTEXT))


# --- messages of several frames ---------------------------------------------------------------------------


def _swap(frames: list[bytes]) -> list[bytes]:
    return [frames[1], frames[0], frames[2]]


def _repeat(frames: list[bytes]) -> list[bytes]:
    return [frames[0], frames[0], frames[1], frames[2]]


def _leave_out(frames: list[bytes]) -> list[bytes]:
    return [frames[0], frames[2]]


def _end_early(frames: list[bytes]) -> list[bytes]:
    return frames[:2]


def _renumber(frames: list[bytes]) -> list[bytes]:
    """Swap two frames and their sequence numbers with them."""
    return [frames[0][:4] + frames[1][4:], frames[1][:4] + frames[0][4:], frames[2]]


@pytest.mark.parametrize("damage", [_swap, _repeat, _leave_out, _end_early, _renumber])
def test_frames_keep_their_order_and_their_number(
    damage: Callable[[list[bytes]], list[bytes]], envelope: Envelope, large: bytes, plaintext: bytes
) -> None:
    head, frames = _frames(large)
    assert b"".join(envelope.open([head, *frames], CONTEXT)) == plaintext
    released = _released(envelope, head + b"".join(damage(frames)))
    assert plaintext.startswith(released)
    assert len(released) < len(plaintext)


def test_a_frame_of_another_message_under_the_same_key_is_refused(
    envelope: Envelope, large: bytes, plaintext: bytes
) -> None:
    other = b"".join(envelope.seal([plaintext], CONTEXT))
    (head, frames), (_, others) = _frames(large), _frames(other)
    released = _released(envelope, head + frames[0] + others[1] + frames[2])
    assert plaintext.startswith(released)
    assert len(released) <= FRAME_BYTES


@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_of_a_large_message_only_what_stands_before_the_damage_is_released(
    envelope: Envelope, large: bytes, plaintext: bytes, data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(large) - 1), label="byte")
    released = _released(envelope, large[:at] + bytes([large[at] ^ 1]) + large[at + 1 :])
    assert plaintext.startswith(released)
    assert len(released) <= at
    assert len(released) < len(plaintext)


# --- messages that are whole, and not the one that was asked for ------------------------------------------


def test_a_message_that_was_sealed_in_another_context_is_refused(envelope: Envelope) -> None:
    other = CONTEXT | {"backup_id": "vault-snapshot-20261121T020000Z"}
    message = b"".join(envelope.seal([SMALL], other))
    with pytest.raises(CiphertextDamaged, match="it was sealed as another backup"):
        b"".join(envelope.open([message], CONTEXT))
    assert _released(envelope, message) == b""


def test_a_message_that_lacks_a_part_of_the_context_is_refused(envelope: Envelope) -> None:
    message = b"".join(envelope.seal([SMALL], {"purpose": "backup"}))
    assert _released(envelope, message) == b""


def test_a_message_under_another_key_is_refused(envelope: Envelope, offline_public: str) -> None:
    message = b"".join(Envelope(make_key(), offline_public).seal([SMALL], CONTEXT))
    with pytest.raises(CiphertextDamaged, match="it does not open under the backup key"):
        b"".join(envelope.open([message], CONTEXT))


def test_a_message_that_anybody_could_make_with_the_offline_public_key_is_refused(
    envelope: Envelope, offline_public: str
) -> None:
    """The public key is public: only what KMS has sealed too is a backup."""
    sdk = aws_encryption_sdk.EncryptionSDKClient(commitment_policy=CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT)
    forged, _ = sdk.encrypt(
        source=io.BytesIO(b"a forged snapshot"),
        key_provider=OfflineKeyProvider.of(offline_public, EncryptionKeyType.PUBLIC),
        algorithm=ALGORITHM,
        frame_length=FRAME_BYTES,
        encryption_context=CONTEXT,
    )
    with pytest.raises(CiphertextDamaged, match="it does not open under the backup key"):
        b"".join(envelope.open([forged], CONTEXT))


def test_a_message_without_key_commitment_is_refused(envelope: Envelope) -> None:
    sdk = aws_encryption_sdk.EncryptionSDKClient(commitment_policy=CommitmentPolicy.FORBID_ENCRYPT_ALLOW_DECRYPT)
    weak, _ = sdk.encrypt(source=SMALL, key_provider=envelope._kms([]), encryption_context=CONTEXT)
    assert _released(envelope, weak) == b""


def test_an_error_of_the_store_that_a_message_comes_from_is_passed_on(envelope: Envelope, large: bytes) -> None:
    def failing() -> object:
        yield large[: len(large) // 2]
        raise InterruptedError("the store has failed")

    with pytest.raises(InterruptedError):
        b"".join(envelope.open(failing(), CONTEXT))  # type: ignore[arg-type]  # a generator
