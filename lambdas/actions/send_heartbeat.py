"""Tell the monitor outside of AWS that a night was good: it alerts when it does not hear that.

A night is good when no kind of backup is missing: the monitor hears nothing where one goes well and another fails.
"""

from dataclasses import dataclass

from lambdas.adapters.catalog import Catalog
from lambdas.adapters.estate_parameter import read_estate
from lambdas.adapters.heartbeat import send
from lambdas.adapters.lambda_handler import Run, action
from lambdas.domain.ages import BACKUP_LIMIT, kinds_without_backup
from lambdas.domain.objectives import HOUR
from lambdas.domain.operation import Operation


@dataclass(frozen=True)
class SendHeartbeat:
    operation: Operation


@dataclass(frozen=True)
class HeartbeatSent:
    """As the operation's record says it: `sent`, `not configured`, or `withheld` and why.

    That it could not be sent is an error, which the state machine records.
    """

    heartbeat: str


@action(SendHeartbeat)
def handler(request: SendHeartbeat, run: Run) -> HeartbeatSent:
    settings = run.settings
    estate = read_estate(settings.region)
    if estate.heartbeat is None:
        return HeartbeatSent("not configured")
    rows = Catalog(settings.region, settings["CATALOG_TABLE"]).rows()
    if missing := kinds_without_backup(estate.kinds, rows, run.now()):
        why = f"no good {' or '.join(missing)} backup in the last {BACKUP_LIMIT // HOUR} hours"
        return HeartbeatSent(f"withheld: {why}")
    send(estate.heartbeat)
    return HeartbeatSent("sent")
