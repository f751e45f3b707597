"""Chain the events that were spooled because the table could not be written when they happened; oldest first."""

import dataclasses
from dataclasses import dataclass

from lambdas.adapters.audit_archive import AuditArchive
from lambdas.adapters.audit_trail import AuditTrail
from lambdas.adapters.lambda_handler import Run, action
from lambdas.domain.audit_bucket import Finding, broken
from lambdas.domain.operation import Operation
from lambdas.domain.spool import Spooled, read_spooled


@dataclass(frozen=True)
class ChainSpooledEvents:
    operation: Operation


@dataclass(frozen=True)
class SpooledEventsChained:
    chained: int


@action(ChainSpooledEvents)
def handler(request: ChainSpooledEvents, run: Run) -> SpooledEventsChained:
    settings = run.settings
    archive = AuditArchive(settings.region, settings["AUDIT_BUCKET"])
    trail = AuditTrail(settings.region, settings["AUDIT_EVENTS_TABLE"], settings["AUDIT_HEADS_TABLE"])
    waiting: list[tuple[str, Spooled]] = []
    strangers: list[Finding] = []
    for kept, raw in archive.waiting():
        try:
            waiting.append((kept.key, read_spooled(kept.key, raw)))
        except ValueError as problem:
            strangers.append(Finding(kept.key, None, str(problem)))
    for key, spooled in sorted(waiting, key=lambda each: each[1].event.timestamp):
        event = spooled.event
        late = dataclasses.replace(event, details=event.details | {"chained_late": True})
        trail.append(spooled.scope, late)
        archive.mark_chained(key)
    if strangers:
        raise broken(strangers)
    return SpooledEventsChained(len(waiting))
