"""`restore_database`: a dump in a database of its own, beside the live one, or none; nothing live is touched."""

import dataclasses
from collections.abc import Iterator
from unittest.mock import patch

import msgspec
import pytest

from lambdas.actions import restore_database
from lambdas.adapters import database_rules
from lambdas.domain import database_time
from lambdas.domain.backup import manifest_key
from lambdas.domain.database_errors import (
    DatabaseDiskFull,
    DatabaseNotInEstate,
    DatabaseRequestFailed,
    DatabaseStagingIsLive,
    DatabaseVersionDiffers,
    DumpTooLong,
    FreshServerNotInEstate,
    TargetLacks,
)
from lambdas.domain.database_mark import Mark
from lambdas.domain.errors import BackupDamaged, BackupUnknown, KeyUnusable, LeaseLost, ManifestInvalid, StorageRefused
from tests.actions.damage import DAMAGES, Damage
from tests.actions.database_house import (
    DUMP,
    NIGHT,
    RESTORED,
    TEST,
    Databases,
    Event,
    change_database,
    make_long_dump,
    manifest_of,
    put_with,
)
from tests.actions.house import House, SavedBackup
from tests.adapters.swap_world import rules
from tests.servers.aws import refused


def _event(house: House, backup_id: str = DUMP, scenario: str = "database_corruption", **more: object) -> Event:
    purpose = "test" if scenario == "database_restore_test" else "restored"
    operation = house.operation(scenario, started_at=NIGHT)
    return {"operation": operation, "backup_id": backup_id, "purpose": purpose} | more


@pytest.fixture
def live(database: Databases) -> Iterator[Databases]:
    """Servers of which no test of a failure may change anything at all."""
    before = database.contents()
    yield database
    assert database.contents() == before
    assert (database.names(), database.names(database.staging)) == ({"smtpy"}, set())


# --- restores that succeed --------------------------------------------------------------------------------


def test_what_was_lost_lies_beside_the_live_database_and_restoring_again_ends_the_same(
    house: House, database: Databases, dumped: SavedBackup
) -> None:
    before = database.contents()
    row = dumped.put(house)
    database.live.query("delete from organizations where id <= 2", "smtpy")
    lost = database.contents()
    event = _event(house)
    for _ in range(2):
        assert house.run("restore_database", event) == {"host": "localhost", "database": RESTORED}
        assert database.contents(RESTORED) == before
        assert database.contents() == lost
        found = database.mark(RESTORED)
        assert found == Mark("op-1", DUMP, loaded=found.loaded if found else "")
        assert found.loaded
        assert rules(database.live, RESTORED) == rules(database.live, "smtpy")
    assert database.names() == {"smtpy", RESTORED}
    assert house.catalog().get(row.id).proof == "restorable"
    house.take_over(house.operation("database_corruption"))


def test_a_rehearsal_restores_on_the_staging_server_whatever_it_is_asked(
    house: House, live: Databases, dumped: SavedBackup
) -> None:
    dumped.put(house)
    house.run("restore_database", _event(house, scenario="database_restore_test", place="live"))
    assert live.contents(TEST, live.staging) == live.contents()
    assert live.names() == {"smtpy"}
    live.staging.drop_database(TEST)


def test_a_recovery_may_restore_onto_the_fresh_server_even_if_the_live_one_is_gone(
    house: House, database: Databases, dumped: SavedBackup
) -> None:
    assert house.database is not None
    dumped.put(house)
    gone = msgspec.structs.replace(house.database.server, port=1)
    change_database(house, server=gone, fresh=house.database.staging)
    house.run("restore_database", _event(house, place="fresh"))
    assert database.contents(RESTORED, database.staging) == database.contents()


def test_what_a_killed_restore_has_left_is_replaced(house: House, database: Databases, dumped: SavedBackup) -> None:
    dumped.put(house)
    database.live.create_database(RESTORED)
    database.live.query("create table half (of_it int)", RESTORED)
    with database.live.connect(RESTORED):
        house.run("restore_database", _event(house))
    assert database.contents(RESTORED) == database.contents()


