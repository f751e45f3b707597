"""Find which tables have lost rows since the backup, for a person to choose from; nothing is changed."""

from dataclasses import dataclass

from lambdas.adapters.lambda_handler import Run, action
from lambdas.adapters.lost_rows import ActiveSession, Deletions, find_scope, recent_activity
from lambdas.adapters.recovery_logins import recovery_logins
from lambdas.domain.operation import Operation
from lambdas.domain.recovery_plan import TableLoss

_MARGIN_SECONDS = 60


@dataclass(frozen=True)
class FindLostRows:
    operation: Operation


@dataclass(frozen=True)
class LostRowsFound:
    """The tables that lost rows, worst first; what PostgreSQL has counted of deletions, and who is at work there."""

    lost: list[TableLoss]
    deletions: list[Deletions]
    sessions: list[ActiveSession]


@action(FindLostRows)
def handler(request: FindLostRows, run: Run) -> LostRowsFound:
    logins = recovery_logins(run.settings.region, request.operation)
    lost = find_scope(logins.backup, logins.live, run.seconds_left() - _MARGIN_SECONDS)
    deletions, sessions = recent_activity(logins.live)
    return LostRowsFound(lost, deletions, sessions)
