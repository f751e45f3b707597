"""A dump or a restore that would not be done in time is not started."""

import pytest

from lambdas.domain.database_errors import DumpTooLong
from lambdas.domain.database_time import (
    LIMIT_SECONDS,
    Measured,
    refuse_too_long,
    seconds_of_check,
    seconds_of_dump,
    seconds_of_load,
    seconds_of_proof,
)

GB = 1_000_000_000


def test_without_a_measurement_a_dump_is_taken_to_be_slow() -> None:
    assert seconds_of_dump(5 * GB, None) == 200


def test_the_last_dump_says_how_fast_the_next_one_is_with_some_caution() -> None:
    assert seconds_of_dump(2 * GB, Measured(GB, 100)) == pytest.approx(260)


def test_a_database_that_has_grown_takes_longer() -> None:
    last = Measured(GB, 100)
    assert seconds_of_dump(4 * GB, last) == pytest.approx(4 * seconds_of_dump(GB, last))


@pytest.mark.parametrize("last", [Measured(0, 100), Measured(GB, 0), Measured(1000, 0.5), Measured(1000, 1)])
def test_a_last_dump_of_nothing_or_of_a_moment_says_nothing(last: Measured) -> None:
    assert seconds_of_dump(GB, last) == seconds_of_dump(GB, None)


def test_one_fast_night_promises_no_more_than_a_functions_network_carries() -> None:
    assert seconds_of_dump(GB, Measured(100 * GB, 10)) == 10


def test_a_load_takes_its_time_by_the_size_of_its_sql() -> None:
    assert seconds_of_load(3 * GB) == 100


def test_a_stored_dump_is_read_and_proved_at_the_measured_pace() -> None:
    assert seconds_of_check(3 * GB) == 30


def test_what_a_function_has_time_to_dump_it_has_time_to_read_back() -> None:
    fastest = Measured(100 * GB, 10)
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
