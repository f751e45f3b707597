"""Long-lived keys at rest: ciphertexts under KMS, kept as SSM parameters in both regions.

Two kinds: the static seal keys of Vault (under the seal key, so that Vault's host can open them at its start), and
the platform's master key (under the escrow key). What is stored is useless without KMS. Nothing is ever deleted: an
old seal key is needed as long as any snapshot was taken under it.
"""

import base64
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from lambdas.adapters.aws import AWS_ERRORS, client, error_code, key_error
from lambdas.domain.vault_errors import SealKeyMissing

_PREFIX = "/mailark/sealed-keys/"
MASTER_KEY = "platform-master-key"


def seal_key_name(key_id: str) -> str:
    """The name of a static seal key of Vault."""
    return f"vault-seal-key/{key_id}"


@dataclass(frozen=True)
class SealedKeys:
    """The sealed keys of one region; `kms_key` is the ARN or alias that they are sealed under."""

    region: str
    kms_key: str

    def context(self, name: str) -> dict[str, str]:
        """The KMS encryption context of a key: its purpose and its name."""
        purpose = name.split("/")[0]
        return {"purpose": purpose, "name": name}

    def ciphertext(self, name: str) -> bytes:
        """The sealed key as stored. Raises `SealKeyMissing`."""
        try:
            value = client("ssm", self.region).get_parameter(Name=_PREFIX + name)["Parameter"]["Value"]
        except ClientError as error:
            if error_code(error) == "ParameterNotFound":
                raise SealKeyMissing(name=name) from None
            raise
        return base64.b64decode(value)

    def has(self, name: str) -> bool:
        """Whether a key of that name is stored here."""
        try:
            self.ciphertext(name)
        except SealKeyMissing:
            return False
        return True

    def open(self, name: str) -> bytes:
        """The key in the clear. Raises `SealKeyMissing` and `KeyUnusable`."""
        answer = self._kms_call("decrypt", CiphertextBlob=self.ciphertext(name), EncryptionContext=self.context(name))
        return bytes(answer["Plaintext"])

    def make(self, name: str, size: int = 32) -> bytes:
        """A fresh random key of `size` bytes, sealed, that nobody has seen. Raises as `open` does."""
        answer = self._kms_call(
            "generate_data_key_without_plaintext", NumberOfBytes=size, EncryptionContext=self.context(name)
        )
        return bytes(answer["CiphertextBlob"])

    def seal(self, name: str, key: bytes) -> bytes:
        """Seal a key that already exists. Raises `KeyUnusable` and `AwsUnavailable`."""
        answer = self._kms_call("encrypt", Plaintext=key, EncryptionContext=self.context(name))
        return bytes(answer["CiphertextBlob"])

    def store(self, name: str, ciphertext: bytes) -> None:
        """Keep a sealed key under a name that is not taken yet."""
        client("ssm", self.region).put_parameter(
            Name=_PREFIX + name, Value=base64.b64encode(ciphertext).decode(), Type="String", Overwrite=False
        )

    def _kms_call(self, call: str, **arguments: Any) -> Any:
        try:
            return getattr(client("kms", self.region), call)(KeyId=self.kms_key, **arguments)
        except AWS_ERRORS as error:
            raise key_error(self.kms_key, error) from None
