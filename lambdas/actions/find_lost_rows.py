"""Find which tables have lost rows since the backup, and what else tells of it, for a person to choose from.

Nothing is changed.
"""

from dataclasses import dataclass
from datetime import datetime
from itertools import takewhile

from lambdas.adapters.audit_trail import newest_events
from lambdas.adapters.lambda_handler import Run, action
from lambdas.adapters.lost_rows import ActiveSession, Deletions, changed_tables, find_scope, recent_activity
from lambdas.adapters.recovery_logins import recovery_logins
from lambdas.domain.database_deeds import DATABASE_DEEDS
from lambdas.domain.operation import Operation
from lambdas.domain.recovery_plan import TableLoss
from lambdas.domain.recovery_text import not_in_backup

_MARGIN_SECONDS = 60
_MOST_DEEDS = 20


@dataclass(frozen=True)
class FindLostRows:
    """`data_from` is when the backup that was restored was begun, in RFC 3339; `deleted_at` is a person's."""

    operation: Operation
    data_from: str
    deleted_at: datetime


@dataclass(frozen=True)
class Deed:
    """An event of the audit trail since the backup, as far as it says that somebody should look."""

    event: str
    at: str
    user_id: str
    operation_id: str | None


@dataclass(frozen=True)
class LostRowsFound:
    """The tables that lost rows, worst first; what PostgreSQL has counted of deletions, and who is at work there.

    `changed` are other tables whose checksum differs from the backup's; `deeds` is what the audit trail has of the
    database since then, newest first. `not_in_backup` says which rows no recovery from this backup can bring back.
    """

    lost: list[TableLoss]
    changed: list[str]
    deletions: list[Deletions]
    sessions: list[ActiveSession]
    deeds: list[Deed]
    not_in_backup: str


@action(FindLostRows)
def handler(request: FindLostRows, run: Run) -> LostRowsFound:
    logins = recovery_logins(run.settings.region, request.operation)
    lost = find_scope(logins.backup, logins.live, run.seconds_left() - _MARGIN_SECONDS)
    named = {each.table for each in lost}
    changed = changed_tables(logins.backup, logins.live, run.seconds_left() - _MARGIN_SECONDS)
    deletions, sessions = recent_activity(logins.live)
    since = datetime.fromisoformat(request.data_from)
    deeds = _deeds(run.settings.region, run.settings["AUDIT_EVENTS_TABLE"], since)
    others = [table for table in changed if table not in named]
    told = not_in_backup(request.data_from, request.deleted_at)
    return LostRowsFound(lost, others, deletions, sessions, deeds, told)


def _deeds(region: str, events_table: str, since: datetime) -> list[Deed]:
    found = [
        Deed(event.event, event.timestamp, event.user_id, event.operation_id)
        for name in DATABASE_DEEDS
        for event in takewhile(
            lambda event: datetime.fromisoformat(event.timestamp) >= since, newest_events(region, events_table, name)
        )
    ]
    return sorted(found, key=lambda deed: deed.at, reverse=True)[:_MOST_DEEDS]
