"""Envelope encryption with two recipients, by the AWS Encryption SDK.

A message can be opened with the multi-Region KMS key of the backups, in either region, or with the operator's
offline RSA key and nothing else. The format is the SDK's own (message format 2, committing algorithm), so five
languages read it. Nothing unverified is released: each frame is authenticated before it is passed on.
"""

import base64
import io
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import aws_encryption_sdk
from aws_encryption_sdk.exceptions import AWSEncryptionSDKClientError, DecryptKeyError, GenerateKeyError
from aws_encryption_sdk.identifiers import Algorithm, CommitmentPolicy, EncryptionKeyType, WrappingAlgorithm
from aws_encryption_sdk.internal.crypto.wrapping_keys import WrappingKey
from aws_encryption_sdk.internal.formatting.deserialize import deserialize_header
from aws_encryption_sdk.key_providers.kms import MRKAwareStrictAwsKmsMasterKeyProvider
from aws_encryption_sdk.key_providers.raw import RawMasterKeyProvider
from botocore.exceptions import BotoCoreError
from cryptography.exceptions import InvalidTag

from lambdas.adapters.aws import AWS_ERRORS, botocore_session, client, key_error, refusal
from lambdas.adapters.streams import IteratorReader
from lambdas.domain.backup import Encryption
from lambdas.domain.errors import KeyUnusable
from lambdas.domain.mailark_error import MailarkError
from lambdas.domain.proof import CiphertextDamaged

FORMAT = "aws-encryption-sdk/2"
ALGORITHM = Algorithm.AES_256_GCM_HKDF_SHA512_COMMIT_KEY
FRAME_BYTES = 1024 * 1024
"""In a prototype, 1 MiB frames encrypted ten times as fast as the SDK's default of 4 KiB (docs/decisions.md)."""

OFFLINE_PROVIDER = "mailark-offline"
OFFLINE_KEY_NAME = b"offline"
_RECIPIENTS = 2
_OTHER_CIPHERTEXT = ("InvalidCiphertextException", "IncorrectKeyException")
"""KMS, Decrypt: what it answers to a ciphertext that it did not make under this key and in this context."""


class OfflineKeyProvider(RawMasterKeyProvider):  # type: ignore[misc]  # the SDK ships no types
    """The operator's RSA key as a recipient (public half) or as the one who opens (private half)."""

    provider_id = OFFLINE_PROVIDER

    def __init__(self, **_: object) -> None:
        super().__init__()
        self._wrapping_key: Any = None

    @classmethod
    def of(cls, pem: str, key_type: EncryptionKeyType) -> "OfflineKeyProvider":
        provider = cls()
        provider._wrapping_key = WrappingKey(
            wrapping_algorithm=WrappingAlgorithm.RSA_OAEP_SHA256_MGF1,
            wrapping_key=pem.encode(),
            wrapping_key_type=key_type,
        )
        provider.add_master_key(OFFLINE_KEY_NAME)
        return provider

    def _get_raw_key(self, key_id: bytes) -> Any:  # noqa: ARG002  # the SDK's signature; there is one key
        return self._wrapping_key


