"""Choose the backup that a restore takes: the one that was named, or the newest that is proved intact."""

from dataclasses import dataclass
from datetime import date, datetime

from lambdas.adapters.catalog import Catalog
from lambdas.adapters.lambda_handler import Run, action
from lambdas.domain.choosing import PassedOver, choose_backup, passed_over
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
    """`later_than_deletion` where a person named one that was not finished by `before`: it may lack the rows.

    `passed_over` are newer ones that are not good; none where a person named one.
    """

    backup_id: str
    backup_date: str
    later_than_deletion: bool
    passed_over: list[PassedOver]


@action(ChooseBackup)
def handler(request: ChooseBackup, run: Run) -> BackupChosen:
    rows = Catalog(run.settings.region, run.settings["CATALOG_TABLE"]).rows()
    day = date.fromisoformat(request.backup_date) if request.backup_date else None
    row = choose_backup(rows, request.kind, day, request.backup_id, request.before)
    late = request.before is not None and row.finished > request.before
    passed = [] if request.backup_id else passed_over(rows, row, day, request.before)
    return BackupChosen(row.id, row.date, late, passed)
