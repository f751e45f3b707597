"""Who may change a target: the rule behind every lease, without the table that holds it.

A lease survives its owner's death in any form. It is free when nobody holds it or its owner said so; it can be
taken over only when the owner's execution no longer runs, and not before `busy_until`: a function that the dead
execution started may be at work until then (a stopped or timed-out execution does not stop its Lambda).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

COOL_DOWN = timedelta(minutes=5)
"""From the start of an operation on: so long an alarm may come after the line of a log that it is about, worst case
(CloudWatch: delivery, ingestion and evaluation add up to some 3.5 minutes)."""

Verdict = Literal["free", "mine", "held", "settling", "abandoned"]


@dataclass(frozen=True)
class LeaseRow:
    """A row of the lease table. `owner` is an execution's ARN; `busy_until` is compared, never left to a TTL."""

    target: str
    owner: str
    token: int
    held: bool
    busy_until: datetime
    since: datetime


def judge(row: LeaseRow | None, me: str, now: datetime, owner_runs: bool) -> Verdict:
    """What `me` may do about a lease: take it (`free`, `abandoned`), go on (`mine`), or not (`held`, `settling`)."""
    if row is None:
        return "free"
    if row.held and row.owner == me:
        return "mine"
    if row.held and owner_runs:
        return "held"
    if row.busy_until > now:
        return "settling"
    return "abandoned" if row.held else "free"
