"""`check_restore`: what would stop a restore is said before anything is stopped for it, and no server is changed."""

import dataclasses
import json
from collections.abc import Iterator

import msgspec
import pytest
from psycopg import sql

from lab.forwarding_service import SERVICE
from lambdas.adapters import restorable
from lambdas.adapters.postgres import Login
from lambdas.domain.database_errors import (
    DatabaseAnswersAgain,
    DatabaseLoginRefused,
    DatabaseNotInEstate,
    DatabaseUnreachable,
    DatabaseVersionDiffers,
    DiskTooSmall,
    DumpTooLong,
    FreshServerNotInEstate,
    TargetLacks,
)
from lambdas.domain.database_space import SpaceFacts
from lambdas.domain.errors import BackupUnknown, KeyUnusable, ManifestInvalid
from tests.actions.database_house import (
    DUMP,
    NIGHT,
    Databases,
    Event,
    change_database,
    manifest_of,
    put_secret,
    put_with,
)
from tests.actions.house import House, SavedBackup, bucket_name
from tests.servers.aws import PRIMARY, aws, refused


@pytest.fixture
def servers(database: Databases) -> Iterator[Databases]:
    """Servers that hold afterwards what they held, to the row: whatever the check finds."""
    before = database.contents()
    yield database
    assert database.contents() == before
    assert (database.names(), database.names(database.staging)) == ({"smtpy"}, set())


def _check(house: House, backup_id: str = DUMP, **more: object) -> Event:
    operation = house.operation("database_corruption", started_at=NIGHT)
    checked: Event = house.run("check_restore", {"operation": operation, "backup_id": backup_id} | more)
    return checked


def _name_a_fresh_server(house: House) -> None:
    """The staging server stands for it."""
    assert house.database is not None
    change_database(house, fresh=house.database.staging)


# --- servers that can take the dump -----------------------------------------------------------------------


def test_a_server_that_has_all_that_a_dump_needs_is_named_however_often_it_is_asked(
    house: House, servers: Databases, dumped: SavedBackup
) -> None:
    row = dumped.put(house)
    assert [_check(house) for _ in range(2)] == [{"host": "localhost", "backup_id": DUMP, "live_answers": True}] * 2
    assert house.catalog().get(DUMP) == row


def test_it_needs_neither_the_lease_nor_the_dump_itself(house: House, servers: Databases, dumped: SavedBackup) -> None:
    """It changes nothing, and what the dump is worth was proved by then."""
    row = dumped.put(house)
    operation = house.operation("database_corruption", started_at=NIGHT)
    house.leases().release(operation.lease.target, operation.execution)
    aws("s3").delete_object(Bucket=bucket_name("backups", PRIMARY), Key=row.key)
    house.run("check_restore", {"operation": operation, "backup_id": DUMP})


def test_a_fresh_server_is_asked_even_if_the_live_one_is_gone(
    house: House, servers: Databases, dumped: SavedBackup
) -> None:
    dumped.put(house)
    _name_a_fresh_server(house)
    assert house.database is not None
    change_database(house, server=msgspec.structs.replace(house.database.server, port=1))
    assert _check(house, place="fresh")["live_answers"] is False
    with pytest.raises(DatabaseUnreachable, match="database-unreachable"):
        _check(house)


def test_a_live_database_that_is_lost_leaves_nothing_to_save_though_its_server_answers(
    house: House, database: Databases, dumped: SavedBackup
) -> None:
    dumped.put(house)
    database.live.drop_database("smtpy")
    assert _check(house)["live_answers"] is False


def test_a_live_server_that_is_full_while_mail_runs_may_be_saved_when_that_stands_still(
    house: House, servers: Databases, dumped: SavedBackup
) -> None:
    dumped.put(house)
    _name_a_fresh_server(house)
    password = servers.live.create_role("limited")
    servers.live.query("alter role limited connection limit 0")
    secret = put_secret("smtpy-limited", json.dumps({"username": "limited", "password": password}))
    assert house.database is not None
    change_database(house, server=msgspec.structs.replace(house.database.server, secret=secret))
    try:
        assert _check(house, place="fresh")["live_answers"] is True
    finally:
        servers.live.query("drop role limited")


