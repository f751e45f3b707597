"""The audit trail's event of a backup that is deleted."""

from lambdas.adapters.audit_trail import timestamp
from lambdas.adapters.lambda_handler import Run
from lambdas.adapters.spooled_trail import spooled_trail
from lambdas.domain.audit import Event, event_id
from lambdas.domain.backup import CatalogRow
from lambdas.domain.operation import Operation
from lambdas.domain.scenarios import SCENARIOS


def record_deletion(operation: Operation, run: Run, region: str, row: CatalogRow) -> None:
    """Tell the audit trail, once and before it is done, that a backup in a region is deleted."""
    event = Event(
        id=event_id(f"{region}/{row.id}", "backup_deleted"),
        event="backup_deleted",
        user_id=operation.user_id,
        timestamp=timestamp(run.now()),
        severity="info",
        operation_id=operation.id,
        details={"backup_id": row.id, "region": region, "proof": row.proof},
    )
    spooled_trail(run.settings).append(SCENARIOS[operation.scenario].scope, event)
