"""Tell the monitor outside of AWS that a night was good: it alerts when it does not hear that."""

from dataclasses import dataclass
from typing import Literal

from lambdas.adapters.estate_parameter import read_estate
from lambdas.adapters.heartbeat import send
from lambdas.adapters.lambda_handler import Run, action
from lambdas.domain.operation import Operation


@dataclass(frozen=True)
class SendHeartbeat:
    operation: Operation


@dataclass(frozen=True)
class HeartbeatSent:
    """As the operation's record says it; that it could not be sent is an error, which the state machine records."""

    heartbeat: Literal["sent", "not configured"]


@action(SendHeartbeat)
def handler(request: SendHeartbeat, run: Run) -> HeartbeatSent:
    heartbeat = read_estate(run.settings.region).heartbeat
    if heartbeat is None:
        return HeartbeatSent("not configured")
    send(heartbeat)
    return HeartbeatSent("sent")
