"""The estimate of what Mailark costs: what is computed in it follows from the code, and the page says what grows."""

import pytest

from benchmarks import cost
from benchmarks.grown import Year, full_house, kept
from benchmarks.prices import PRICES
from infra.permissions import ACTIONS
from infra.schedule import SCHEDULES

YEAR = Year(documents=8760, events=40_000, operations=20_000, event_bytes=1000, id_bytes=100, operation_bytes=2000)


def test_every_scheduled_scenario_is_priced_in_each_region_where_it_is_on() -> None:
    words = {scenario: how_often for scenario, (how_often, _) in cost._OFTEN.items()}
    assert words.keys() == SCHEDULES.keys()
    assert {scenario for scenario in words if "two regions" in words[scenario]} == {
        scenario for scenario, cron in SCHEDULES.items() if cron.in_both_regions
    }


def test_metrics_are_counted_where_they_are_published() -> None:
    primary = 2 * 7 + 2 * (4 + 2)  # each scheduled scenario; of each kind the recovery of its test, and two ages
    standby = 2 * 3 + 2 * 1
    assert primary + standby == cost._METRICS


def test_a_night_that_found_two_backups_lacks_those_of_a_full_house() -> None:
    assert full_house("vault", 2) == {"S3 write": (31 - 2) * 4, "S3 read": (42 - 2) * 4 + (31 - 2) * 4}


def test_of_dumps_three_times_as_many_are_kept_in_the_other_region() -> None:
    assert kept("database") == (30, 90)
    sets_again = (30 - 2) * 2 + (90 - 2) * 2  # there are no monthly ones, whose oldest would be one more
    assert full_house("database", 2) == {"S3 write": sets_again, "S3 read": 2 * sets_again}


def test_after_a_year_each_verification_reads_every_document_and_every_event() -> None:
    assert YEAR.verification() == {
        "S3 read": 8760,
        "S3 write": pytest.approx(2 * (8760 + 40_000) / 1000),
        "DynamoDB read unit": pytest.approx(40_000 * (1000 + 2 * 100) / 4096),
    }
    assert YEAR.signing()["DynamoDB read unit"] == pytest.approx(40_000 * 100 / 4096)


def test_what_is_recorded_lies_in_its_table_in_three_indexes_and_in_the_archive() -> None:
    rows = 40_000 * 100 + 20_000 * 2000
    assert YEAR.stored() == {
        "GB in DynamoDB": pytest.approx((40_000 * 1000 * 4 + rows) / 1e9),
        "GB of continuous backups": pytest.approx((40_000 * 1000 + rows) / 1e9),
        "GB in S3": pytest.approx(40_000 * 1000 / 1e9),
    }


def test_every_unit_has_a_price() -> None:
    for units in (full_house("vault", 2), YEAR.signing(), YEAR.verification(), YEAR.stored()):
        assert units.keys() <= PRICES.keys()


def test_the_page_shows_what_was_counted_and_says_what_grows() -> None:
    runs = {scenario: cost._Used(scenario, events=2) for scenario in cost._OFTEN}
    for used in runs.values():
        used.add({"S3 read": 3, cost._SECONDS: 1})
    runs["audit_verification"].add(YEAR.verification())
    lines = [*cost._scenario_lines(runs), *cost._recorded_lines(YEAR)]
    page = cost._text(runs, lines, {"vault": 1_000_000, "database": 80_000_000}, 30.0, YEAR)
    assert "| S3 read | 3 | 3 | 3 | 3 | 3 | 3 | 8,763 | 0.0000004 |" in page
    assert "| 40,000 events and 20,000 operations | recorded in each of two regions in the first year | " in page
    assert "8,760 documents when the first\n  year ends" in page
    minute = 60 * ACTIONS["verify_audit_trail"].memory / 1024 * 0.0000133334 * 30.4 * 2
    assert f"each run is {minute:.2f} USD a month" in page
    assert "{" not in page
