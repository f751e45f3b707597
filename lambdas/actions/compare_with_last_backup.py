"""Hold Vault against its last good backup: one that was emptied or replaced is not backed up as if nothing were."""

from dataclasses import dataclass

from lambdas.adapters.catalog import Catalog
from lambdas.adapters.lambda_handler import Run, action
from lambdas.domain.loss import refuse_what_looks_lost
from lambdas.domain.operation import Operation


@dataclass(frozen=True)
class CompareWithLastBackup:
    """What was seen of Vault; `accept_loss` lets it pass, since a person said that it is meant."""

    operation: Operation
    cluster_id: str
    live_count: int
    accept_loss: bool = False


@dataclass(frozen=True)
class Compared:
    """`last_backup_id` is None for the first backup of all, and where a loss was accepted."""

    last_backup_id: str | None


@action(CompareWithLastBackup)
def handler(request: CompareWithLastBackup, run: Run) -> Compared:
    if request.accept_loss:
        return Compared(None)
    rows = Catalog(run.settings.region, run.settings["CATALOG_TABLE"]).rows()
    return Compared(refuse_what_looks_lost(rows, request.cluster_id, request.live_count))
