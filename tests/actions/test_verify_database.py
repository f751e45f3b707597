"""`verify_database`: a restored database is proven to be the one that was dumped, or what differs is found."""

import dataclasses

import msgspec
import pytest

from lambdas.domain import database_time
from lambdas.domain.backup import ProofLevel
from lambdas.domain.database_errors import (
    BackupRefuted,
    DatabaseCheckFailed,
    DatabaseMissing,
    DatabaseNotInEstate,
    DatabaseNotProved,
    DatabaseRequestFailed,
    DumpTooLong,
)
from lambdas.domain.database_mark import Mark
from lambdas.domain.errors import ManifestInvalid
from lambdas.domain.estate_database import DatabaseCheck
from lambdas.domain.operation import Operation
from tests.actions.database_house import (
    DUMP,
    NIGHT,
    RESTORED,
    TEST,
    Databases,
    Event,
    beside,
    change_database,
    make_dump,
    make_long_dump,
    manifest_of,
    restored,
)
from tests.actions.house import House, SavedBackup


def _verify(house: House, operation: Operation, backup_id: str = DUMP, purpose: str = "restored") -> Event:
    event = {"operation": operation, "backup_id": backup_id, "purpose": purpose}
    verified: Event = house.run("verify_database", event)
    return verified


def _mark(database: Databases) -> Mark:
    """The mark of the restored database, without the digest of what was loaded into it."""
    found = database.mark(RESTORED)
    assert found is not None
    assert found.loaded
    return dataclasses.replace(found, loaded="")


def test_a_restored_database_is_proven_however_often_it_is_verified(
    house: House, database: Databases, dumped: SavedBackup
) -> None:
    operation = restored(house, dumped, verified=False)
    contents = manifest_of(dumped).contents
    verified = {
        "backup_id": DUMP,
        "started_at": "2026-11-22T03:00:00+00:00",
        "tables": len(contents.tables),
        "rows": contents.rows,
        "checks": 2,
        "same_bytes": True,
        "proof": "proven",
    }
    assert [_verify(house, operation) for _ in range(2)] == [verified] * 2
    assert house.catalog().get(DUMP).proof == "proven"
    assert _mark(database) == Mark("op-1", DUMP, verified=True)
    assert database.contents(RESTORED) == database.contents()


def test_how_long_the_proof_took_is_kept_for_the_estimate_of_the_next_one(
    house: House, database: Databases, dumped: SavedBackup, monkeypatch: pytest.MonkeyPatch
) -> None:
    operation = restored(house, dumped, verified=False)
    monkeypatch.setattr(database_time, "_MOMENT_SECONDS", 0)
    _verify(house, operation)
    row = house.catalog().get(DUMP)
    assert 1000 < row.proof_rate < manifest_of(dumped).contents.sql.size * 100
    house.catalog().put(dataclasses.replace(row, proof_rate=10))
    with pytest.raises(DumpTooLong, match=f"A proof of {TEST} would take some"):
        _verify(house, house.operation("database_restore_test", started_at=NIGHT), purpose="test")
    _verify(house, operation)  # a recovery: the staging server may be a smaller one


def test_a_rehearsal_proves_what_lies_on_the_staging_server(
    house: House, database: Databases, dumped: SavedBackup
) -> None:
    dumped.put(house)
    operation = house.operation("database_restore_test", started_at=NIGHT)
    house.run("restore_database", {"operation": operation, "backup_id": DUMP, "purpose": "test"})
    assert _verify(house, operation, purpose="test")["rows"] == manifest_of(dumped).contents.rows
    assert database.names(database.staging) == {TEST}
    assert house.catalog().get(DUMP).proof == "proven"


# --- databases that are not what was dumped ---------------------------------------------------------------


def _check_unproved(house: House, database: Databases, level: ProofLevel = "restorable") -> None:
    assert house.catalog().get(DUMP).proof == level
    assert _mark(database) == Mark("op-1", DUMP, verified=False)


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("update users set email = 'eve@example.org' where id = 1", "public.users"),
        ("delete from events where id = 1", "public.events"),
        ("insert into alembic_version values ('another')", "its Alembic revision is 9f3c1a7be204, another"),
        ("drop table sessions", "public.sessions"),
        ("create table more (than_it int)", "public.more"),
        ("select setval('users_id_seq', 1)", "public.users_id_seq"),
        ("create index on messages (subject)", "its own dump is not the one"),
        ("alter table users alter is_active set default false", "its own dump is not the one"),
        ("grant delete on alembic_version to smtpy", "its own dump is not the one"),
    ],
)
def test_whatever_was_changed_in_it_is_found(
    statement: str, said: str, house: House, database: Databases, dumped: SavedBackup
) -> None:
    operation = restored(house, dumped, verified=False)
    database.live.query(statement, RESTORED)
    with pytest.raises(DatabaseNotProved, match=f"The restored database does not equal {DUMP}: .*{said}"):
        _verify(house, operation)
    _check_unproved(house, database)


