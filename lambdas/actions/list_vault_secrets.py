"""List every secret's version before the snapshot, from metadata alone: what changes afterwards is told apart by it."""

from dataclasses import dataclass

from lambdas.adapters.lambda_handler import Run, action
from lambdas.adapters.signing import SigningKey
from lambdas.adapters.vault import VaultClient
from lambdas.adapters.vault_target import vault_target
from lambdas.adapters.work_store import WorkStore
from lambdas.domain.inventory import SecretsBefore
from lambdas.domain.operation import Operation
from lambdas.domain.vault_duties import Duty


@dataclass(frozen=True)
class ListVaultSecrets:
    operation: Operation


@dataclass(frozen=True)
class SecretsListed:
    """`marks` is the key of the list in the work bucket; `live_count` of the `count` secrets can be read."""

    marks: str
    count: int
    live_count: int


@action(ListVaultSecrets)
def handler(request: ListVaultSecrets, run: Run) -> SecretsListed:
    target = vault_target(run.settings.region, request.operation)
    vault = target.vault
    key = SigningKey(run.settings["VAULT_BACKUP_KEY"])
    client = VaultClient(target.leader.address, vault, Duty("backup"), key)
    before = SecretsBefore(since=client.clock(), marks=client.marks(vault.mounts))
    work = WorkStore(run.settings.region, run.settings["WORK_BUCKET"])
    marks = work.put(request.operation.id, "secrets-before", before)
    return SecretsListed(marks, len(before.marks), sum(mark.live for mark in before.marks))
