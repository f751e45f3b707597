"""`find_lost_rows`: which tables have lost rows since the backup; nothing is changed."""

from tests.actions.database_house import Databases
from tests.actions.deleted_rows import TABLES, delete_customer
from tests.actions.house import House, SavedBackup


def test_the_tables_that_lost_rows_are_told_with_how_many_and_nothing_is_changed(
    house: House, database: Databases, dumped: SavedBackup
) -> None:
    deleted = delete_customer(house, database, dumped)
    now = database.contents()
    found = [house.run("find_lost_rows", {"operation": deleted.operation}) for _ in range(2)]
    assert found[0]["lost"] == found[1]["lost"]
    lost = {each["table"]: each["missing"] for each in found[0]["lost"]}
    assert lost["public.organizations"] == 1
    assert {f"public.{table}" for table in TABLES} <= set(lost)
    for table in TABLES:
        assert lost[f"public.{table}"] == deleted.before[table][0] - now[table][0]
    assert database.contents() == now


def test_what_postgresql_has_counted_of_deletions_is_told(
    house: House, database: Databases, dumped: SavedBackup
) -> None:
    deleted = delete_customer(house, database, dumped)
    found = house.run("find_lost_rows", {"operation": deleted.operation})
    assert {"table", "deleted", "rows", "since"} == set(found["deletions"][0])
    assert all(set(session) >= {"pid", "user", "verb"} for session in found["sessions"])
