"""What no snapshot holds still by itself: tables that are emptied or dropped, and sequences, while a dump is taken."""

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from unittest.mock import patch

import psycopg
import pytest

from lab.postgres import PostgresServer
from lambdas.adapters import database_dump, database_snapshot
from lambdas.adapters.database_facts import table_facts
from lambdas.adapters.database_snapshot import hold_snapshot
from lambdas.adapters.postgres import Login, Rows
from lambdas.domain.database_errors import DumpFailed
from lambdas.domain.database_manifest import TableFacts
from tests.adapters.database_house import BIG, SMALL, Taken, made, prove, restored, taken
from tests.servers.postgres import PostgresServers


@pytest.fixture(scope="module", params=["17", "14"])
def server(request: pytest.FixtureRequest, postgres_servers: PostgresServers) -> PostgresServer:
    return postgres_servers.shared(request.param)


# --- tables -----------------------------------------------------------------------------------------------


def test_nobody_empties_a_table_that_pg_dump_is_through_with_and_that_is_yet_to_be_counted(
    server: PostgresServer,
) -> None:
    login, written, told = made(server, SMALL), threading.Event(), list[str]()

    def counted_late(session: Rows, unreadable: Sequence[str] = ()) -> Iterator[TableFacts]:
        assert written.wait(20)
        yield from table_facts(session, unreadable)

    def empty(_: bytes) -> None:
        if not written.is_set():
            told.append(emptied(server))
            written.set()

    with patch.object(database_dump, "table_facts", counted_late):
        dump = taken(login, empty)
    assert dump.rows == {"public.rows": 10}
    prove(restored(dump, server), dump)
    assert told == ["LockNotAvailable"]


def emptied(server: PostgresServer) -> str:
    """Why the table could not be emptied; nothing when it was."""
    with server.connect("smtpy") as session:
        session.execute("set lock_timeout = '300ms'")
        try:
            session.execute("truncate rows")
        except psycopg.Error as error:
            return type(error).__name__
    return ""


@pytest.mark.parametrize(
    ("meanwhile", "rows"),
    [
        ("truncate rows", {"public.rows": 0}),
        ("drop table rows", {}),
        ("alter table rows rename to old; create table rows (id int)", {"public.old": 10, "public.rows": 0}),
        ("alter table rows alter id type bigint", {"public.rows": 10}),
    ],
)
def test_what_becomes_of_a_table_before_it_is_locked_is_in_the_dump_and_in_the_manifest(
    server: PostgresServer, meanwhile: str, rows: dict[str, int]
) -> None:
    dump = taken_while(made(server, SMALL), lambda: server.query(meanwhile, "smtpy"))
    assert dump.rows == rows
    prove(restored(dump, server), dump)


def taken_while(login: Login, deed: Callable[[], object], times: int = 1) -> Taken:
    """A dump before whose locks, the first `times` that it asks for them, somebody does a deed."""
    lock, done = database_snapshot._locked, list[None]()

    def locked(session: Rows, tables: Sequence[tuple[Any, ...]]) -> bool:
        if len(done) < times:
            done.append(None)
            deed()
        return lock(session, tables)

    with patch.object(database_snapshot, "_locked", locked):
        return taken(login)


def test_tables_that_are_emptied_all_the_time_fail_the_dump_before_anything_is_written(server: PostgresServer) -> None:
    with pytest.raises(DumpFailed) as told:
        taken_while(made(server, SMALL), lambda: server.query("truncate rows", "smtpy"), times=99)
    fact = "dump-failed: Locking the tables did not end well: they are dropped or emptied all the time."
    assert str(told.value).splitlines()[0] == fact


# --- sequences --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("meanwhile", "value"),
    [
        ("select setval('s', 5)", 5),
        ("alter sequence s restart", None),
        ("alter sequence s increment -1", None),
        ("select nextval('s')", 999),
        ("create sequence another", 999),
    ],
)
def test_a_dump_is_proved_whatever_becomes_of_a_sequence_while_it_is_taken(
    server: PostgresServer, meanwhile: str, value: int | None
) -> None:
    login = made(server, SMALL, "create sequence s maxvalue 1000", "select setval('s', 999)")
    dump = taken_while(login, lambda: server.query(meanwhile, "smtpy"))
    assert [(each.name, each.last_value) for each in dump.dump.contents.sequences] == [("s", value)]
    prove(restored(dump, server), dump)


def test_a_sequence_that_is_set_back_once_pg_dump_has_begun_to_write_is_not_held_to_more(
    server: PostgresServer,
) -> None:
    login, done = made(server, BIG, "create sequence s", "select setval('s', 1000)"), list[object]()

    def set_back(_: bytes) -> None:
        if not done:
            done.append(server.query("select setval('s', 5)", "smtpy"))

    dump = taken(login, set_back)
    assert dump.dump.contents.sequences[0].last_value == 5
    prove(restored(dump, server), dump)


def test_a_sequence_that_was_dropped_before_the_snapshot_or_after_the_dump_is_not_asked_for(
    server: PostgresServer,
) -> None:
    login = made(server, SMALL, "create sequence early; create sequence late; create sequence s")

    def drop(name: str) -> None:
        server.query(f"drop sequence if exists {name}", "smtpy")

    def dropped_early(session: Rows, unreadable: Sequence[str]) -> str:
        drop("early")
        return hold_snapshot(session, unreadable)

    with patch.object(database_dump, "hold_snapshot", dropped_early):
        dump = taken(login, lambda _: drop("late"))
    assert [each.name for each in dump.dump.contents.sequences] == ["s"]
    prove(restored(dump, server), dump)
