"""Prove a restored Vault: every secret equals its backup, the canary names that backup, every node serves it."""

from dataclasses import dataclass

from lambdas.adapters.backup_store import BackupStore
from lambdas.adapters.catalog import Catalog
from lambdas.adapters.envelope import Envelope
from lambdas.adapters.lambda_handler import Run, action
from lambdas.adapters.proof_record import record_proof
from lambdas.adapters.signing import SigningKey
from lambdas.adapters.vault import VaultClient
from lambdas.adapters.vault_target import vault_target
from lambdas.domain.backup import ProofLevel
from lambdas.domain.estate import Vault
from lambdas.domain.inventory import Restored, compare, digest_of
from lambdas.domain.mailark_error import MailarkError
from lambdas.domain.manifest import of_kind
from lambdas.domain.operation import Operation
from lambdas.domain.vault_duties import Duty
from lambdas.domain.vault_errors import RestoreNotProved, VaultNodeBehind
from lambdas.domain.vault_manifest import Contents, VaultManifest


@dataclass(frozen=True)
class VerifyVault:
    operation: Operation
    backup_id: str


@dataclass(frozen=True)
class VaultVerified:
    """`written_meanwhile` counts the secrets that changed while the backup was taken: they are not held against it.

    `proof` is the level in the catalog: `stored` where the backup was not good, and so is not good now.
    """

    secrets_compared: int
    written_meanwhile: int
    nodes: int
    proof: ProofLevel


@action(VerifyVault)
def handler(request: VerifyVault, run: Run) -> VaultVerified:
    settings = run.settings
    target = vault_target(settings.region, request.operation)
    vault = target.vault
    catalog = Catalog(settings.region, settings["CATALOG_TABLE"])
    row = catalog.get(request.backup_id)
    store = BackupStore(settings.region, settings["BACKUP_BUCKET"])
    signed = store.signed_manifest(row.id, row.key, SigningKey(settings["EVIDENCE_KEY"]), row.manifest_version)
    manifest = of_kind(signed, VaultManifest)
    key = SigningKey(settings["VAULT_INVENTORY_KEY"])
    contents = manifest.contents

    client = VaultClient(target.leader.address, vault, Duty("inventory"), key)
    wrapped = contents.digest_key
    digest_key = Envelope(settings["BACKUP_KEY"]).unwrap(wrapped.message, wrapped.context)
    restored = client.secrets(
        contents.mounts, lambda secret: Restored(digest_of(secret, digest_key), contents.window.covers(secret))
    )
    difference = compare(contents.inventory, restored)
    if not difference.none:
        raise RestoreNotProved(backup_id=row.id, problem=str(difference))
    if (canary := client.canary(contents.canary)) != contents.canary_names:
        raise RestoreNotProved(backup_id=row.id, problem=f"its canary names {canary or 'no backup'}")
    _prove_nodes(vault, key, contents)
    proof = record_proof(catalog, store, request.operation, row.id, "proven").proof
    return VaultVerified(difference.compared, len(contents.written_meanwhile), len(vault.all_nodes), proof)


def _prove_nodes(vault: Vault, key: SigningKey, contents: Contents) -> None:
    for address in vault.all_nodes:
        try:
            found = VaultClient(address, vault, Duty("inventory"), key).canary(contents.canary)
        except MailarkError as error:
            problem = str(error).partition("\n")[0].partition(": ")[2].rstrip(".")
            raise VaultNodeBehind(node=address, problem=problem) from None
        if found != contents.canary_names:
            raise VaultNodeBehind(node=address, problem=f"its canary names {found or 'no backup'}")
