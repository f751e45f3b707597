"""`judge_dump`: a dump that looks as if something were lost is not good before a person says that it is meant."""

import dataclasses
from datetime import UTC, datetime, timedelta

import pytest

from lambdas.domain.ages import newest_good
from lambdas.domain.backup import CatalogRow
from lambdas.domain.database_errors import DumpLooksLost
from lambdas.domain.errors import BackupUnknown
from tests.actions.database_house import DUMP, NIGHT, Databases, Event, make_dump
from tests.actions.house import House, SavedBackup
from tests.domain.builders import row_of


@pytest.fixture
def tonight(house: House, dumped: SavedBackup) -> CatalogRow:
    """Tonight's dump, stored and not proved yet."""
    row = dataclasses.replace(dumped.put(house), proof="stored")
    house.catalog().put(row)
    return row


def _a_week(house: House, tonight: CatalogRow, sizes: list[int]) -> None:
    """The good dumps of the nights before; the first size is that of the last night."""
    for ago, size in enumerate(sizes, start=1):
        row = row_of(datetime.fromisoformat(tonight.started_at) - timedelta(days=ago), kind="database")
        house.catalog().put(dataclasses.replace(row, size=size, cluster_id=tonight.cluster_id))


def _judge(house: House, tables: int = 13, **more: object) -> Event:
    operation = house.operation("database_backup", started_at=NIGHT)
    judged: Event = house.run("judge_dump", {"operation": operation, "backup_id": DUMP, "tables": tables} | more)
    return judged


def test_a_dump_as_large_as_usual_passes_however_often_it_is_judged(house: House, tonight: CatalogRow) -> None:
    _a_week(house, tonight, [tonight.size] * 6 + [tonight.size * 2])
    assert [_judge(house) for _ in range(2)] == [{"median_size": tonight.size}] * 2
    assert house.catalog().get(DUMP) == tonight


def test_the_first_dump_passes(house: House, tonight: CatalogRow) -> None:
    assert _judge(house) == {"median_size": None}


def test_a_dump_of_less_than_half_of_the_median_of_the_last_seven_does_not(house: House, tonight: CatalogRow) -> None:
    usual = tonight.size * 2 + 1
    _a_week(house, tonight, [usual] * 7 + [1] * 20)
    with pytest.raises(DumpLooksLost, match=f"it has {tonight.size} bytes, and the last 7 have {usual} "):
        _judge(house)
    assert house.catalog().get(DUMP).is_good is False


def test_a_dump_without_tables_does_not(house: House, tonight: CatalogRow) -> None:
    with pytest.raises(DumpLooksLost, match="there is no table in it"):
        _judge(house, tables=0)


def test_a_dump_of_another_server_does_not(house: House, tonight: CatalogRow) -> None:
    _a_week(house, dataclasses.replace(tonight, cluster_id="another/smtpy"), [tonight.size])
    with pytest.raises(DumpLooksLost, match="it is of another server or database than smtpy_20261121_030000"):
        _judge(house)


@pytest.mark.parametrize("tables", [0, 13])
def test_what_a_person_means_passes(tables: int, house: House, tonight: CatalogRow) -> None:
    _a_week(house, dataclasses.replace(tonight, cluster_id="another/smtpy"), [tonight.size * 10])
    assert _judge(house, tables, accept_loss=True) == {"median_size": None}


def test_a_dump_that_was_refused_is_restored_and_proved_where_a_person_names_it_and_never_becomes_good(
    house: House, database: Databases, dumped: SavedBackup, tonight: CatalogRow
) -> None:
    _a_week(house, tonight, [tonight.size * 3])
    with pytest.raises(DumpLooksLost):
        _judge(house)
    last_night = _chosen(house)
    operation = house.operation("database_restore_test", started_at=NIGHT)
    named = {"operation": operation, "backup_id": _chosen(house, DUMP)}
    house.run("verify_backup", named)
    house.run("restore_database", named | {"purpose": "test"})
    assert house.run("verify_database", named | {"purpose": "test"})["proof"] == "stored"
    assert house.catalog().get(DUMP) == tonight
    assert _chosen(house) == last_night != DUMP
    assert newest_good(house.catalog().rows(), datetime.now(UTC) + timedelta(days=365)) == house.catalog().get(
        last_night
    )


def _chosen(house: House, backup_id: str | None = None) -> str:
    """What a recovery takes."""
    operation = house.operation("database_corruption", started_at=NIGHT)
    chosen = house.run("choose_backup", {"operation": operation, "kind": "database", "backup_id": backup_id})
    return str(chosen["backup_id"])


def test_a_dump_that_the_catalog_does_not_know_is_named(house: House) -> None:
    with pytest.raises(BackupUnknown, match="backup-unknown"):
        _judge(house)


def test_a_database_that_was_really_emptied_is_found(house: House, database: Databases) -> None:
    make_dump(house, "2026-11-21T03:00:00+00:00")
    database.live.query("truncate organizations cascade", "smtpy")
    make_dump(house)
    with pytest.raises(DumpLooksLost, match="dump-looks-lost"):
        _judge(house)
