"""`check_database`: whether the live database can be dumped tonight, known before anything is begun."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from lab.processes import free_port
from lambdas.domain.backup import manifest_key
from lambdas.domain.database_errors import (
    DatabaseLoginRefused,
    DatabaseMissing,
    DatabaseNotInEstate,
    DatabaseUnreachable,
    DatabaseVersionDiffers,
    DumpTooLong,
)
from tests.actions.database_house import Databases, Event, change_database, make_dump, put_estates
from tests.actions.house import House, bucket_name
from tests.servers.aws import PRIMARY, STANDBY, aws, refused

LAST_NIGHT = (datetime.now(UTC) - timedelta(days=1)).isoformat()


def _check(house: House, region: str = PRIMARY) -> Event:
    operation = house.operation("database_backup", region=region)
    found: Event = house.run("check_database", {"operation": operation}, region=region)
    return found


def _slow(seconds: int) -> Callable[[Event], Event]:
    """The dump of a night that took so long."""

    def change(dumped: Event) -> Event:
        return dumped | {"dump_seconds": seconds}

    return change


def test_a_good_database_is_described_the_same_however_often_it_is_checked(house: House, database: Databases) -> None:
    before = database.contents()
    found = [_check(house) for _ in range(2)]
    assert found[0]["host"] == "localhost"
    assert found[0]["server_version"].startswith("17.")
    assert found[0]["size"] == database.live.query("select pg_database_size('smtpy')")[0][0]
    assert 0 < found[0]["estimated_seconds"] < 2
    assert [each | {"size": 0} for each in found] == [found[0] | {"size": 0}] * 2
    assert database.contents() == before
    assert house.versions() == []


def test_the_last_good_dump_tells_how_long_the_next_one_takes(house: House, database: Databases) -> None:
    make_dump(house, LAST_NIGHT, _slow(100))
    assert 90 < _check(house)["estimated_seconds"] < 130


def test_a_night_that_had_to_wait_does_not_make_the_next_dump_look_slow(house: House, database: Databases) -> None:
    make_dump(house, LAST_NIGHT)  # begun a day ago, and finished only now
    assert _check(house)["estimated_seconds"] < 2


def test_a_dump_that_would_not_be_done_in_time_is_refused_before_it_starts(house: House, database: Databases) -> None:
    make_dump(house, LAST_NIGHT, _slow(3600))
    before = house.versions()
    with pytest.raises(DumpTooLong, match=r"dump-too-long: A dump of smtpy would take some 6\d minutes.* has 12"):
        _check(house)
    assert house.versions() == before


def test_the_manifest_of_an_old_dump_that_is_gone_or_forged_does_not_stop_tonights(
    house: House, database: Databases
) -> None:
    saved = make_dump(house, LAST_NIGHT, _slow(3600))
    forged = saved.manifest.replace(b'"rows":', b'"rows":1')
    saved.put(house, manifest=forged)
    assert _check(house)["estimated_seconds"] < 2
    row = house.catalog().get(saved.id)
    key = manifest_key(row.key)
    aws("s3").delete_object(Bucket=bucket_name("backups", PRIMARY), Key=key, VersionId=row.manifest_version)
    assert _check(house)["estimated_seconds"] < 2


def test_the_standby_region_logs_in_with_its_own_secret(house: House, database: Databases) -> None:
    with refused(lambda request: f"secretsmanager.{PRIMARY}" in request.url, "AccessDeniedException"):
        assert _check(house, STANDBY)["host"] == "localhost"


def test_an_estate_without_a_database_has_none_to_check(house: House) -> None:
    with pytest.raises(DatabaseNotInEstate, match="database-not-in-estate"):
        _check(house)


def test_a_server_of_another_major_version_is_named(house: House, database: Databases) -> None:
    change_database(house, major=16)
    with pytest.raises(DatabaseVersionDiffers, match="is of the major version 17, and the estate says 16"):
        _check(house)


def test_a_database_that_is_lost_is_named(house: House, database: Databases) -> None:
    database.live.drop_database("smtpy")
    with pytest.raises(DatabaseMissing, match="database-missing: PostgreSQL at localhost has no database smtpy"):
        _check(house)


def test_a_server_that_is_gone_does_not_answer(house: House, database: Databases) -> None:
    assert house.database is not None
    change_database(house, server=msgspec.structs.replace(house.database.server, port=free_port()))
    with pytest.raises(DatabaseUnreachable, match="database-unreachable"):
        _check(house)


def test_a_password_that_was_changed_is_named_and_not_shown(house: House, database: Databases) -> None:
    assert house.database is not None
    secret = '{"username": "postgres", "password": "not-the-password"}'
    aws("secretsmanager").put_secret_value(SecretId=house.database.server.secret, SecretString=secret)
    house.secrets.add("not-the-password")
    put_estates(house)
    with pytest.raises(DatabaseLoginRefused, match=r"database-login-refused: .* refuses the login of postgres"):
        _check(house)
