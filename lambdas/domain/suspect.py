"""A tenant whose alarm was raised, or is to be: what is to be done about it next.

An alarm that is in ALARM already sends no second event, and an event may be lost: so whether a response has worked is
read off the tenant's lease, never off the alarm.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from lambdas.domain.detection import Signal, Suspicion
from lambdas.domain.lease import LeaseRow
from lambdas.domain.operation import MACHINE_PREFIX, scenario_of

State = Literal["waiting", "raising", "raised"]
Step = Literal["leave", "raise", "note", "end", "give up"]

MANY_SUSPECTS_ALARM = f"{MACHINE_PREFIX}many-suspects"
RESPONSE_RULE, SWEEP_RULE = f"{MACHINE_PREFIX}suspected-tenants", f"{MACHINE_PREFIX}suspect-sweep"
"""The rules that start the response for a tenant whose alarm went off, and the sweep over suspects each minute."""
"""Not under the prefix of tenants' alarms: nothing starts by itself for it."""
RESPONSE_SCENARIO = "credential_compromise"
START_WITHIN = timedelta(minutes=6)
"""From the alarm to the response's lease: on AWS 1 to 2 minutes, 3.5 at worst (`facts-detection.md`, "Time")."""
ATTEMPTS = 3


@dataclass(frozen=True)
class Suspect:
    """A claim: `raising` belongs to one function until `busy_until`, `waiting` to whoever takes it.

    `answered` is whether a response was seen at work since it was `raised_at`.
    """

    tenant_id: str
    signal: Signal
    said: str
    state: State
    since: datetime
    busy_until: datetime
    attempts: int = 0
    raised_at: datetime | None = None
    answered: bool = False

    @property
    def suspicion(self) -> Suspicion:
        return Suspicion(self.tenant_id, self.signal, "rotate", self.said)


def tenant_lease(tenant_id: str) -> str:
    """The target of the lease on a tenant."""
    return f"tenant#{tenant_id}"


def next_step(suspect: Suspect, lease: LeaseRow | None, now: datetime) -> Step:
    """What a sweep does: `note` that it is being answered, `end` what was, `raise` what was not, or `give up`.

    `lease` is the row of the tenant's lease, if it was ever taken. Another operation may hold it, which is no answer.
    """
    if suspect.state != "raised" or suspect.raised_at is None:
        return "raise" if suspect.state == "waiting" or suspect.busy_until <= now else "leave"
    own = lease if lease is not None and scenario_of(lease.owner) == RESPONSE_SCENARIO else None
    if own is not None and own.held:
        return "leave" if suspect.answered else "note"
    worked = own is not None and max(own.since, own.busy_until) >= suspect.raised_at
    if suspect.answered or worked:
        return "end"
    if now < suspect.raised_at + START_WITHIN:
        return "leave"
    return "raise" if suspect.attempts < ATTEMPTS else "give up"
