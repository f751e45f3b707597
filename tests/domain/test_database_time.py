"""A dump or a restore that would not be done in time is not started."""

import dataclasses
from datetime import UTC, datetime

import pytest

from lambdas.domain.database_errors import DumpTooLong
from lambdas.domain.database_time import (
    LIMIT_SECONDS,
    Took,
    rate_of,
    refuse_too_long,
    seconds_of_check,
    seconds_of_dump,
    seconds_of_load,
    seconds_of_proof,
    usual_rate,
)
from tests.domain.builders import row_of

GB = 1_000_000_000


def test_without_a_measurement_a_dump_is_taken_to_be_slow() -> None:
    assert seconds_of_dump(5 * GB, []) == 200


def test_the_last_dump_says_how_fast_the_next_one_is() -> None:
    assert seconds_of_dump(2 * GB, [Took(GB, 100)]) == 200


def test_a_database_that_has_grown_takes_longer() -> None:
    last = [Took(GB, 100)]
    assert seconds_of_dump(4 * GB, last) == pytest.approx(4 * seconds_of_dump(GB, last))


def test_one_slow_night_does_not_stop_the_nights_after_it() -> None:
    """What is refused is not measured again: a single measurement would be the last."""
    usual, slow = Took(4 * GB, 300), Took(4 * GB, 800)
    refuse_too_long("A dump of smtpy", seconds_of_dump(4 * GB, [slow, usual, usual]), 4 * GB)
    with pytest.raises(DumpTooLong):
        refuse_too_long("A dump of smtpy", seconds_of_dump(4 * GB, [slow]), 4 * GB)


@pytest.mark.parametrize("last", [Took(0, 100), Took(GB, 0), Took(1000, 0.5), Took(1000, 29.9)])
def test_a_last_dump_of_nothing_or_of_a_moment_says_nothing(last: Took) -> None:
    assert seconds_of_dump(GB, [last]) == seconds_of_dump(GB, [])


def test_one_fast_night_promises_no_more_than_a_functions_network_carries() -> None:
    assert seconds_of_dump(GB, [Took(100 * GB, 30)]) == 10


def test_a_load_takes_its_time_by_the_size_of_its_sql() -> None:
    assert seconds_of_load(3 * GB) == 100


def test_the_last_restores_and_proofs_say_how_fast_the_next_ones_are() -> None:
    assert seconds_of_load(3 * GB, 20_000_000) == 150
    assert seconds_of_load(3 * GB, 60_000_000) == 50
    assert seconds_of_proof(3 * GB, 20_000_000) == 150


def test_what_was_measured_on_a_small_staging_server_holds_up_no_recovery() -> None:
    assert seconds_of_load(3 * GB, 10, elsewhere=True) == seconds_of_load(3 * GB)
    assert seconds_of_proof(3 * GB, 10, elsewhere=True) == seconds_of_proof(3 * GB)
    assert seconds_of_load(3 * GB, 60_000_000, elsewhere=True) == 50


def test_what_was_done_within_the_limit_may_be_done_again() -> None:
    refuse_too_long("A restore", seconds_of_load(20 * GB, rate_of(20 * GB, 719)), 20 * GB)


def test_one_fast_restore_promises_four_times_an_unknown_servers_at_the_most() -> None:
    assert seconds_of_load(3 * GB, 1000 * GB) == 25
    assert seconds_of_proof(3 * GB, 1000 * GB) == 15


def test_a_rate_is_whole_bytes_a_second_of_what_took_half_a_minute_at_least() -> None:
    assert rate_of(GB, 30) == 33_333_333
    assert rate_of(GB, 29.9) == 0


def test_the_fastest_of_the_three_newest_rates_is_the_usual_one() -> None:
    """A backup that was never restored has none; what is older than three says nothing of today's server."""
    rates = [90, 20, 0, 30, 10]
    rows = [row_of(datetime(2026, 11, day, 3, tzinfo=UTC), "database") for day in range(1, 6)]
    rows = [dataclasses.replace(row, load_rate=rate) for row, rate in zip(rows, rates, strict=True)]
    assert usual_rate(rows, "load_rate") == usual_rate(rows[::-1], "load_rate") == 30
    assert usual_rate(rows, "proof_rate") == usual_rate([], "load_rate") == 0


def test_a_stored_dump_is_read_and_proved_at_the_measured_pace() -> None:
    assert seconds_of_check(3 * GB) == 30


def test_what_a_function_has_time_to_dump_it_has_time_to_read_back() -> None:
    fastest = [Took(100 * GB, 30)]
    assert seconds_of_check(GB) <= seconds_of_dump(GB, fastest)


def test_a_restored_database_is_proved_as_fast_as_its_own_dump_comes_over_the_network() -> None:
    assert seconds_of_proof(3 * GB) == 60


def test_what_a_function_has_time_to_load_it_has_time_to_prove() -> None:
    """Nothing is restored only to be told that its proof would take too long."""
    assert seconds_of_check(GB) <= seconds_of_load(GB)
    assert seconds_of_proof(GB) <= seconds_of_load(GB)


def test_what_fits_into_twelve_minutes_may_start() -> None:
    assert LIMIT_SECONDS == 720
    refuse_too_long("A dump of smtpy", 720, GB)


def test_what_does_not_is_refused_with_its_size_and_its_time() -> None:
    said = "A dump of smtpy would take some 15 minutes, and a function has 12: nothing was started.*20 GB are too much"
    with pytest.raises(DumpTooLong, match=f"(?s){said}"):
        refuse_too_long("A dump of smtpy", 900, 20 * GB)
