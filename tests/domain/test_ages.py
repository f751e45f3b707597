"""How old what would be restored is, and when that is too old."""

from datetime import date, datetime, timedelta
from itertools import pairwise

import pytest

from lambdas.domain.ages import (
    BACKUP_LIMIT,
    FRESH_LIMIT,
    TEST_EVENTS,
    TEST_LIMITS,
    Ages,
    age_in_words,
    ages_of,
    good_for,
    kinds_without_backup,
    left_kinds,
    newest_test,
    too_old,
)
from lambdas.domain.audit import Event
from lambdas.domain.backup import BackupName, ProofLevel, Series
from lambdas.domain.estate import parse_estate
from lambdas.domain.scenarios import SCENARIOS
from tests.domain.builders import DATABASE, ESTATE, STARTED, row_of

HOUR = 3600
NOW = STARTED + timedelta(hours=1, seconds=10)
of_both = pytest.mark.parametrize("kind", TEST_EVENTS)


def test_the_limits_are_those_of_the_issue() -> None:
    assert BACKUP_LIMIT == 25 * HOUR
    assert TEST_LIMITS == {"vault": 7 * 24 * HOUR + HOUR, "database": 35 * 24 * HOUR + HOUR}


def test_every_kind_of_an_estate_has_a_restore_test_and_its_limit() -> None:
    assert TEST_EVENTS.keys() == TEST_LIMITS.keys() == set(parse_estate(ESTATE + DATABASE).kinds)
    assert set(TEST_EVENTS.values()) == {SCENARIOS[f"{kind}_restore_test"].completed for kind in TEST_EVENTS}


def test_between_two_first_sundays_lie_five_weeks_at_most() -> None:
    days = [date(2026, 1, 1) + timedelta(days=i) for i in range(400 * 366)]  # the calendar repeats after 400 years
    sundays = [day for day in days if day.isoweekday() == 7 and day.day <= 7]
    assert max(later - first for first, later in pairwise(sundays)) == timedelta(days=35)


def test_a_backup_is_as_old_as_the_data_in_it_and_a_test_counts_from_its_end() -> None:
    ages = ages_of("vault", [row_of()], STARTED - timedelta(days=2), NOW)
    assert ages == Ages("vault", row_of().id, HOUR + 10, 2 * 24 * HOUR + HOUR + 10)


@pytest.mark.parametrize(
    ("kind", "series", "proof"),
    [("database", "daily", "proven"), ("vault", "pre-restore", "proven"), ("vault", "daily", "stored")],
)
def test_what_a_recovery_would_not_take_by_itself_does_not_count(kind: str, series: Series, proof: ProofLevel) -> None:
    older = row_of(STARTED - timedelta(days=1))
    ages = ages_of("vault", [row_of(STARTED, kind, series, proof), older], None, NOW)
    assert (ages.backup_id, ages.backup_seconds) == (older.id, 25 * HOUR + 10)


@of_both
def test_what_is_not_there_has_no_age(kind: str) -> None:
    assert ages_of(kind, [], None, NOW) == Ages(kind, None, None, None)


def test_each_kind_has_an_age_of_its_own() -> None:
    rows = [row_of(), row_of(STARTED - timedelta(hours=23), "database")]
    assert [ages_of(kind, rows, None, NOW).backup_seconds for kind in TEST_EVENTS] == [HOUR + 10, 24 * HOUR + 10]


def test_a_backup_that_is_dated_in_the_future_hides_no_older_one_and_is_told() -> None:
    ahead, newest = row_of(NOW + timedelta(days=40)), row_of()
    ages = ages_of("vault", [ahead, newest], None, NOW)
    assert ages == Ages("vault", newest.id, HOUR + 10, None, [ahead.id])
    assert too_old(ages, tested_here=False) == [
        "vault-snapshot-20270101T030010Z is dated in the future, and a recovery takes it for the newest"
    ]


def test_backups_of_the_future_alone_are_none() -> None:
    ages = ages_of("vault", [row_of(NOW + timedelta(seconds=1))], None, NOW)
    assert (ages.backup_id, ages.backup_seconds) == (None, None)
    assert "there is no good vault backup" in too_old(ages, tested_here=False)


def test_of_the_future_only_what_a_recovery_would_take_is_told() -> None:
    later = NOW + timedelta(days=1)
    rows = [row_of(later, "database"), row_of(later, series="pre-restore"), row_of(later, proof="stored")]
    assert ages_of("vault", rows, None, NOW).dated_ahead == []
    assert ages_of("vault", [row_of(NOW)], None, NOW).dated_ahead == []


def test_a_kind_is_left_when_it_has_backups_and_no_place_in_the_estate() -> None:
    rows = [row_of(), row_of(STARTED, "database"), row_of(STARTED, "database", proof="stored")]
    assert left_kinds(["vault"], rows) == ["database"]
    assert left_kinds(["vault", "database"], rows) == []
    assert left_kinds(["vault", "database"], []) == []


# --- which restore tests count ----------------------------------------------------------------------------