def test_a_live_database_that_was_away_when_it_was_assessed_and_is_there_again_is_not_restored_over_unseen(
    house: House, servers: Databases, dumped: SavedBackup
) -> None:
    """A server that was rebooted, say: nobody has looked into what it holds."""
    dumped.put(house)
    with pytest.raises(DatabaseAnswersAgain) as told:
        _check(house, assessed="unreachable")
    assert str(told.value) == (
        "database-answers-again: PostgreSQL at localhost was away when smtpy was assessed, and is there again.\n"
        "Next: Nothing was stopped or changed: start this again, and what the database holds is looked at first. To "
        'restore in any case, add "even_if_sound": true to the input.'
    )
    assert _check(house, assessed="unreachable", even_if_sound=True)["live_answers"] is True
    assert _check(house, assessed="damaged")["live_answers"] is True


# --- servers that cannot ----------------------------------------------------------------------------------


def test_a_fresh_server_that_lacks_a_role_is_told_though_the_live_one_has_it(
    house: House, servers: Databases, dumped: SavedBackup
) -> None:
    dumped.put(house)
    _name_a_fresh_server(house)
    servers.staging.query("alter role smtpy rename to elsewhere")
    try:
        with pytest.raises(TargetLacks) as told:
            _check(house, place="fresh")
        _check(house)
    finally:
        servers.staging.query("alter role elsewhere rename to smtpy")
    assert str(told.value) == (
        f"target-lacks: PostgreSQL at localhost lacks roles that {DUMP} needs: smtpy.\n"
        "Next: Nothing was changed. Install the extensions or locales, or make the roles (`python -m "
        "lambdas.break_glass open` writes them as SQL), and start this again."
    )


def test_a_fresh_server_on_which_the_services_own_role_does_not_get_in_is_told_while_mail_runs(
    house: House, servers: Databases, dumped: SavedBackup
) -> None:
    dumped.put(house)
    _name_a_fresh_server(house)
    _check(house, place="fresh")
    role = sql.Identifier(SERVICE)
    for worse, better in (
        (sql.SQL("password 'another'"), sql.SQL("password {}").format(sql.Literal(servers.service_password))),
        (sql.SQL("nologin"), sql.SQL("login")),
    ):
        with servers.staging.connect() as session:
            session.execute(sql.SQL("alter role {} {}").format(role, worse))
            try:
                with pytest.raises(DatabaseLoginRefused, match=f"refuses the login of {SERVICE} "):
                    _check(house, place="fresh")
            finally:
                session.execute(sql.SQL("alter role {} {}").format(role, better))
    _check(house, place="fresh")


def test_an_extension_that_a_server_lacks_is_named(house: House, servers: Databases, dumped: SavedBackup) -> None:
    put_with(house, dumped, "contents", extensions={"plpgsql": "1.0", "not_there": "3.4"})
    with pytest.raises(TargetLacks, match=rf"localhost lacks extensions that {DUMP} needs: not_there\."):
        _check(house)


def test_a_locale_that_a_server_does_not_know_is_named(house: House, servers: Databases, dumped: SavedBackup) -> None:
    locale = manifest_of(dumped).source.locale | {"ctype": "xx_YY.utf8"}
    put_with(house, dumped, "source", locale=locale)
    with pytest.raises(TargetLacks, match=rf"localhost lacks the locale that {DUMP} needs: xx_YY\.utf8\."):
        _check(house)


