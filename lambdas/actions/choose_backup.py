"""Choose the backup that a restore takes: the one that was named, or the newest that is proved intact."""

from dataclasses import dataclass
from datetime import date, datetime

from lambdas.adapters.catalog import Catalog
from lambdas.adapters.lambda_handler import Run, action
from lambdas.domain.choosing import choose_backup
from lambdas.domain.operation import Operation


@dataclass(frozen=True)
class ChooseBackup:
    operation: Operation
    kind: str
    backup_date: str | None = None
    backup_id: str | None = None
    before: datetime | None = None


@dataclass(frozen=True)
class BackupChosen:
    """`later_than_deletion` where a person named one that was not finished by `before`: it may lack the rows."""

    backup_id: str
    backup_date: str
    later_than_deletion: bool


@action(ChooseBackup)
def handler(request: ChooseBackup, run: Run) -> BackupChosen:
    rows = Catalog(run.settings.region, run.settings["CATALOG_TABLE"]).rows()
    day = date.fromisoformat(request.backup_date) if request.backup_date else None
    row = choose_backup(rows, request.kind, day, request.backup_id, request.before)
    return BackupChosen(row.id, row.date, request.before is not None and row.finished > request.before)
