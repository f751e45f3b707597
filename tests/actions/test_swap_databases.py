"""`swap_databases`: what was restored and proved takes the live one's place at once, or nothing is renamed."""

import psycopg
import pytest

from lab.forwarding_service import SERVICE
from lambdas.domain.database_errors import DatabaseNotInEstate, SwapRefused
from lambdas.domain.errors import LeaseLost
from lambdas.domain.operation import Operation
from tests.actions.database_house import (
    CORRUPT,
    DUMP,
    NIGHT,
    RESTORED,
    Databases,
    Event,
    beside,
    change_database,
    restored,
)
from tests.actions.house import House, SavedBackup

SWAPPED = {"host": "localhost", "backup_id": DUMP, "kept_as": CORRUPT}


def _swap(house: House, operation: Operation, **more: object) -> Event:
    swapped: Event = house.run("swap_databases", {"operation": operation} | more)
    return swapped


def test_the_restored_database_is_live_and_the_old_one_is_kept_however_often_this_runs(
    house: House, database: Databases, dumped: SavedBackup
) -> None:
    good = database.contents()
    operation = restored(house, dumped)
    database.live.query("update users set email = 'broken' || id", "smtpy")
    broken = database.contents()
    for _ in range(2):
        assert _swap(house, operation) == SWAPPED
        assert database.names() == {"smtpy", CORRUPT}
        assert database.contents() == good
    with pytest.raises(psycopg.OperationalError, match="not currently accepting connections"):
        database.live.connect(CORRUPT)
    database.live.query(f"alter database {CORRUPT} allow_connections true")
    assert database.contents(CORRUPT) == broken


def test_the_service_can_use_what_was_swapped_in(house: House, database: Databases) -> None:
    _swap(house, beside(house, database))
    with database.live.connect("smtpy", SERVICE, database.service_password) as session:
        assert session.execute("update users set is_active = true").rowcount > 0


def test_sessions_of_both_are_ended(house: House, database: Databases) -> None:
    operation = beside(house, database)
    with database.live.connect("smtpy") as idle, database.live.connect(RESTORED):
        _swap(house, operation)
        with pytest.raises(psycopg.OperationalError):
            idle.execute("select 1")


def test_a_live_database_that_is_lost_is_replaced_too(house: House, database: Databases) -> None:
    good = database.contents()
    operation = beside(house, database)
    database.live.drop_database("smtpy")
    for _ in range(2):
        assert _swap(house, operation) == SWAPPED | {"kept_as": None}
    assert database.contents() == good


def test_on_the_fresh_server_it_takes_the_name_and_the_live_one_stays_as_it_is(
    house: House, database: Databases, dumped: SavedBackup
) -> None:
    assert house.database is not None
    change_database(house, fresh=house.database.staging)
    dumped.put(house)
    operation = house.operation("database_corruption", started_at=NIGHT)
    event = {"operation": operation, "backup_id": DUMP, "purpose": "restored", "place": "fresh"}
    house.run("restore_database", event)
    house.run("verify_database", event)
    before = database.contents()
    assert _swap(house, operation, place="fresh") == SWAPPED | {"kept_as": None}
    assert database.contents("smtpy", database.staging) == before
    assert (database.names(), database.names(database.staging)) == ({"smtpy"}, {"smtpy"})


# --- swaps that are refused -------------------------------------------------------------------------------


def _check_nothing_renamed(database: Databases, before: Event) -> None:
    assert database.contents() == before
    assert not [name for name in database.names() if "corrupt" in name]


def test_a_database_that_was_not_verified_is_not_swapped_in(house: House, database: Databases) -> None:
    before = database.contents()
    operation = beside(house, database, verified=False)
    with pytest.raises(SwapRefused, match=f"swap-refused: smtpy was not swapped: {RESTORED} is not verified"):
        _swap(house, operation)
    _check_nothing_renamed(database, before)


def test_what_another_operation_has_restored_is_not_swapped_in(house: House, database: Databases) -> None:
    before = database.contents()
    operation = beside(house, database)
    house.leases().release("database", operation.execution)
    with pytest.raises(SwapRefused, match=f"{RESTORED} does not carry this operation's mark"):
        _swap(house, house.operation("database_corruption", "op-2", NIGHT))
    _check_nothing_renamed(database, before)


def test_without_a_restored_database_nothing_is_swapped(house: House, database: Databases) -> None:
    before = database.contents()
    with pytest.raises(SwapRefused, match=f"there is no database {RESTORED}"):
        _swap(house, house.operation("database_corruption", started_at=NIGHT))
    _check_nothing_renamed(database, before)


def test_an_operation_that_was_taken_over_swaps_nothing(house: House, database: Databases) -> None:
    before = database.contents()
    operation = beside(house, database)
    house.take_over(operation)
    with pytest.raises(LeaseLost, match=r"lease-lost: .*database: another has taken it over"):
        _swap(house, operation)
    _check_nothing_renamed(database, before)


def test_an_estate_without_a_database_has_none_to_swap(house: House) -> None:
    with pytest.raises(DatabaseNotInEstate, match="database-not-in-estate"):
        _swap(house, house.operation("database_corruption", started_at=NIGHT))