def test_a_recovery_blames_no_backup_since_its_server_may_be_the_bad_one_and_names_the_ways_out(
    house: House, database: Databases, dumped: SavedBackup
) -> None:
    make_dump(house, "2026-11-21T03:00:00+00:00").put(house)
    operation = restored(house, dumped, verified=False)
    database.live.query("delete from events where id = 1", RESTORED)
    with pytest.raises(DatabaseNotProved) as told:
        _verify(house, operation)
    assert str(told.value).endswith(
        "\nNext: Nothing live was touched, and the backup still counts as good: a server with a bad disk refutes any. "
        "Start this again onto another server (on_fresh of database_corruption), or with an older backup by its "
        "backup_id; database_restore_test tells whether the backup itself is bad."
    )
    again = house.run("choose_backup", {"operation": operation, "kind": "database"})
    assert (again["backup_id"], again["passed_over"]) == (DUMP, [])
    assert house.store().status(*house.catalog().get(DUMP).versions[1])["proof"] != "stored"


def test_a_dump_that_a_restore_test_has_refuted_is_passed_over_from_then_on_and_told(
    house: House, database: Databases, dumped: SavedBackup
) -> None:
    older, row = make_dump(house, "2026-11-21T03:00:00+00:00").put(house), dumped.put(house)
    operation = house.operation("database_restore_test", started_at=NIGHT)
    choice = {"operation": operation, "kind": "database"}
    assert house.run("choose_backup", choice)["backup_id"] == DUMP
    house.run("restore_database", {"operation": operation, "backup_id": DUMP, "purpose": "test"})
    database.staging.query("delete from events where id = 1", TEST)
    with pytest.raises(BackupRefuted) as told:
        _verify(house, operation, purpose="test")
    assert str(told.value).startswith(
        f"backup-refuted: {DUMP}, restored onto the staging server, does not equal what was recorded: the table "
        "public.events has "
    )
    assert str(told.value).endswith(
        "\nNext: Nothing live was touched, and recoveries take the next older one from now on: look into it, and start "
        "database_backup for a new one. If the staging server's own disk is bad, give it another."
    )
    again = house.run("choose_backup", choice)
    assert (again["backup_id"], again["passed_over"]) == (older.id, [{"backup_id": DUMP, "proof": "stored"}])
    assert house.store().status(*row.versions[1])["proof"] == "stored"


def test_a_check_that_gets_another_answer_fails_and_its_answer_is_not_told(
    house: House, database: Databases, dumped: SavedBackup
) -> None:
    operation = restored(house, dumped, verified=False)
    change_database(house, checks=[DatabaseCheck("the first user", "select email from users where id = 1", "nobody")])
    with pytest.raises(DatabaseCheckFailed, match=f"The check 'the first user' on {RESTORED} did not get the answer"):
        _verify(house, operation)
    _check_unproved(house, database)


@pytest.mark.parametrize("statement", ["select 1 where false", "delete from users", "set timezone = 'UTC'"])
def test_a_check_must_answer_and_may_change_nothing(
    statement: str, house: House, database: Databases, dumped: SavedBackup
) -> None:
    operation = restored(house, dumped, verified=False)
    change_database(house, checks=[DatabaseCheck("a check", statement, "1")])
    with pytest.raises((DatabaseCheckFailed, DatabaseRequestFailed)):
        _verify(house, operation)
    _check_unproved(house, database)
    assert database.contents(RESTORED) == database.contents()


def test_a_database_that_is_gone_is_named(house: House, database: Databases, dumped: SavedBackup) -> None:
    operation = restored(house, dumped, verified=False)
    database.live.drop_database(RESTORED)
    with pytest.raises(DatabaseMissing, match=f"has no database {RESTORED}"):
        _verify(house, operation)


def test_a_backup_of_another_kind_proves_nothing(
    house: House, database: Databases, dumped: SavedBackup, saved: SavedBackup
) -> None:
    operation = restored(house, dumped, verified=False)
    saved.put(house)
    with pytest.raises(ManifestInvalid, match="it is of the kind vault"):
        _verify(house, operation, saved.id)


def test_a_manifest_that_was_edited_proves_nothing(house: House, database: Databases, dumped: SavedBackup) -> None:
    operation = restored(house, dumped, verified=False)
    row = dumped.put(house, manifest=dumped.manifest.replace(b'"rows":', b'"rows":1'))
    with pytest.raises(ManifestInvalid, match="manifest-invalid"):
        _verify(house, operation)
    assert house.catalog().get(DUMP).proof == row.proof
    mark = database.mark(RESTORED)
    assert mark is not None
    assert mark.verified is False


def test_a_proof_that_would_not_be_done_in_time_is_not_begun(house: House, database: Databases) -> None:
    make_long_dump(house)
    operation = beside(house, database, verified=False)
    with pytest.raises(DumpTooLong, match=f"^dump-too-long: A proof of {RESTORED} would take some 33 minutes, and a"):
        _verify(house, operation)
    assert house.catalog().get(DUMP).proof == "stored"


def test_an_estate_without_a_database_has_none_to_verify(house: House, dumped: SavedBackup) -> None:
    with pytest.raises(DatabaseNotInEstate, match="database-not-in-estate"):
        _verify(house, house.operation("database_corruption", started_at=NIGHT))


def test_a_database_without_any_check_is_proven_by_its_rows_alone(
    house: House, database: Databases, dumped: SavedBackup
) -> None:
    operation = restored(house, dumped, verified=False)
    assert house.database is not None
    change_database(house, checks=msgspec.structs.replace(house.database, checks=[]).checks)
    assert _verify(house, operation)["checks"] == 0