def test_a_restore_that_would_not_be_done_in_time_is_refused(
    house: House, servers: Databases, dumped: SavedBackup
) -> None:
    sql = msgspec.structs.replace(manifest_of(dumped).contents.sql, size=100_000_000_000)
    put_with(house, dumped, "contents", sql=sql)
    with pytest.raises(DumpTooLong) as told:
        _check(house)
    assert str(told.value) == (
        f"dump-too-long: A restore of {DUMP} would take some 56 minutes, and a function has 12: nothing was started.\n"
        "Next: Let a host make and load its dumps (pg_dump by cron, as before) until Mailark does it through the "
        "host; or make the database smaller: 100 GB are too much for a Lambda function."
    )


def _restored_before(house: House, dumped: SavedBackup, load_rate: int, proof_rate: int = 0) -> None:
    row = dumped.put(house)
    house.catalog().put(dataclasses.replace(row, load_rate=load_rate, proof_rate=proof_rate))


def test_what_a_small_staging_server_needed_refuses_no_recovery(
    house: House, servers: Databases, dumped: SavedBackup
) -> None:
    _restored_before(house, dumped, load_rate=10, proof_rate=10)
    assert _check(house)["backup_id"] == DUMP


def test_a_fresh_disk_without_room_is_refused_and_the_live_one_is_asked_once_nobody_writes(
    house: House, servers: Databases, dumped: SavedBackup, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`tests/adapters/test_database_space.py` fills a real one."""
    dumped.put(house)
    _name_a_fresh_server(house)
    size = manifest_of(dumped).contents.size
    asked: list[tuple[str, int]] = []

    def full(login: Login, database_bytes: int) -> SpaceFacts:
        asked.append((login.database, database_bytes))
        return SpaceFacts(2_000_000, 1_000_000, "full")

    monkeypatch.setattr(restorable, "space_for", full)
    with pytest.raises(DiskTooSmall) as told:
        _check(house, place="fresh")
    assert str(told.value) == (
        "disk-too-small: The disk of PostgreSQL at localhost has no room for 2,000,000 bytes more: it took 1,000,000.\n"
        "Next: Nothing live was touched. Make room, or name a fresh server under database.fresh in the estate."
    )
    assert asked == [("postgres", size)]
    _check(house)  # whatever room the live server has: its services write, and its disk is not filled for a question
    assert len(asked) == 1


def test_a_server_of_another_major_version_is_refused(house: House, servers: Databases, dumped: SavedBackup) -> None:
    dumped.put(house)
    change_database(house, major=16)
    with pytest.raises(DatabaseVersionDiffers, match="is of the major version 17, and the estate says 16"):
        _check(house)


def test_a_fresh_server_that_the_estate_does_not_name_is_refused(
    house: House, servers: Databases, dumped: SavedBackup
) -> None:
    dumped.put(house)
    with pytest.raises(FreshServerNotInEstate, match="fresh-server-not-in-estate"):
        _check(house, place="fresh")


def test_an_estate_without_a_database_has_no_server_to_ask(house: House, dumped: SavedBackup) -> None:
    with pytest.raises(DatabaseNotInEstate, match="database-not-in-estate"):
        _check(house)


# --- dumps of which nothing can be known ------------------------------------------------------------------


def test_a_backup_that_the_catalog_does_not_know_is_named(house: House, servers: Databases) -> None:
    with pytest.raises(BackupUnknown, match="backup-unknown"):
        _check(house)


def test_a_backup_of_another_kind_is_refused(house: House, servers: Databases, saved: SavedBackup) -> None:
    saved.put(house)
    with pytest.raises(ManifestInvalid, match=f"The manifest of {saved.id} .*it is of the kind vault"):
        _check(house, saved.id)


def test_a_manifest_that_was_edited_is_not_believed(house: House, servers: Databases, dumped: SavedBackup) -> None:
    dumped.put(house, manifest=dumped.manifest.replace(b'"rows":', b'"rows":1'))
    with pytest.raises(ManifestInvalid, match="its signature does not match"):
        _check(house)


def test_a_key_that_kms_refuses_is_told(house: House, servers: Databases, dumped: SavedBackup) -> None:
    dumped.put(house)
    with refused("Verify", "AccessDeniedException"), pytest.raises(KeyUnusable, match="key-unusable"):
        _check(house)
