"""Check the staging Vault before a restore test fills it: not the live Vault, and empty, or left full by a test."""

from dataclasses import dataclass

from lambdas.adapters.catalog import Catalog
from lambdas.adapters.lambda_handler import Run, action
from lambdas.adapters.signing import SigningKey
from lambdas.adapters.vault import VaultClient
from lambdas.adapters.vault_target import vault_target
from lambdas.domain.operation import Operation
from lambdas.domain.staging import empty_state
from lambdas.domain.vault_duties import Duty


@dataclass(frozen=True)
class CheckStagingVault:
    operation: Operation


@dataclass(frozen=True)
class StagingVaultChecked:
    """`saved_as` is the empty state that is to be put back; None where it has still to be saved."""

    address: str
    saved_as: str | None


@action(CheckStagingVault)
def handler(request: CheckStagingVault, run: Run) -> StagingVaultChecked:
    settings = run.settings
    target = vault_target(settings.region, request.operation)
    vault, leader = target.vault, target.leader
    client = VaultClient(leader.address, vault, Duty("backup"), SigningKey(settings["VAULT_BACKUP_KEY"]))
    secrets = len(client.marks(vault.mounts))
    rows = Catalog(settings.region, settings["CATALOG_TABLE"]).rows() if secrets else []
    saved_as = empty_state(
        rows,
        address=leader.address,
        secrets=secrets,
        cluster_id=leader.cluster_id,
        live_answers=target.live is not None,
    )
    return StagingVaultChecked(leader.address, saved_as)