class Envelope:
    """Seals streams and small keys to both recipients, and opens them with KMS."""

    def __init__(self, kms_key: str, offline_public_key: str | None = None) -> None:
        """`kms_key` is the ARN of the backup key in this region; the public key (PEM) is needed only to seal."""
        self._key = kms_key
        self._offline = offline_public_key
        self._sdk = _sdk()

    def description(self, context: Mapping[str, str]) -> Encryption:
        """How `seal` encrypts, as a manifest says it."""
        return Encryption(FORMAT, ALGORITHM.name, FRAME_BYTES, self._key, dict(context))

    def _kms(self, refusals: list[str]) -> Any:
        """The KMS key as the SDK takes it; `refusals` gets the error codes of KMS, which the SDK swallows."""

        def note(**answer: Any) -> None:
            if "Error" in answer["parsed"]:
                refusals.append(answer["parsed"]["Error"]["Code"])

        session = botocore_session()
        session.register("after-call.kms", note)
        return MRKAwareStrictAwsKmsMasterKeyProvider(key_ids=[self._key], botocore_session=session)

    def seal(self, plaintext: Iterable[bytes], context: Mapping[str, str]) -> Iterator[bytes]:
        """Encrypt a stream, piece by piece, in memory that does not grow with it. Raises `KeyUnusable`."""
        if self._offline is None:
            raise ValueError("sealing needs the offline public key")
        refusals: list[str] = []
        provider = self._kms(refusals)
        provider.add_master_key_provider(OfflineKeyProvider.of(self._offline, EncryptionKeyType.PUBLIC))
        try:
            with self._sdk.stream(
                mode="e",
                source=IteratorReader(plaintext),
                key_provider=provider,
                algorithm=ALGORITHM,
                frame_length=FRAME_BYTES,
                encryption_context=dict(context),
            ) as encryptor:
                while piece := encryptor.read(FRAME_BYTES):
                    yield piece
        except GenerateKeyError as error:
            raise self._key_trouble(refusals) or self._unusable(error) from None
        except BotoCoreError as error:
            raise self._unusable(error) from None

    def open(self, ciphertext: Iterable[bytes], context: Mapping[str, str]) -> Iterator[bytes]:
        """Decrypt a stream; every piece is authenticated before it is yielded.

        Raises `CiphertextDamaged` for anything but exactly the message that was sealed under `context`, and
        `KeyUnusable` when KMS refuses the key.
        """
        refusals: list[str] = []
        try:
            yield from _opened(self._sdk, self._kms(refusals), ciphertext, context)
        except DecryptKeyError as error:
            damaged = CiphertextDamaged("it does not open under the backup key")
            raise self._key_trouble(refusals) or damaged from error
        except BotoCoreError as error:
            raise self._unusable(error) from None

    def wrap(self, key: bytes, context: Mapping[str, str]) -> str:
        """Seal a small key; the message in base64."""
        return base64.b64encode(b"".join(self.seal([key], context))).decode()

    def unwrap(self, message: str, context: Mapping[str, str]) -> bytes:
        """Open a small key that `wrap` sealed. Raises as `open` does."""
        return b"".join(self.open([base64.b64decode(message)], context))

    def _key_trouble(self, refusals: list[str]) -> MailarkError | None:
        """What keeps KMS from using the key; None when it refused a ciphertext, and not the key."""
        try:
            state = client("kms", self._key.split(":")[3]).describe_key(KeyId=self._key)["KeyMetadata"]["KeyState"]
        except AWS_ERRORS as error:
            return self._unusable(error)
        if state != "Enabled":
            return KeyUnusable(key=self._key, problem=f"it is {_words(state)}")
        refused = next((code for code in refusals if code not in _OTHER_CIPHERTEXT), None)
        return refusal(self._key, refused) if refused else None

    def _unusable(self, error: Exception) -> MailarkError:
        return key_error(self._key, error)


class OfflineEnvelope:
    """Opens what `Envelope` has sealed with the operator's private key and nothing else: no AWS is called."""

    def __init__(self, private_key: str) -> None:
        """`private_key` is RSA, in PEM, without a passphrase."""
        self._provider = OfflineKeyProvider.of(private_key, EncryptionKeyType.PRIVATE)
        self._sdk = _sdk()

    def open(self, ciphertext: Iterable[bytes], context: Mapping[str, str]) -> Iterator[bytes]:
        """Decrypt a stream; every piece is authenticated before it is yielded. Raises `CiphertextDamaged`."""
        try:
            yield from _opened(self._sdk, self._provider, ciphertext, context)
        except DecryptKeyError:
            raise CiphertextDamaged("it does not open under the offline key") from None

    def unwrap(self, message: str, context: Mapping[str, str]) -> bytes:
        """Open a small key that `Envelope.wrap` sealed. Raises as `open` does."""
        try:
            sealed = base64.b64decode(message, validate=True)
        except ValueError:  # binascii.Error is one, and so is what is no ASCII
            raise CiphertextDamaged("it is not base64") from None
        return b"".join(self.open([sealed], context))


def claimed_context(beginning: bytes) -> dict[str, str]:
    """The encryption context that a message says at its beginning: not authenticated, for a person's eyes alone.

    Empty when it cannot be read.
    """
    try:
        header, _ = deserialize_header(io.BytesIO(beginning))
    except (AWSEncryptionSDKClientError, ValueError):
        return {}
    return dict(header.encryption_context)


def _sdk() -> Any:
    return aws_encryption_sdk.EncryptionSDKClient(
        commitment_policy=CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT,
        max_encrypted_data_keys=_RECIPIENTS,
    )


def _opened(sdk: Any, provider: Any, ciphertext: Iterable[bytes], context: Mapping[str, str]) -> Iterator[bytes]:
    """Every piece of a message, authenticated. Raises `CiphertextDamaged`; `DecryptKeyError` when no key opens it."""
    source = IteratorReader(ciphertext)
    try:
        with sdk.stream(mode="d", source=source, key_provider=provider, max_body_length=FRAME_BYTES) as decryptor:
            found = decryptor.header.encryption_context
            if any(found.get(name) != value for name, value in context.items()):
                raise CiphertextDamaged("it was sealed as another backup")
            while piece := decryptor.read(FRAME_BYTES):
                yield piece
    except (DecryptKeyError, BotoCoreError):
        raise  # of the key, and not of the message
    except (AWSEncryptionSDKClientError, InvalidTag, ValueError, KeyError, IndexError, TypeError) as error:
        raise CiphertextDamaged(f"its encryption does not verify ({type(error).__name__})") from None
    if source.read(1):
        raise CiphertextDamaged("there are bytes after its end")


def _words(key_state: str) -> str:
    return {"Disabled": "disabled", "PendingDeletion": "waiting to be deleted"}.get(key_state, key_state)
