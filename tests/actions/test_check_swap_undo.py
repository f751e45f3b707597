"""`check_swap_undo`: whether there is a swap to undo, and the one that is meant, is told before mail stands still."""

from collections.abc import Iterator

import pytest

from lambdas.domain.database_errors import DatabaseNotInEstate, NothingToUndo, SwapRefused, SwapTooOld
from tests.actions.database_house import CORRUPT, Databases, Event, beside
from tests.actions.house import House

LATER = "2026-11-22T04:00:00.123+00:00"
UNDONE = "smtpy_undone_20261122_040000"
A_DAY_LATER, TOO_LATE = "2026-11-23T03:00:00+00:00", "2026-11-23T03:00:01+00:00"


def _check(house: House, started_at: str = LATER, **more: object) -> Event:
    operation = house.operation("database_swap_undo", "op-2", started_at)
    checked: Event = house.run("check_swap_undo", {"operation": operation} | more)
    return checked


@pytest.fixture
def swapped(house: House, database: Databases) -> Iterator[Databases]:
    """A server on which a recovery has swapped, and which holds afterwards what it held."""
    operation = beside(house, database)
    house.run("swap_databases", {"operation": operation})
    house.leases().release("database", operation.execution)
    before = database.contents(), database.names()
    yield database
    assert (database.contents(), database.names()) == before


@pytest.mark.parametrize("kept_as", [None, CORRUPT])
def test_the_swap_of_the_last_hours_needs_no_name(house: House, swapped: Databases, kept_as: str | None) -> None:
    found = {"host": "localhost", "kept_as": CORRUPT, "swapped_by": "op-1"}
    assert [_check(house, kept_as=kept_as) for _ in range(2)] == [found] * 2


def test_one_that_is_older_than_a_day_is_undone_by_its_name_alone(house: House, swapped: Databases) -> None:
    assert _check(house, A_DAY_LATER)["kept_as"] == CORRUPT
    with pytest.raises(SwapTooOld) as told:
        _check(house, TOO_LATE)
    assert str(told.value) == (
        "swap-too-old: The swap of smtpy that would be undone is of 2026-11-22T03:00:00+00:00, more than 24 hours ago."
        "\nNext: Nothing was stopped or renamed: what was written since then would be in the database that goes out. "
        f'If that is meant, start database_swap_undo with {{"reason": "...", "kept_as": "{CORRUPT}"}}.'
    )
    assert _check(house, TOO_LATE, kept_as=CORRUPT)["kept_as"] == CORRUPT


def test_another_one_than_the_newest_is_refused(house: House, swapped: Databases) -> None:
    with pytest.raises(NothingToUndo, match=f"the newest one has put {CORRUPT} aside, and not smtpy_corrupt_1"):
        _check(house, kept_as="smtpy_corrupt_1")


def test_a_name_that_is_taken_is_told_before_anything_is_stopped(house: House, swapped: Databases) -> None:
    swapped.copy(UNDONE)
    try:
        with pytest.raises(SwapRefused, match=f"there is a database {UNDONE} already"):
            _check(house)
    finally:
        swapped.live.drop_database(UNDONE)


def test_where_nothing_was_swapped_there_is_nothing_to_undo(house: House, database: Databases) -> None:
    with pytest.raises(NothingToUndo, match="no operation has swapped it"):
        _check(house)


def test_an_old_database_that_is_gone_cannot_come_back(house: House, database: Databases) -> None:
    operation = beside(house, database)
    house.run("swap_databases", {"operation": operation})
    house.leases().release("database", operation.execution)
    database.live.drop_database(CORRUPT)
    with pytest.raises(NothingToUndo, match=f"its old database {CORRUPT} is not there"):
        _check(house)


def test_an_estate_without_a_database_has_nothing_to_undo(house: House) -> None:
    with pytest.raises(DatabaseNotInEstate, match="database-not-in-estate"):
        _check(house)
