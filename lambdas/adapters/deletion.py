"""How Mailark deletes a backup: told to the audit trail before it is done, and known there where one is gone."""

from collections.abc import Iterable, Sequence

from lambdas.adapters.audit_trail import timestamp
from lambdas.adapters.backup_locks import BackupLocks
from lambdas.adapters.catalog import Catalog
from lambdas.adapters.lambda_handler import Run
from lambdas.adapters.spooled_trail import spooled_trail
from lambdas.domain.audit import Event, event_id
from lambdas.domain.backup import CatalogRow
from lambdas.domain.operation import Operation
from lambdas.domain.orphans import Version, not_there
from lambdas.domain.scenarios import scope_of


def delete_backup(
    operation: Operation, run: Run, region: str, row: CatalogRow, locks: BackupLocks, catalog: Catalog
) -> bool:
    """Delete a backup in a region, once it is told; False, and nothing done, while a lock holds it.

    Its row goes last: what is left of a deletion that died is deleted the next night.
    """
    if any(locks.is_locked(key, version, run.now()) for key, version in row.versions):
        return False
    _record(operation, run, region, row)
    for key, version in row.versions:
        locks.delete(key, version, run.now())
    catalog.delete(row.id)
    return True


def gone(
    run: Run, region: str, listed: Sequence[Version], rows: Iterable[CatalogRow]
) -> tuple[list[CatalogRow], list[CatalogRow]]:
    """The rows of which something is gone from the bucket: those that Mailark began to delete, and all others."""
    begun: list[CatalogRow] = []
    vanished: list[CatalogRow] = []
    trail = spooled_trail(run.settings)
    for row in not_there(listed, rows):
        (begun if trail.has_event(_event_id(region, row)) else vanished).append(row)
    return begun, vanished


def _event_id(region: str, row: CatalogRow) -> str:
    return event_id(f"{region}/{row.id}", "backup_deleted")


def _record(operation: Operation, run: Run, region: str, row: CatalogRow) -> None:
    """Tell the audit trail, once."""
    event = Event(
        id=_event_id(region, row),
        event="backup_deleted",
        user_id=operation.user_id,
        timestamp=timestamp(run.now()),
        severity="info",
        operation_id=operation.id,
        details={"backup_id": row.id, "region": region, "proof": row.proof},
    )
    spooled_trail(run.settings).append(scope_of(operation), event)
