"""What an on-call engineer asks first, answered from facts: what is protected, how old it is, and what would fail now.

What the facts are stands in `status_facts.py`, how each check judges them in `status_checks.py` (those of Vault and of
the database in `status_servers.py`), and how it all looks in `status_text.py`; how the facts are had is the business of
`adapters/inspection.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from lambdas.domain.ages import Ages, ages_of
from lambdas.domain.approval import Approval, can_be_decided
from lambdas.domain.backup import CatalogRow
from lambdas.domain.lease import LeaseRow
from lambdas.domain.status_check import Check, Verdict
from lambdas.domain.status_checks import checks
from lambdas.domain.status_facts import Facts, Ran, RestoreTested, known

EXIT_CODES: dict[Verdict, int] = {"good": 0, "not good": 1, "unknown": 2}


@dataclass(frozen=True)
class Waiting:
    """What an operation in a region waits for: a person who decides the approval, by the command `decide`."""

    region: str
    approval: Approval
    decide: str


@dataclass(frozen=True)
class Report:
    """The answer. `backups`, `ran`, `leases` and `tested` are of `region`: the primary, or the standby in its place.

    `ages` and `tested` are of each kind of backup that the estate has; `waiting` is of every region that answered.
    """

    estate: str
    at: datetime
    read_from: str
    region: str
    roles: dict[str, str]
    backups: list[CatalogRow]
    ages: list[Ages]
    ran: list[Ran]
    leases: list[LeaseRow]
    waiting: list[Waiting]
    tested: Mapping[str, RestoreTested | None]
    checks: list[Check] = field(default_factory=list)

    @property
    def verdict(self) -> Verdict:
        """One thing that is not good makes all of it so; what is unknown, or nothing checked, is never good."""
        found = {check.verdict for check in self.checks}
        if "not good" in found:
            return "not good"
        return "unknown" if "unknown" in found or "good" not in found else "good"


def report(facts: Facts, now: datetime) -> Report:
    """Judge the facts. The first region that answered, the primary before the standby, speaks for the house."""
    estate = facts.estate
    first = facts.regions[0] if facts.regions else None
    rows = known(first.catalog, []) if first else []
    tested = {kind: known(first.tested[kind], None) if first else None for kind in estate.kinds}
    roles = {estate.regions.primary: "primary", estate.regions.standby: "standby"}
    return Report(
        estate=estate.name,
        at=now,
        read_from=facts.read_from,
        region=first.region if first else estate.regions.primary,
        roles=roles,
        backups=rows,
        ages=[ages_of(kind, rows, last.ended_at if last else None, now) for kind, last in tested.items()],
        ran=known(first.ran, []) if first else [],
        leases=[lease for lease in known(first.leases, []) if lease.held] if first else [],
        waiting=[
            _waiting(each.region, approval)
            for each in facts.regions
            for approval in known(each.waiting, [])
            if can_be_decided(approval, now)
        ],
        tested=tested,
        checks=list(checks(facts, now)),
    )


def _waiting(region: str, approval: Approval) -> Waiting:
    command = f'.venv/bin/python -m lambdas.approvals --region {region} approve {approval.id} --reason "..."'
    return Waiting(region, approval, command)
