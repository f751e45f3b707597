"""Read every secret once, under a policy of its own, and keep a version and a keyed digest of each."""

import os
from dataclasses import dataclass

from msgspec import Struct

from lambdas.adapters.envelope import Envelope
from lambdas.adapters.lambda_handler import Run, action
from lambdas.adapters.signing import SigningKey
from lambdas.adapters.vault import VaultClient
from lambdas.adapters.vault_target import vault_target
from lambdas.adapters.work_store import WorkStore
from lambdas.domain.backup import Series, WrappedKey, wrapping_context
from lambdas.domain.inventory import (
    DIGEST_KEY_BYTES,
    SecretDigest,
    SecretMark,
    SecretsBefore,
    Window,
    digest_of,
    mark_of,
    settle,
)
from lambdas.domain.inventory import Secret as VaultSecret
from lambdas.domain.operation import Operation
from lambdas.domain.vault_duties import Duty
from lambdas.domain.vault_errors import VaultChangedDuringBackup
from lambdas.domain.vault_manifest import Contents


@dataclass(frozen=True)
class ReadVaultInventory:
    """`marks` is where `ListVaultSecrets` left its list."""

    operation: Operation
    backup_id: str
    series: Series
    marks: str


@dataclass(frozen=True)
class InventoryRead:
    """`contents` is the key, in the work bucket, of what the manifest will say of the secrets."""

    contents: str
    secret_count: int
    written_meanwhile: int


class _Seen(Struct, frozen=True):
    mark: SecretMark
    digest: SecretDigest


@action(ReadVaultInventory)
def handler(request: ReadVaultInventory, run: Run) -> InventoryRead:
    target = vault_target(run.settings.region, request.operation)
    estate, vault = target.estate, target.vault
    work = WorkStore(run.settings.region, run.settings["WORK_BUCKET"])
    client = VaultClient(
        target.leader.address, vault, Duty("inventory"), SigningKey(run.settings["VAULT_INVENTORY_KEY"])
    )
    digest_key = os.urandom(DIGEST_KEY_BYTES)

    def look(secret: VaultSecret) -> _Seen:
        mark = mark_of(
            secret.path,
            secret.version,
            secret.created_time,
            secret.deletion_time,
            secret.destroyed,
            secret.custom_metadata,
        )
        return _Seen(mark, digest_of(secret, digest_key))

    seen: list[_Seen] = client.secrets(vault.mounts, look)
    canary = client.canary(vault.canary)
    if request.series == "daily" and canary != request.backup_id:
        raise VaultChangedDuringBackup(backup_id=request.backup_id)
    before = work.get(request.marks, SecretsBefore)
    window = Window(before.since, client.clock() + 1)
    inventory = settle(before.marks, [each.mark for each in seen], [each.digest for each in seen])

    context = wrapping_context("digest-key", "digest-key", request.backup_id)
    wrapped = Envelope(run.settings["BACKUP_KEY"], estate.offline_public_key).wrap(digest_key, context)
    contents = Contents(
        mounts=list(vault.mounts),
        canary=vault.canary,
        canary_names=canary,
        secret_count=len(inventory.secrets),
        live_count=sum(each.mark.live for each in seen),
        digest_key=WrappedKey("digest-key", context, wrapped),
        secrets=inventory.secrets,
        written_meanwhile=inventory.written_meanwhile,
        window=window,
    )
    key = work.put(request.operation.id, "contents", contents)
    return InventoryRead(key, len(inventory.secrets), len(inventory.written_meanwhile))
