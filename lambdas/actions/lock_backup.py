"""Lock a backup as soon as its manifest is complete: nobody, Mailark included, can delete it for its first days."""

from dataclasses import dataclass
from datetime import datetime

from lambdas.adapters.backup_locks import BackupLocks
from lambdas.adapters.catalog import Catalog
from lambdas.adapters.estate_parameter import read_estate
from lambdas.adapters.lambda_handler import Run, action
from lambdas.domain.operation import Operation
from lambdas.domain.retention import RULES, first_lock


@dataclass(frozen=True)
class LockBackup:
    operation: Operation
    backup_id: str


@dataclass(frozen=True)
class BackupLocked:
    """`locked_until` is what S3 shows; retention makes it longer for what it keeps."""

    backup_id: str
    locked_until: datetime


@action(LockBackup)
def handler(request: LockBackup, run: Run) -> BackupLocked:
    settings = run.settings
    row = Catalog(settings.region, settings["CATALOG_TABLE"]).get(request.backup_id)
    mode = read_estate(settings.region).object_lock
    locks = BackupLocks(settings.region, settings["BACKUP_BUCKET"], mode)
    return BackupLocked(row.id, locks.lock_backup(row, first_lock(RULES[row.kind], run.now())))
