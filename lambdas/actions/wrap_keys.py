"""Wrap the keys that a backup is useless without, Vault's seal key and the platform's master key, for its manifest."""

from dataclasses import dataclass

from lambdas.adapters.envelope import Envelope
from lambdas.adapters.estate_parameter import read_estate
from lambdas.adapters.lambda_handler import Run, action
from lambdas.adapters.sealed_keys import MASTER_KEY, SealedKeys, seal_key_name
from lambdas.domain.backup import WrappedKey, wrapping_context
from lambdas.domain.operation import Operation
from lambdas.domain.vault_manifest import Source


@dataclass(frozen=True)
class WrapKeys:
    operation: Operation
    backup_id: str
    source: Source


@dataclass(frozen=True)
class KeysWrapped:
    """Ciphertexts: each opens with KMS or with the offline key, and only in the context of this backup."""

    keys: list[WrappedKey]


@action(WrapKeys)
def handler(request: WrapKeys, run: Run) -> KeysWrapped:
    estate = read_estate(run.settings.region)
    envelope = Envelope(run.settings["BACKUP_KEY"], estate.offline_public_key)
    needed = [(MASTER_KEY, run.settings["ESCROW_KEY"])]
    if request.source.seal_type == "static":
        needed.append((seal_key_name(request.source.seal_key_id), run.settings["SEAL_KEY"]))
    wrapped: list[WrappedKey] = []
    for name, kms_key in needed:
        key = SealedKeys(run.settings.region, kms_key).open(name)
        context = wrapping_context("backup-key", name, request.backup_id)
        wrapped.append(WrappedKey(name, context, envelope.wrap(key, context)))
    return KeysWrapped(wrapped)
