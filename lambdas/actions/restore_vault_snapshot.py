"""Restore a verified snapshot through Vault's leader, and wait for the true end of it."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime

from lambdas.adapters.aws import client as aws_client
from lambdas.adapters.backup_store import BackupStore
from lambdas.adapters.catalog import Catalog
from lambdas.adapters.envelope import Envelope
from lambdas.adapters.lambda_handler import Run, action
from lambdas.adapters.leases import Leases
from lambdas.adapters.proof_record import record_proof
from lambdas.adapters.signing import SigningKey
from lambdas.adapters.vault import VaultClient, await_restored
from lambdas.adapters.vault_target import vault_target
from lambdas.domain.estate import Vault
from lambdas.domain.manifest import of_kind
from lambdas.domain.operation import Operation
from lambdas.domain.proof import plaintext_of
from lambdas.domain.vault_duties import Duty
from lambdas.domain.vault_errors import SealMismatch, UnsealKeysNeeded
from lambdas.domain.vault_manifest import Source, VaultManifest

_READY_SECONDS = 300.0
_MARGIN_SECONDS = 20.0


@dataclass(frozen=True)
class RestoreVaultSnapshot:
    operation: Operation
    backup_id: str


@dataclass(frozen=True)
class SnapshotRestored:
    address: str
    restored_at: str


@action(RestoreVaultSnapshot)
def handler(request: RestoreVaultSnapshot, run: Run) -> SnapshotRestored:
    settings = run.settings
    target = vault_target(settings.region, request.operation)
    vault, leader = target.vault, target.leader
    catalog = Catalog(settings.region, settings["CATALOG_TABLE"])
    row = catalog.get(request.backup_id)
    store = BackupStore(settings.region, settings["BACKUP_BUCKET"])
    signed = store.signed_manifest(row.id, row.key, SigningKey(settings["EVIDENCE_KEY"]), row.manifest_version)
    manifest = of_kind(signed, VaultManifest)
    envelope = Envelope(settings["BACKUP_KEY"])

    if leader.seal_type != manifest.source.seal_type:
        raise SealMismatch(wanted=manifest.source.seal_type, found=leader.seal_type, address=leader.address)
    unseal_keys = _unseal_keys(vault, manifest.source, leader.cluster_id, settings.region)
    client = VaultClient(leader.address, vault, Duty("restore"), SigningKey(settings["VAULT_RESTORE_KEY"]))
    leases = Leases(settings.region, settings["LEASES_TABLE"])
    with leases.guard(request.operation, run.seconds_left()):
        snapshot = plaintext_of(
            manifest, store.read(row), lambda pieces: envelope.open(pieces, manifest.encryption.context)
        )
        client.restore(snapshot, manifest.plaintext.size, manifest.source.seal_key_id, force=bool(unseal_keys))
        seconds = min(_READY_SECONDS, run.seconds_left() - _MARGIN_SECONDS)
        await_restored(vault, leader.address, leader.active_time, seconds, unseal_keys)
    record_proof(catalog, store, request.operation, row.id, "restorable")
    return SnapshotRestored(leader.address, datetime.now(UTC).isoformat(timespec="milliseconds"))


def _unseal_keys(vault: Vault, source: Source, cluster_id: str, region: str) -> list[str]:
    """The Shamir keys of the snapshot's cluster, if the restore will need them: known before anything is touched."""
    if source.seal_type != "shamir" or source.cluster_id == cluster_id:
        return []
    if vault.unseal_keys_secret is None:
        raise UnsealKeysNeeded()
    answer = aws_client("secretsmanager", region).get_secret_value(SecretId=vault.unseal_keys_secret)
    keys: list[str] = json.loads(answer["SecretString"])
    if not keys:
        raise UnsealKeysNeeded()
    return keys