def test_how_long_it_took_is_kept_for_the_estimate_of_the_next_restore(
    house: House, live: Databases, dumped: SavedBackup, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the catalog, and in the tags that a lost catalog is rebuilt from; proof and copy stay as they were."""
    row = dumped.put(house)
    house.run("restore_database", _event(house, scenario="database_restore_test"))
    assert house.catalog().get(row.id).load_rate == 0  # a moment says nothing
    monkeypatch.setattr(database_time, "_MOMENT_SECONDS", 0)
    house.run("restore_database", _event(house, scenario="database_restore_test"))
    after = house.catalog().get(row.id)
    assert after == dataclasses.replace(row, proof="restorable", load_rate=after.load_rate)
    assert 1000 < after.load_rate < manifest_of(dumped).contents.sql.size * 100
    tags = house.store().status(manifest_key(row.key), row.manifest_version)
    assert tags == {"proof": "restorable", "copy": row.copy, "load_rate": str(after.load_rate)}
    live.staging.drop_database(TEST)


def test_a_level_that_was_reached_before_is_kept(house: House, database: Databases, dumped: SavedBackup) -> None:
    house.catalog().put(dataclasses.replace(dumped.put(house), proof="proven"))
    house.run("restore_database", _event(house))
    assert house.catalog().get(DUMP).proof == "proven"


# --- restores that are stopped before anything is made ----------------------------------------------------


def test_a_backup_of_another_kind_is_not_restored(house: House, live: Databases, saved: SavedBackup) -> None:
    saved.put(house)
    with pytest.raises(ManifestInvalid, match=f"The manifest of {saved.id} .*it is of the kind vault"):
        house.run("restore_database", _event(house, saved.id))


def test_a_manifest_that_was_edited_is_not_restored(house: House, live: Databases, dumped: SavedBackup) -> None:
    dumped.put(house, manifest=dumped.manifest.replace(b'"rows":', b'"rows":1'))
    with pytest.raises(ManifestInvalid, match="its signature does not match"):
        house.run("restore_database", _event(house))


def test_a_backup_that_the_catalog_does_not_know_is_named(house: House, live: Databases) -> None:
    with pytest.raises(BackupUnknown, match="backup-unknown"):
        house.run("restore_database", _event(house))


def test_a_staging_server_that_is_the_live_one_under_another_name_is_refused(
    house: House, live: Databases, dumped: SavedBackup
) -> None:
    assert house.database is not None
    dumped.put(house)
    same = msgspec.structs.replace(house.database.server, host="127.0.0.1")
    change_database(house, staging=same)
    with pytest.raises(DatabaseStagingIsLive, match=r"The staging server 127\.0\.0\.1:\d+ is the live server"):
        house.run("restore_database", _event(house, scenario="database_restore_test"))


def test_a_fresh_server_that_the_estate_does_not_name_is_refused(
    house: House, live: Databases, dumped: SavedBackup
) -> None:
    dumped.put(house)
    with pytest.raises(FreshServerNotInEstate, match="fresh-server-not-in-estate"):
        house.run("restore_database", _event(house, place="fresh"))


def test_a_server_of_another_major_version_is_refused(house: House, live: Databases, dumped: SavedBackup) -> None:
    dumped.put(house)
    change_database(house, major=16)
    with pytest.raises(DatabaseVersionDiffers, match="is of the major version 17, and the estate says 16"):
        house.run("restore_database", _event(house))


def test_a_server_without_the_roles_of_a_dump_is_told_which(house: House, live: Databases, dumped: SavedBackup) -> None:
    dumped.put(house)
    live.staging.query("alter role smtpy rename to elsewhere")
    try:
        with pytest.raises(TargetLacks, match=f"lacks roles that {DUMP} needs: smtpy"):
            house.run("restore_database", _event(house, scenario="database_restore_test"))
    finally:
        live.staging.query("alter role elsewhere rename to smtpy")


def test_a_restore_that_would_not_be_done_in_time_is_not_begun(house: House, database: Databases) -> None:
    make_long_dump(house)
    with pytest.raises(DumpTooLong, match=f"A restore of {DUMP} would take some 56 minutes"):
        house.run("restore_database", _event(house))
    assert database.names() == {"smtpy"}


def test_settings_that_are_not_those_of_the_dump_are_refused_before_anything_is_made(
    house: House, live: Databases, dumped: SavedBackup
) -> None:
    contents = manifest_of(dumped).contents
    assert contents.properties is not msgspec.UNSET
    values = msgspec.structs.replace(contents.properties.values, message=contents.globals.message)
    properties = msgspec.structs.replace(contents.properties, values=values)
    put_with(house, dumped, "contents", properties=properties)
    with pytest.raises(BackupDamaged, match=f"^backup-damaged: {DUMP} is damaged: it was sealed as another backup\\."):
        house.run("restore_database", _event(house))


def test_a_setting_that_the_server_refuses_is_told_before_the_load(
    house: House, live: Databases, dumped: SavedBackup
) -> None:
    dumped.put(house)
    with (
        patch.object(restore_database, "load", side_effect=AssertionError("loaded")),
        patch.object(database_rules, "setting_values", lambda _, value: [value * 2]),
        pytest.raises(DatabaseRequestFailed, match="22023, InvalidParameterValue"),
    ):
        house.run("restore_database", _event(house))


@pytest.mark.parametrize(("rates", "what"), [((10, 0), "A restore"), ((30_000_000, 10), "A proof")])
def test_what_the_staging_server_needed_before_says_what_the_next_test_needs(
    rates: tuple[int, int], what: str, house: House, live: Databases, dumped: SavedBackup
) -> None:
    """What could not be proved in time is not restored either."""
    row = dumped.put(house)
    house.catalog().put(dataclasses.replace(row, load_rate=rates[0], proof_rate=rates[1]))
    with pytest.raises(DumpTooLong, match=rf"{what} of {DUMP} would take some \d+ minutes"):
        house.run("restore_database", _event(house, scenario="database_restore_test"))


def test_an_operation_that_was_taken_over_restores_nothing(house: House, live: Databases, dumped: SavedBackup) -> None:
    dumped.put(house)
    event = _event(house)
    house.take_over(house.operation("database_corruption"))
    with pytest.raises(LeaseLost, match=r"lease-lost: .*database: another has taken it over"):
        house.run("restore_database", event)


def test_an_estate_without_a_database_has_none_to_restore(house: House, dumped: SavedBackup) -> None:
    with pytest.raises(DatabaseNotInEstate, match="database-not-in-estate"):
        house.run("restore_database", _event(house))


# --- restores that fail in the middle ---------------------------------------------------------------------


@pytest.mark.parametrize("damage", DAMAGES[1::2])
def test_of_a_damaged_object_nothing_stays(damage: Damage, house: House, live: Databases, dumped: SavedBackup) -> None:
    row = dumped.put(house, content=damage(dumped.content))
    with pytest.raises(BackupDamaged, match=f"^backup-damaged: {DUMP} is damaged: "):
        house.run("restore_database", _event(house))
    assert house.catalog().get(DUMP).proof == row.proof


@pytest.mark.parametrize("operation", ["Verify", "Decrypt"])
def test_a_key_that_kms_refuses_leaves_nothing(
    operation: str, house: House, live: Databases, dumped: SavedBackup
) -> None:
    dumped.put(house)
    with refused(operation, "AccessDeniedException"), pytest.raises(KeyUnusable, match="key-unusable"):
        house.run("restore_database", _event(house))


def test_a_store_that_refuses_in_the_middle_leaves_nothing(house: House, live: Databases, dumped: SavedBackup) -> None:
    dumped.put(house)
    with (
        refused(lambda request: "bytes=0-" in str(request.headers.get("Range")), "AccessDenied", 403),
        pytest.raises(StorageRefused, match="S3 refused GetObject"),
    ):
        house.run("restore_database", _event(house))


def _dies_before(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(*_: object) -> None:
        raise SystemExit

    monkeypatch.setattr(restore_database, what, die)


@pytest.mark.parametrize("what", ["load", "mark"])
def test_a_function_that_is_ended_leaves_nothing_half_done(
    what: str, house: House, live: Databases, dumped: SavedBackup, monkeypatch: pytest.MonkeyPatch
) -> None:
    dumped.put(house)
    _dies_before(what, monkeypatch)
    with pytest.raises(SystemExit):
        house.run("restore_database", _event(house))
    house.take_over(house.operation("database_corruption"))


def test_a_server_that_dies_of_a_full_disk_is_told_as_full_and_not_as_gone(
    house: House, database: Databases, dumped: SavedBackup, monkeypatch: pytest.MonkeyPatch
) -> None:
    dumped.put(house)

    def fill(*_: object) -> None:
        database.live.stop()
        raise DatabaseDiskFull(host="localhost")

    monkeypatch.setattr(restore_database, "load", fill)
    with pytest.raises(DatabaseDiskFull, match="database-disk-full"):
        house.run("restore_database", _event(house))
    database.live.start()
    database.live.wait_until_ready()
