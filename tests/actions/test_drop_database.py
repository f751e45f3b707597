"""`drop_database`: what a restore has made goes, and nothing else does."""

import pytest

from lambdas.domain.database_errors import DatabaseNotInEstate, DatabaseVersionDiffers, FreshServerNotInEstate
from lambdas.domain.errors import LeaseLost
from tests.actions.database_house import NIGHT, RESTORED, TEST, Databases, Event, change_database, restored
from tests.actions.house import House, SavedBackup


def _event(house: House, scenario: str = "database_corruption", **more: object) -> Event:
    purpose = "test" if scenario == "database_restore_test" else "restored"
    return {"operation": house.operation(scenario, started_at=NIGHT), "purpose": purpose} | more


def test_what_was_restored_goes_and_what_is_gone_stays_gone(
    house: House, database: Databases, dumped: SavedBackup
) -> None:
    before = database.contents()
    operation = restored(house, dumped, verified=False)
    assert database.names() == {"smtpy", RESTORED}
    for _ in range(2):
        dropped = house.run("drop_database", {"operation": operation, "purpose": "restored"})
        assert dropped == {"host": "localhost", "database": RESTORED}
        assert database.names() == {"smtpy"}
    assert database.contents() == before


def test_a_rehearsal_drops_on_the_staging_server_alone_and_its_own_database_alone(
    house: House, database: Databases
) -> None:
    for server in (database.live, database.staging):
        for name in (TEST, RESTORED):
            server.create_database(name)
    house.run("drop_database", _event(house, "database_restore_test", place="live"))
    assert database.names() == {"smtpy", TEST, RESTORED}
    assert database.names(database.staging) == {RESTORED}


def test_whoever_still_uses_it_is_cut_off(house: House, database: Databases) -> None:
    database.live.create_database(RESTORED)
    with database.live.connect(RESTORED):
        house.run("drop_database", _event(house))
    assert database.names() == {"smtpy"}


def test_an_operation_that_was_taken_over_drops_nothing(house: House, database: Databases) -> None:
    database.live.create_database(RESTORED)
    event = _event(house)
    house.take_over(house.operation("database_corruption"))
    with pytest.raises(LeaseLost, match=r"lease-lost: .*database: another has taken it over"):
        house.run("drop_database", event)
    assert database.names() == {"smtpy", RESTORED}


def test_a_server_that_is_not_the_one_of_the_estate_is_left_alone(house: House, database: Databases) -> None:
    database.live.create_database(RESTORED)
    with pytest.raises(FreshServerNotInEstate, match="fresh-server-not-in-estate"):
        house.run("drop_database", _event(house, place="fresh"))
    change_database(house, major=16)
    with pytest.raises(DatabaseVersionDiffers, match="database-version-differs"):
        house.run("drop_database", _event(house))
    assert database.names() == {"smtpy", RESTORED}


def test_an_estate_without_a_database_has_none_to_drop(house: House) -> None:
    with pytest.raises(DatabaseNotInEstate, match="database-not-in-estate"):
        house.run("drop_database", _event(house))
