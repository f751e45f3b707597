"""Check Vault before anything is done to it: unsealed, a leader, and it answers a read."""

from dataclasses import dataclass

from lambdas.adapters.lambda_handler import Run, action
from lambdas.adapters.signing import SigningKey
from lambdas.adapters.vault import VaultClient
from lambdas.adapters.vault_target import vault_target
from lambdas.domain.operation import Operation
from lambdas.domain.vault_duties import Duty


@dataclass(frozen=True)
class CheckVault:
    operation: Operation


@dataclass(frozen=True)
class VaultChecked:
    """What a later action compares: who leads, since when, under which seal; `canary` is what the read gave."""

    address: str
    version: str
    cluster_id: str
    seal_type: str
    canary: str | None


@action(CheckVault)
def handler(request: CheckVault, run: Run) -> VaultChecked:
    target = vault_target(run.settings.region, request.operation)
    vault, leader = target.vault, target.leader
    client = VaultClient(leader.address, vault, Duty("backup"), SigningKey(run.settings["VAULT_BACKUP_KEY"]))
    return VaultChecked(
        address=leader.address,
        version=leader.version,
        cluster_id=leader.cluster_id,
        seal_type=leader.seal_type,
        canary=client.canary(vault.canary),
    )
