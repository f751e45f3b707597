"""Archive every event that comes into the audit trail, and tell security at once of one that was changed or removed.

Started by the stream of the table, not by a state machine: it sees what nobody announces.
"""

from msgspec import Struct, field

from lambdas.adapters.audit_archive import AuditArchive
from lambdas.adapters.audit_stream import StreamRecord
from lambdas.adapters.lambda_handler import Run, action
from lambdas.adapters.notifications import Topic
from lambdas.domain.alert import TamperedEvent, tampered_event_message
from lambdas.domain.audit import is_whole
from lambdas.domain.audit_bucket import event_key

_FORGED = "forged"


class ArchiveAuditEvents(Struct, frozen=True):
    records: list[StreamRecord] = field(name="Records")


class AuditEventsArchived(Struct, frozen=True):
    """`tampered` is how many were changed or removed, or are none that Mailark wrote."""

    archived: int
    tampered: int


@action(ArchiveAuditEvents)
def handler(request: ArchiveAuditEvents, run: Run) -> AuditEventsArchived:
    settings = run.settings
    archive = AuditArchive(settings.region, settings["AUDIT_BUCKET"])
    archived = tampered = 0
    problems: list[Exception] = []
    for record in request.records:
        try:
            if deed := _deed(record, archive):
                tampered += 1
                link = record.link()
                told = TamperedEvent(
                    estate=settings["ESTATE_NAME"],
                    region=settings.region,
                    scope=link.scope,
                    sequence=link.sequence,
                    deed=deed,
                    bucket=settings["AUDIT_BUCKET"],
                    archived=None if deed == _FORGED else event_key(link.scope, link.sequence),
                )
                Topic(settings["SECURITY_TOPIC"]).publish(tampered_event_message(told))
            else:
                archived += 1
        except Exception as problem:  # noqa: BLE001  # one event must not hold up the others; raised when all are through
            problems.append(problem)
    if problems:
        raise problems[0]
    return AuditEventsArchived(archived, tampered)


def _deed(record: StreamRecord, archive: AuditArchive) -> str | None:
    """What somebody did to an event, in a word; None when it came as every event does, and is archived now."""
    if record.deed != "INSERT":
        return {"MODIFY": "changed", "REMOVE": "removed"}[record.deed]
    link = record.link()
    if not is_whole(link):
        return _FORGED
    return None if archive.keep(link) else "written a second time"
