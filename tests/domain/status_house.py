"""A house in which all is well, as the status is told of it, with a database or without; and what is changed in it.

What holds of both is tried on the one with a database, which has all that the other has.
"""

import dataclasses
from datetime import timedelta
from typing import Any

from lambdas.domain.alarms import expected_alarms
from lambdas.domain.backup import CatalogRow
from lambdas.domain.estate import parse_estate
from lambdas.domain.operation import machine_name
from lambdas.domain.scenario_inputs import ScheduledInput
from lambdas.domain.scenarios import SCENARIOS
from lambdas.domain.status import Report, report
from lambdas.domain.status_check import Check
from lambdas.domain.status_checks import FAILURE_RULE, IN_BOTH_REGIONS
from lambdas.domain.status_facts import (
    Alarm,
    DatabaseFacts,
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
from tests.domain.builders import DATABASE, ESTATE, STARTED, row_of

NOW = STARTED + timedelta(hours=1)
PRIMARY, STANDBY = "eu-central-1", "eu-west-1"
WITH_DATABASE, WITHOUT_DATABASE = parse_estate(ESTATE + DATABASE), parse_estate(ESTATE)
DUMPED = STARTED + timedelta(minutes=30)
SCHEDULED = {name for name, scenario in SCENARIOS.items() if issubclass(scenario.input, ScheduledInput)}
RULES = {machine_name(name): True for name in SCHEDULED} | {FAILURE_RULE: True}
NEEDING_A_DATABASE = {name for name in SCHEDULED if SCENARIOS[name].needs_database}
OFF_IN_STANDBY = {machine_name(name): False for name in SCHEDULED - IN_BOTH_REGIONS}
STILL, RINGING = Alarm("OK", speaks=True), Alarm("ALARM", speaks=True)
REFUSED = Unanswered("these credentials may not call Scan", refused=True)
VAULT_TESTED = RestoreTested(NOW - timedelta(days=2), "op-2", Reached(1800, 12.0), Reached(86_400, 3600.0))
DATABASE_TESTED = RestoreTested(NOW - timedelta(days=20), "op-3", Reached(3600, 95.0), Reached(86_400, 7200.0))
RAN = Ran("vault_backup", "op-1", "succeeded", "2026-11-22T02:00:00+00:00", "2026-11-22T02:00:09+00:00", "night", "jo")


def backups(kind: str | None = None) -> list[CatalogRow]:
    """The good backups of the last night, newest first; those of one kind, or all."""
    rows = [row_of(DUMPED, "database"), row_of()]
    return [row for row in rows if kind in (None, row.kind)]


def region(name: str = PRIMARY, **changes: Any) -> RegionFacts:
    """A region in which all is well, of a house with a database."""
    facts = RegionFacts(
        region=name,
        catalog=backups(),
        stored={"vault": "", "database": ""},
        tested={"vault": VAULT_TESTED, "database": DATABASE_TESTED},
        ran=[RAN],
        leases=[],
        waiting=[],
        rules=RULES if name == PRIMARY else RULES | OFF_IN_STANDBY,
        functions={"verify_backup": ""},
        alarms=dict.fromkeys(expected_alarms(WITH_DATABASE.kinds, tested_here=name == PRIMARY), STILL),
        contacts={"operations": [Subscription("email", "oncall@example.net", confirmed=True)]},
        keys={"backup": Key("Enabled", used=True)},
    )
    return dataclasses.replace(facts, **changes)


def region_without_database(name: str = PRIMARY, **changes: Any) -> RegionFacts:
    """A region in which all is well, of a house that has no database: its schedules are off."""
    whole = region(name)
    assert not isinstance(whole.rules, Unanswered)
    facts = dataclasses.replace(
        whole,
        catalog=backups("vault"),
        stored={"vault": ""},
        tested={"vault": VAULT_TESTED},
        rules={**whole.rules, **dict.fromkeys(map(machine_name, NEEDING_A_DATABASE), False)},
        alarms=dict.fromkeys(expected_alarms(["vault"], tested_here=name == PRIMARY), STILL),
    )
    return dataclasses.replace(facts, **changes)


def house(*regions: RegionFacts, **changes: Any) -> Facts:
    """A house in which all is well, with a database."""
    known = list(regions) or [region(), region(STANDBY)]
    facts = Facts(
        estate=WITH_DATABASE,
        read_from=PRIMARY,
        same_estate=True,
        regions=known,
        silent={},
        vault=VaultFacts(leader="https://vault.example.org:8200"),
        staging=VaultFacts(leader="https://staging.example.net"),
        database=DatabaseFacts(major=17),
        database_staging=DatabaseFacts(major=17),
    )
    return dataclasses.replace(facts, **changes)


def house_without_database(*regions: RegionFacts, **changes: Any) -> Facts:
    """A house in which all is well, and whose estate has no database."""
    known = list(regions) or [region_without_database(), region_without_database(STANDBY)]
    without: dict[str, Any] = {"estate": WITHOUT_DATABASE, "database": None, "database_staging": None}
    return house(*known, **without | changes)


def judged(**changes: Any) -> Report:
    """The report when the primary answers something else."""
    return report(house(region(**changes), region(STANDBY)), NOW)


def bad(found: Report) -> list[Check]:
    return [check for check in found.checks if check.verdict != "good"]
