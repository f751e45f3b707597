"""Measure how old the newest good backup and restore test of each kind of the estate are, and publish it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from lambdas.adapters.audit_trail import newest_events
from lambdas.adapters.catalog import Catalog
from lambdas.adapters.estate_parameter import read_estate
from lambdas.adapters.lambda_handler import Run, action
from lambdas.adapters.metrics import BACKUP_AGE, TEST_AGE, Metrics
from lambdas.domain.ages import TEST_EVENTS, Ages, ages_of, left_in_words, left_kinds, newest_test, too_old, way_back
from lambdas.domain.operation import Operation


@dataclass(frozen=True)
class MeasureAges:
    operation: Operation


@dataclass(frozen=True)
class AgesMeasured:
    """What this region knows by its own catalog and trail; `problems` say in words what is too old, missing or left.

    The alert is not the business of this action: an alarm hears of it also when this action does not run any more.
    """

    verdict: Literal["good", "not good"]
    problems: list[str]
    ages: list[Ages]


@action(MeasureAges)
def handler(request: MeasureAges, run: Run) -> AgesMeasured:
    settings = run.settings
    estate = read_estate(settings.region)
    tested_here = settings.region == estate.regions.primary
    rows = Catalog(settings.region, settings["CATALOG_TABLE"]).rows()
    metrics = Metrics(settings.region)
    measured, problems = [], []
    for kind in estate.kinds:
        now, events = run.now(), newest_events(settings.region, settings["AUDIT_EVENTS_TABLE"], TEST_EVENTS[kind])
        last = newest_test(events, kind, now)
        ages = ages_of(kind, rows, datetime.fromisoformat(last.timestamp) if last else None, now)
        metrics.publish_seconds(kind, {BACKUP_AGE: ages.backup_seconds, TEST_AGE: ages.test_seconds})
        measured.append(ages)
        problems += too_old(ages, tested_here=tested_here)
    problems += [f"{left_in_words(kind)}. {way_back(kind)}" for kind in left_kinds(estate.kinds, rows)]
    return AgesMeasured("not good" if problems else "good", problems, measured)
