"""`undo_database_swap`: the database that was live before is live again, and what took its place is kept."""

import pytest

from lambdas.adapters.database_marks import mark
from lambdas.domain.database_errors import DatabaseNotInEstate, NothingToUndo
from lambdas.domain.database_mark import Mark
from lambdas.domain.errors import LeaseLost
from lambdas.domain.operation import Operation
from tests.actions.database_house import CORRUPT, DUMP, RESTORED, Databases, Event, beside
from tests.actions.house import House

LATER = "2026-11-22T04:00:00.123+00:00"
UNDONE = "smtpy_undone_20261122_040000"


def _undo(house: House, name: str = "op-2", started_at: str = LATER, kept_as: str = CORRUPT) -> Event:
    event = {"operation": _operation(house, name, started_at), "kept_as": kept_as}
    undone: Event = house.run("undo_database_swap", event)
    return undone


def _operation(house: House, name: str = "op-2", started_at: str = LATER) -> Operation:
    return house.operation("database_swap_undo", name, started_at)


@pytest.fixture
def broken(house: House, database: Databases) -> dict[str, object]:
    """The database that was swapped out, and what it holds: more than the dump that took its place."""
    operation = beside(house, database)
    database.live.query("update users set email = 'newer' || id", "smtpy")
    before = database.contents()
    house.run("swap_databases", {"operation": operation})
    house.leases().release("database", operation.execution)
    return dict(before)


def test_the_old_database_is_live_again_and_the_restored_one_is_kept_however_often_this_runs(
    house: House, database: Databases, broken: dict[str, object]
) -> None:
    restored_rows = database.contents()
    for _ in range(2):
        assert _undo(house) == {"host": "localhost", "kept_as": UNDONE}
        assert database.names() == {"smtpy", UNDONE}
        assert database.contents() == broken
        assert database.mark("smtpy") is None
    database.live.query(f"alter database {UNDONE} allow_connections true")
    assert database.contents(UNDONE) == restored_rows


def test_another_undo_finds_nothing_to_undo(house: House, database: Databases, broken: dict[str, object]) -> None:
    _undo(house)
    house.leases().release("database", _operation(house).execution)
    with pytest.raises(NothingToUndo, match=r"nothing-to-undo: .*no swap of op-1 is in force"):
        _undo(house, "op-3", "2026-11-22T05:00:00+00:00")
    assert database.contents() == broken


def test_another_undo_goes_back_behind_the_swap_before_and_neither_goes_further_when_it_runs_again(
    house: House, database: Databases, broken: dict[str, object]
) -> None:
    first = database.contents()
    database.copy(RESTORED)
    mark(database.login(database.live), RESTORED, Mark("op-2", DUMP, verified=True))
    second = house.operation("database_corruption", "op-2", "2026-11-22T03:30:00+00:00")
    house.run("swap_databases", {"operation": second})
    house.leases().release("database", second.execution)
    for name, started_at, kept_as, held in (
        ("op-3", LATER, "smtpy_corrupt_20261122_033000", first),
        ("op-4", "2026-11-22T05:00:00+00:00", CORRUPT, broken),
    ):
        for _ in range(2):
            _undo(house, name, started_at, kept_as)
            assert database.contents() == held
        house.leases().release("database", _operation(house, name, started_at).execution)


def test_no_other_swap_is_undone_than_the_one_that_was_checked(
    house: House, database: Databases, broken: dict[str, object]
) -> None:
    before = database.contents()
    with pytest.raises(NothingToUndo, match=f"the newest one has put {CORRUPT} aside, and not smtpy_corrupt_1"):
        _undo(house, kept_as="smtpy_corrupt_1")
    assert database.contents() == before
    assert database.names() == {"smtpy", CORRUPT}


def test_without_a_swap_there_is_nothing_to_undo(house: House, database: Databases) -> None:
    before = database.contents()
    with pytest.raises(NothingToUndo, match="no operation has swapped it"):
        _undo(house)
    assert database.contents() == before


def test_an_old_database_that_is_gone_is_not_put_back(
    house: House, database: Databases, broken: dict[str, object]
) -> None:
    before = database.contents()
    database.live.drop_database(CORRUPT)
    with pytest.raises(NothingToUndo, match=f"its old database {CORRUPT} is not there"):
        _undo(house)
    assert database.contents() == before
    assert database.names() == {"smtpy"}


def test_a_swap_that_replaced_nothing_cannot_be_undone(house: House, database: Databases) -> None:
    operation = beside(house, database)
    database.live.drop_database("smtpy")
    house.run("swap_databases", {"operation": operation})
    house.leases().release("database", operation.execution)
    with pytest.raises(NothingToUndo, match="there was no database in whose place it came"):
        _undo(house)


def test_an_operation_that_was_taken_over_undoes_nothing(
    house: House, database: Databases, broken: dict[str, object]
) -> None:
    before = database.contents()
    operation = _operation(house)
    house.take_over(operation)
    with pytest.raises(LeaseLost, match=r"lease-lost: .*database: another has taken it over"):
        house.run("undo_database_swap", {"operation": operation, "kept_as": CORRUPT})
    assert database.contents() == before
    assert database.names() == {"smtpy", CORRUPT}


def test_an_estate_without_a_database_has_nothing_to_undo(house: House) -> None:
    with pytest.raises(DatabaseNotInEstate, match="database-not-in-estate"):
        _undo(house)
