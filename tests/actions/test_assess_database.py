"""`assess_database`: what is damaged is said, and a database that is sound is not restored over by mistake."""

from collections.abc import Iterator

import msgspec
import pytest

from lab.processes import free_port
from lambdas.domain.database_errors import DatabaseLoginRefused, DatabaseNotInEstate, DatabaseSound
from tests.actions.database_house import NIGHT, Databases, Event, change_database
from tests.actions.house import House
from tests.servers.aws import aws

_PAGE = 8192


def _assess(house: House, **more: object) -> Event:
    operation = house.operation("database_corruption", started_at=NIGHT)
    assessed: Event = house.run("assess_database", {"operation": operation} | more)
    return assessed


@pytest.fixture
def damaged(database: Databases) -> Iterator[Databases]:
    """The live database, the first page of whose messages is garbage on its disk."""
    live = database.live
    (found,) = live.query("select pg_relation_filepath('messages')", "smtpy")
    live.stop()
    with (live.data / str(found[0])).open("r+b") as file:
        file.write(b"\xde\xad\xbe\xef" * (_PAGE // 4))
    live.start()
    live.wait_until_ready()
    yield database
    live.drop_database("smtpy")


def test_a_sound_database_is_not_recovered_unless_a_person_wants_it(house: House, database: Databases) -> None:
    before = database.contents()
    with pytest.raises(DatabaseSound, match=r"database-sound: .* in smtpy: \d+ relations are sound, and 0 "):
        _assess(house)
    wanted = _assess(house, even_if_sound=True)
    assert (wanted["assessment"]["verdict"], wanted["unreadable"], wanted["reached"]) == ("sound", [], True)
    assert database.contents() == before


def test_a_damaged_table_is_named_however_often_it_is_assessed(house: House, damaged: Databases) -> None:
    for _ in range(2):
        assessed = _assess(house)
        assert assessed["assessment"]["verdict"] == "damaged"
        assert (assessed["unreadable"], assessed["reached"]) == (["public.messages"], True)
        (first, *_) = assessed["assessment"]["findings"]
        assert first["status"] == "damaged"
        assert {each["relation"] for each in assessed["assessment"]["findings"] if each["check"] == "tables"} == {
            "public.messages",
            None,
        }


def test_what_can_still_be_read_of_a_damaged_database_is_saved(house: House, damaged: Databases) -> None:
    operation = house.operation("database_corruption", started_at=NIGHT)
    unreadable = house.run("assess_database", {"operation": operation})["unreadable"]
    saving = {"operation": operation, "series": "pre-restore", "unreadable": unreadable}
    rows = {name: rows for name, (rows, _) in damaged.contents("pattern").items()}
    assert house.run("dump_database", saving)["rows"] == sum(rows.values()) - rows["messages"]


def test_a_server_that_is_gone_is_a_verdict_and_leaves_nothing_to_save(house: House, database: Databases) -> None:
    assert house.database is not None
    change_database(house, server=msgspec.structs.replace(house.database.server, port=free_port()))
    assessed = _assess(house)
    assert (assessed["assessment"]["verdict"], assessed["reached"]) == ("unreachable", False)


def test_a_database_that_is_gone_is_a_verdict_too(house: House, database: Databases) -> None:
    database.live.drop_database("smtpy")
    assessed = _assess(house)
    assert (assessed["assessment"]["verdict"], assessed["reached"]) == ("unreachable", False)


def test_a_wrong_password_says_nothing_of_the_database(house: House, database: Databases) -> None:
    assert house.database is not None
    secret = '{"username": "postgres", "password": "not-the-password"}'
    aws("secretsmanager").put_secret_value(SecretId=house.database.server.secret, SecretString=secret)
    with pytest.raises(DatabaseLoginRefused, match="database-login-refused"):
        _assess(house)


def test_an_estate_without_a_database_has_none_to_assess(house: House) -> None:
    with pytest.raises(DatabaseNotInEstate, match="database-not-in-estate"):
        _assess(house)