def a_test(
    data_seconds: float, ended_at: datetime = NOW, kind: str = "vault", series: Series = "daily", **details: object
) -> Event:
    """A restore test that ended well, of a backup that was so many seconds old when it ended."""
    name = BackupName(kind, series, ended_at - timedelta(seconds=data_seconds), "smtpy" if kind == "database" else "")
    found = {"backup_id": name.id} | details
    return Event(f"e-{name.id}", TEST_EVENTS["vault"], "system", ended_at.isoformat(), "info", found)


def test_a_test_counts_when_what_it_restored_was_fresh_then_though_one_night_had_failed() -> None:
    assert FRESH_LIMIT == 49 * HOUR
    assert newest_test([fresh := a_test(2 * HOUR, NOW - timedelta(days=300))], "vault", NOW) == fresh
    assert newest_test([fresh := a_test(26 * HOUR, proof="proven")], "vault", NOW) == fresh
    assert newest_test([fresh := a_test(FRESH_LIMIT)], "vault", NOW) == fresh
    assert newest_test([a_test(FRESH_LIMIT + 1)], "vault", NOW) is None


def test_a_test_of_a_dump_counts_for_the_database_alone() -> None:
    of_database = a_test(HOUR, kind="database")
    assert newest_test([a_test(HOUR), of_database], "database", NOW) == of_database
    assert newest_test([a_test(FRESH_LIMIT + 1, kind="database")], "database", NOW) is None


@pytest.mark.parametrize(
    "other",
    [
        a_test(100 * 24 * HOUR),
        a_test(-HOUR),
        a_test(HOUR, series="pre-restore"),
        a_test(HOUR, kind="database"),
        a_test(HOUR, backup_id=None),
        a_test(HOUR, backup_id="something"),
        a_test(HOUR, proof="stored"),
    ],
)
def test_a_test_that_says_nothing_of_the_backups_of_its_week_hides_none_that_does(other: Event) -> None:
    week_ago = a_test(2 * HOUR, NOW - timedelta(days=7))
    older = a_test(2 * HOUR, NOW - timedelta(days=14))
    assert newest_test([other, week_ago, older], "vault", NOW) == week_ago


def test_a_test_that_is_dated_in_the_future_does_not_count_before_that() -> None:
    ahead, week_ago = a_test(HOUR, NOW + timedelta(seconds=1)), a_test(HOUR, NOW - timedelta(days=7))
    assert newest_test([ahead, week_ago], "vault", NOW) == week_ago
    assert newest_test([ahead, week_ago], "vault", NOW + timedelta(seconds=1)) == ahead


# --- what is too old --------------------------------------------------------------------------------------


@of_both
def test_what_is_young_enough_is_good(kind: str) -> None:
    assert too_old(Ages(kind, "b", BACKUP_LIMIT, TEST_LIMITS[kind]), tested_here=True) == []
    assert too_old(Ages(kind, "b", 0, 0), tested_here=True) == []


@pytest.mark.parametrize(("kind", "days"), [("vault", 7), ("database", 35)])
def test_what_is_too_old_is_told_in_words(kind: str, days: int) -> None:
    assert too_old(Ages(kind, "b", BACKUP_LIMIT + 1, TEST_LIMITS[kind] + 1), tested_here=True) == [
        f"the newest good {kind} backup is 25 h old",
        f"the newest restore test of a fresh {kind} backup is {days} days old",
    ]


def test_what_is_missing_is_told_too_but_a_test_only_where_tests_are_made() -> None:
    nothing = Ages("vault", None, None, None)
    assert too_old(nothing, tested_here=True) == [
        "there is no good vault backup",
        "no fresh vault backup has been restored as a test",
    ]
    assert too_old(nothing, tested_here=False) == ["there is no good vault backup"]
    assert too_old(Ages("vault", "b", 1, TEST_LIMITS["vault"] + 1), tested_here=False) == []


@pytest.mark.parametrize(("hours", "words"), [(71.99, "71 h 59 min"), (72, "3 days"), (95.9, "3 days"), (96, "4 days")])
def test_an_age_is_told_in_days_from_three_days_on(hours: float, words: str) -> None:
    assert age_in_words(hours * HOUR) == words


def test_how_long_a_test_is_good_for_is_told_in_weeks() -> None:
    assert {kind: good_for(kind) for kind in TEST_EVENTS} == {"vault": "a week", "database": "5 weeks"}


# --- a night that was good --------------------------------------------------------------------------------


def test_a_kind_is_without_a_backup_when_none_that_is_good_is_at_most_25_hours_old() -> None:
    kinds, now = ["vault", "database"], STARTED + timedelta(seconds=BACKUP_LIMIT)
    both = [row_of(), row_of(STARTED, "database")]
    assert kinds_without_backup(kinds, both, now) == []
    assert kinds_without_backup(kinds, both, now + timedelta(seconds=1)) == kinds
    assert kinds_without_backup(kinds, both[:1], now) == ["database"]
    assert kinds_without_backup(["vault"], both[:1], now) == []
    assert kinds_without_backup(kinds, [both[0], row_of(STARTED, "database", proof="stored")], now) == ["database"]
    assert kinds_without_backup(kinds, [both[0], row_of(STARTED, "database", "pre-restore")], now) == ["database"]
    assert kinds_without_backup(kinds, [row_of(now + timedelta(days=1)), both[1]], now) == ["vault"]
