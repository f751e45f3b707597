"""Who may change a target: the whole table of decisions."""

from datetime import UTC, datetime, timedelta

import pytest

from lambdas.domain.lease import LeaseRow, Verdict, judge

NOW = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)
ME, OTHER = "execution:me", "execution:other"
PAST, FUTURE = NOW - timedelta(seconds=1), NOW + timedelta(seconds=1)


def lease(owner: str, held: bool, busy_until: datetime) -> LeaseRow:
    return LeaseRow("vault", owner, token=7, held=held, busy_until=busy_until, since=NOW - timedelta(hours=1))


@pytest.mark.parametrize(
    ("held", "owner", "owner_runs", "busy_until", "verdict"),
    [
        # what I hold is mine, whatever else is true
        (True, ME, True, PAST, "mine"),
        (True, ME, True, FUTURE, "mine"),
        (True, ME, False, PAST, "mine"),
        (True, ME, False, FUTURE, "mine"),
        # what another holds is its own as long as its execution runs
        (True, OTHER, True, PAST, "held"),
        (True, OTHER, True, FUTURE, "held"),
        # when its execution has ended, only a function that may still be at work stands in the way
        (True, OTHER, False, FUTURE, "settling"),
        (True, OTHER, False, PAST, "abandoned"),
        # what was given back is free, once the last function must have ended
        (False, OTHER, True, FUTURE, "settling"),
        (False, OTHER, True, PAST, "free"),
        (False, OTHER, False, FUTURE, "settling"),
        (False, OTHER, False, PAST, "free"),
        # and so is what I gave back myself
        (False, ME, True, FUTURE, "settling"),
        (False, ME, True, PAST, "free"),
        (False, ME, False, FUTURE, "settling"),
        (False, ME, False, PAST, "free"),
    ],
)
def test_the_table_of_decisions(
    held: bool, owner: str, owner_runs: bool, busy_until: datetime, verdict: Verdict
) -> None:
    assert judge(lease(owner, held, busy_until), ME, NOW, owner_runs) == verdict


def test_what_nobody_ever_held_is_free() -> None:
    assert judge(None, ME, NOW, owner_runs=False) == "free"
    assert judge(None, ME, NOW, owner_runs=True) == "free"


def test_a_stopped_owner_loses_the_lease_only_after_its_function_must_have_ended() -> None:
    ends = NOW + timedelta(minutes=15)
    row = lease(OTHER, held=True, busy_until=ends)
    assert judge(row, ME, NOW, owner_runs=False) == "settling"
    assert judge(row, ME, ends - timedelta(microseconds=1), owner_runs=False) == "settling"
    assert judge(row, ME, ends, owner_runs=False) == "abandoned"


def test_a_lease_that_was_given_back_is_free_only_after_the_last_function_must_have_ended() -> None:
    ends = NOW + timedelta(minutes=15)
    row = lease(OTHER, held=False, busy_until=ends)
    assert judge(row, ME, ends - timedelta(microseconds=1), owner_runs=False) == "settling"
    assert judge(row, ME, ends, owner_runs=False) == "free"


def test_a_running_owner_keeps_the_lease_however_long_it_has_been_idle() -> None:
    row = lease(OTHER, held=True, busy_until=NOW)
    assert judge(row, ME, NOW + timedelta(days=365), owner_runs=True) == "held"
