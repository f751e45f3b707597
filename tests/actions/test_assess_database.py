"""`assess_database`: what is damaged is said, and a database that is sound is not restored over by mistake."""

import json
from collections.abc import Iterator

import msgspec
import pytest

from lab.processes import free_port
from lambdas.actions import assess_database
from lambdas.adapters import database_wait
from lambdas.domain.audit import Event as AuditEvent
from lambdas.domain.damage import MOST_FINDINGS, Finding, assess
from lambdas.domain.database_errors import DatabaseLoginRefused, DatabaseNotInEstate, DatabaseSound, OnlyIndexesDamaged
from tests.actions.database_house import NIGHT, Databases, Event, change_database
from tests.actions.house import House
from tests.servers.aws import aws, refused

_PAGE = 8192
_ITEM_BYTES = 400 * 1024
"""DynamoDB developer guide, "Quotas": an item."""


def _assess(house: House, **more: object) -> Event:
    operation = house.operation("database_corruption", started_at=NIGHT)
    assessed: Event = house.run("assess_database", {"operation": operation} | more)
    return assessed


def _recorded(house: House) -> AuditEvent:
    """The one event that the audit trail has, in which no value of any row is."""
    (event,) = house.events(scope="platform#database")
    told = json.dumps(event.details)
    assert not [secret for secret in house.secrets if secret in told]
    return event


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
    assert (_recorded(house).severity, _recorded(house).details["verdict"]) == ("info", "sound")
    wanted = _assess(house, even_if_sound=True)
    assert (wanted["assessment"]["verdict"], wanted["unreadable"]) == ("sound", [])
    assert database.contents() == before


def test_a_damaged_table_is_named_however_often_it_is_assessed(house: House, damaged: Databases) -> None:
    for _ in range(2):
        assessed = _assess(house)
        assert assessed["assessment"]["verdict"] == "damaged"
        assert assessed["unreadable"] == ["public.messages"]
        (first, *_) = assessed["assessment"]["findings"]
        assert first["status"] == "damaged"
        assert {each["relation"] for each in assessed["assessment"]["findings"] if each["check"] == "tables"} == {
            "public.messages",
            None,
        }


def test_what_was_found_is_recorded_once_however_often_it_is_assessed(house: House, damaged: Databases) -> None:
    first, _ = (_assess(house) for _ in range(2))
    event = _recorded(house)
    assert event.details == {"database": "smtpy", **first["assessment"]}
    assert (event.event, event.user_id, event.operation_id, event.severity) == (
        "database_assessed",
        "jo",
        "op-1",
        "warning",
    )


def test_an_index_that_is_damaged_alone_is_recorded_though_nothing_is_restored(
    house: House, database: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = assess([Finding("indexes", "damaged", "public.users_pkey", "XX002: it is damaged")])
    monkeypatch.setattr(assess_database, "assess_database", lambda *_: found)
    with pytest.raises(OnlyIndexesDamaged, match=r"public\.users_pkey"):
        _assess(house)
    assert _recorded(house).details["findings"] == [msgspec.to_builtins(found.findings[0])]


def test_as_much_as_can_be_found_has_room_in_an_event(
    house: House, database: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = "\N{SNOWMAN}" * 200
    found = assess(Finding("table pages", "damaged", f"{number}{long}", long) for number in range(500))
    monkeypatch.setattr(assess_database, "assess_database", lambda *_: found)
    _assess(house)
    details = _recorded(house).details
    assert (len(details["findings"]), details["left_out"]) == (MOST_FINDINGS, 400)
    assert len(json.dumps(details)) < _ITEM_BYTES / 2


def test_what_was_found_is_kept_while_the_audit_trail_cannot_be_written(house: House, damaged: Databases) -> None:
    with refused("TransactWriteItems", "AccessDeniedException"):
        assert _assess(house)["assessment"]["verdict"] == "damaged"
    (spooled,) = house.objects("audit").values()
    assert json.loads(spooled)["scope"] == "platform#database"
    assert json.loads(spooled)["event"]["details"]["verdict"] == "damaged"


def test_what_can_still_be_read_of_a_damaged_database_is_saved(house: House, damaged: Databases) -> None:
    operation = house.operation("database_corruption", started_at=NIGHT)
    unreadable = house.run("assess_database", {"operation": operation})["unreadable"]
    saving = {"operation": operation, "series": "pre-restore", "unreadable": unreadable}
    rows = {name: rows for name, (rows, _) in damaged.contents("pattern").items()}
    assert house.run("dump_database", saving)["rows"] == sum(rows.values()) - rows["messages"]


def test_a_server_that_is_gone_is_a_verdict(house: House, database: Databases, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_wait, "GONE_SECONDS", 1.0)
    assert house.database is not None
    change_database(house, server=msgspec.structs.replace(house.database.server, port=free_port()))
    assessed = _assess(house)
    assert _recorded(house).details["verdict"] == "unreachable"
    assert (assessed["assessment"]["verdict"], assessed["unreadable"]) == ("unreachable", [])


def test_a_database_that_is_gone_is_a_verdict_too(house: House, database: Databases) -> None:
    database.live.drop_database("smtpy")
    assessed = _assess(house)
    assert (assessed["assessment"]["verdict"], assessed["unreadable"]) == ("unreachable", [])


def test_a_wrong_password_says_nothing_of_the_database(house: House, database: Databases) -> None:
    assert house.database is not None
    secret = '{"username": "postgres", "password": "not-the-password"}'
    aws("secretsmanager").put_secret_value(SecretId=house.database.server.secret, SecretString=secret)
    with pytest.raises(DatabaseLoginRefused, match="database-login-refused"):
        _assess(house)
    assert house.events(scope="platform#database") == []


def test_an_estate_without_a_database_has_none_to_assess(house: House) -> None:
    with pytest.raises(DatabaseNotInEstate, match="database-not-in-estate"):
        _assess(house)
