"""Write the id of the coming backup into Vault, so that a restored Vault shows which backup it is."""

from dataclasses import dataclass
from datetime import datetime

from lambdas.adapters.estate_parameter import read_estate
from lambdas.adapters.lambda_handler import Run, action
from lambdas.adapters.leases import Leases
from lambdas.adapters.signing import SigningKey
from lambdas.adapters.vault import VaultClient, find_leader
from lambdas.domain.backup import BackupName
from lambdas.domain.operation import Operation
from lambdas.domain.scenarios import SCENARIOS
from lambdas.domain.vault_duties import Duty


@dataclass(frozen=True)
class PlantCanary:
    operation: Operation


@dataclass(frozen=True)
class CanaryPlanted:
    """`started_at` is the backup's own time: whole seconds, the same however often this runs."""

    backup_id: str
    started_at: str


@action(PlantCanary)
def handler(request: PlantCanary, run: Run) -> CanaryPlanted:
    vault = read_estate(run.settings.region).vault
    started = datetime.fromisoformat(request.operation.started_at).replace(microsecond=0)
    name = BackupName("vault", "daily", started)
    client = VaultClient(
        find_leader(vault).address, vault, Duty("backup"), SigningKey(run.settings["VAULT_BACKUP_KEY"])
    )
    leases = Leases(run.settings.region, run.settings["LEASES_TABLE"])
    leases.refuse_while_held(SCENARIOS["vault_restore"].target)  # a recovery is proved by the canary that it brought
    with leases.guard(request.operation, run.seconds_left()):
        client.plant_canary(vault.canary, name.id)
    return CanaryPlanted(name.id, started.isoformat())
