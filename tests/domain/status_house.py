"""A house in which all is well, as the status is told of it, and what is changed in it."""

import dataclasses
from datetime import timedelta
from typing import Any

from lambdas.domain.alarms import expected_alarms
from lambdas.domain.estate import parse_estate
from lambdas.domain.operation import machine_name
from lambdas.domain.scenarios import SCENARIOS, ScheduledInput
from lambdas.domain.status import Report, report
from lambdas.domain.status_checks import FAILURE_RULE, IN_BOTH_REGIONS, Check
from lambdas.domain.status_facts import (
    Alarm,
    Facts,
    Key,
    Ran,
    RegionFacts,
    RestoreTested,
    Subscription,
    Unanswered,
    VaultFacts,
)
from lambdas.domain.timeline import Reached
from tests.domain.builders import ESTATE, STARTED, row_of

NOW = STARTED + timedelta(hours=1)
PRIMARY, STANDBY = "eu-central-1", "eu-west-1"
SCHEDULED = {name for name, scenario in SCENARIOS.items() if issubclass(scenario.input, ScheduledInput)}
RULES = {machine_name(name): True for name in SCHEDULED} | {FAILURE_RULE: True}
OFF_IN_STANDBY = {machine_name(name): False for name in SCHEDULED - IN_BOTH_REGIONS}
STILL, RINGING = Alarm("OK", speaks=True), Alarm("ALARM", speaks=True)
REFUSED = Unanswered("these credentials may not call Scan", refused=True)
RAN = Ran("vault_backup", "op-1", "succeeded", "2026-11-22T02:00:00+00:00", "2026-11-22T02:00:09+00:00", "night", "jo")


def region(name: str = PRIMARY, **changes: Any) -> RegionFacts:
    """A region in which all is well."""
    facts = RegionFacts(
        region=name,
        catalog=[row_of()],
        stored="",
        tested=RestoreTested(NOW - timedelta(days=2), "op-2", Reached(1800, 12.0), Reached(86_400, 3600.0)),
        ran=[RAN],
        leases=[],
        rules=RULES if name == PRIMARY else RULES | OFF_IN_STANDBY,
        functions={"verify_backup": ""},
        alarms=dict.fromkeys(expected_alarms(tested_here=name == PRIMARY), STILL),
        contacts={"operations": [Subscription("email", "oncall@example.net", confirmed=True)]},
        keys={"backup": Key("Enabled", used=True)},
    )
    return dataclasses.replace(facts, **changes)


def house(*regions: RegionFacts, **changes: Any) -> Facts:
    """A house in which all is well."""
    known = list(regions) or [region(), region(STANDBY)]
    facts = Facts(
        estate=parse_estate(ESTATE),
        read_from=PRIMARY,
        same_estate=True,
        regions=known,
        silent={},
        vault=VaultFacts(leader="https://vault.example.org:8200"),
        staging=VaultFacts(leader="https://staging.example.net"),
    )
    return dataclasses.replace(facts, **changes)


def judged(**changes: Any) -> Report:
    """The report when the primary answers something else."""
    return report(house(region(**changes), region(STANDBY)), NOW)


def bad(found: Report) -> list[Check]:
    return [check for check in found.checks if check.verdict != "good"]
