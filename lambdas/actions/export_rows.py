"""Write the rows that could be brought back as CSV with headers, a file a table; nothing is imported."""

from dataclasses import dataclass
from urllib.parse import quote

from lambdas.adapters.backup_store import BackupStore
from lambdas.adapters.lambda_handler import Run, action
from lambdas.adapters.recovery_logins import recovery_logins
from lambdas.adapters.row_recovery import export_rows
from lambdas.domain.operation import Operation
from lambdas.domain.recovery_scope import ScopeItem

_MARGIN_SECONDS = 60


@dataclass(frozen=True)
class ExportRows:
    operation: Operation
    scope: list[ScopeItem]


@dataclass(frozen=True)
class RowsExported:
    """Where each table's file lies: in the work bucket, for a week."""

    files: list[str]


@action(ExportRows)
def handler(request: ExportRows, run: Run) -> RowsExported:
    settings = run.settings
    logins = recovery_logins(settings.region, request.operation)
    store, files = BackupStore(settings.region, settings["WORK_BUCKET"]), list[str]()
    seconds = run.seconds_left() - _MARGIN_SECONDS
    for table, blocks in export_rows(logins.backup, logins.live, request.scope, seconds):
        key = f"{request.operation.id}/export/{quote(str(table), safe='.')}.csv"
        with store.upload(key) as upload:
            for block in blocks:
                upload.write(block)
            upload.complete()
        files.append(f"s3://{store.bucket}/{key}")
    return RowsExported(files)
