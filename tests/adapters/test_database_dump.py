"""A dump is exact whoever writes meanwhile, and is nothing at all when anything goes wrong."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

import pytest

from lab.postgres import PostgresServer
from lambdas.adapters import database_facts, postgres, postgres_programs
from lambdas.domain.database_errors import DatabaseLocked, DatabaseRequestFailed, DatabaseUnreachable, DumpFailed
from lambdas.domain.mailark_error import MailarkError
from tests.adapters.database_house import BIG, LONG, SMALL, made, programs_of, prove, restored, taken, written_to
from tests.servers.postgres import PostgresServers
from tests.servers.vault import until


@pytest.fixture(scope="module", params=["17", "15"])
def server(request: pytest.FixtureRequest, postgres_servers: PostgresServers) -> PostgresServer:
    return postgres_servers.shared(request.param)


@contextmanager
def impatient(seconds: float) -> Iterator[None]:
    """Nobody waits longer than this for a lock."""
    with patch.object(postgres, "LOCK_SECONDS", seconds), patch.object(postgres_programs, "LOCK_SECONDS", seconds):
        yield


def no_program_runs() -> bool:
    return not programs_of()


# --- exact, whoever writes --------------------------------------------------------------------------------


def test_the_manifest_is_that_of_the_dump_though_rows_come_change_and_go_all_the_time(server: PostgresServer) -> None:
    login = made(server, BIG, "create sequence s; create table small (id int)")
    writes = (
        "insert into rows select max(id) + 1, nextval('s')::text from rows",
        "update rows set word = word || 'x' where id = (random() * 300000)::int",
        "delete from rows where id = (random() * 300000)::int; insert into small values (1)",
    )
    with written_to(server, "smtpy", writes) as runs:
        before = runs()
        dump = taken(login)
        assert runs() > before
    prove(restored(dump, server), dump)


def test_a_dump_has_what_was_committed_before_it_began_and_nothing_else(server: PostgresServer) -> None:
    login = made(server, SMALL)
    with server.connect("smtpy") as session, session.transaction(force_rollback=True):
        session.execute("insert into rows values (11)")
        dump = taken(login)
    assert dump.rows == {"public.rows": 10}


# --- locks ------------------------------------------------------------------------------------------------


def test_a_lock_of_somebody_else_is_told_with_its_owner_and_not_waited_for_long(server: PostgresServer) -> None:
    login = made(server, SMALL)
    with server.connect("smtpy") as session, session.transaction(force_rollback=True):
        session.execute("set application_name = 'night job'; lock table rows in access exclusive mode")
        with impatient(0.5), pytest.raises(DatabaseLocked) as told:
            taken(login)
        pid = session.info.backend_pid
    assert f"night job of postgres (pid {pid}) holds public.rows since 20" in str(told.value)
    assert no_program_runs()


def test_it_is_pg_dump_that_tells_of_the_lock_when_it_is_the_one_that_waits(server: PostgresServer) -> None:
    login = made(server, SMALL, "create table parts (id int) partition by list (id)")
    with server.connect("smtpy") as session, session.transaction(force_rollback=True):
        session.execute("lock table parts in access exclusive mode")  # it has no rows of its own, and is not counted
        with (
            patch.object(postgres_programs, "LOCK_SECONDS", 0.2),
            pytest.raises(DatabaseLocked, match=r"holds public\.parts"),
        ):
            taken(login)


def test_a_table_that_is_dropped_before_it_could_be_locked_is_not_in_the_dump(server: PostgresServer) -> None:
    login = made(server, SMALL, "create table gone (id int)")
    with server.connect("smtpy") as session:
        session.execute("begin; drop table gone")

        def commit() -> None:
            until(lambda: waiting(server) == 1, "the dump waits for the lock")
            session.execute("commit")

        timer = threading.Thread(target=commit)
        timer.start()
        dump = taken(login)
        timer.join()
    assert dump.rows == {"public.rows": 10}
    prove(restored(dump, server), dump)


def waiting(server: PostgresServer) -> int:
    """How many sessions wait for a lock."""
    count: int = server.query("select count(*) from pg_stat_activity where wait_event_type = 'Lock'")[0][0]
    return count


# --- what goes wrong --------------------------------------------------------------------------------------


def test_what_is_damaged_on_the_disk_fails_the_dump_after_half_of_it(server: PostgresServer) -> None:
    login = made(server, BIG, "create table zz (id int); insert into zz values (1)")
    (path,) = server.query("select pg_relation_filepath('zz')", "smtpy")[0]
    server.query("checkpoint")
    (server.data / path).unlink()
    server.query("select pg_terminate_backend(pid) from pg_stat_activity where datname = 'smtpy'")
    with pytest.raises(MailarkError) as told:
        taken(login)
    assert isinstance(told.value, DumpFailed | DatabaseRequestFailed)
    assert no_program_runs()


def test_a_receiver_that_fails_ends_pg_dump_at_once(server: PostgresServer) -> None:
    login = made(server, BIG)

    def refuse(_: bytes) -> None:
        raise OSError("no more")

    with pytest.raises(OSError, match="no more") as kept:
        taken(login, refuse)
    assert no_program_runs()
    assert kept.value.__traceback__ is not None  # which would keep a generator alive
    until(lambda: sessions(server) == 0, "Mailark's sessions have ended")
    assert not [thread for thread in threading.enumerate() if thread.name.startswith(("ahead", "facts"))]


def test_who_counts_and_fails_ends_the_dump_and_is_told_first(server: PostgresServer) -> None:
    login = made(server, BIG)
    failing = patch.object(database_facts, "_TABLES", "select 1/0")
    with failing, pytest.raises(DatabaseRequestFailed, match="22012, DivisionByZero"):
        taken(login)
    assert no_program_runs()


def test_who_counts_is_ended_when_the_dump_fails(server: PostgresServer) -> None:
    login = made(server, BIG)

    def refuse(_: bytes) -> None:
        raise OSError("no more")

    slow = "select 'public', 'rows', array['id'], array[(pg_sleep(30))::text]"
    with patch.object(database_facts, "_TABLES", slow), pytest.raises(OSError, match="no more"):
        taken(login, refuse)
    until(lambda: sessions(server) == 0, "Mailark's sessions have ended", 5)


def sessions(server: PostgresServer) -> int:
    count: int = server.query("select count(*) from pg_stat_activity where application_name = 'mailark'")[0][0]
    return count


@pytest.mark.parametrize("whose", ["pg_dump", "facts"])
def test_a_server_that_cuts_a_session_off_fails_the_dump(server: PostgresServer, whose: str) -> None:
    login = made(server, LONG)
    work = {"pg_dump": "COPY%", "facts": "select count(*)%"}[whose]
    query = (
        "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'mailark' and query like %s"
    )
    done, given_up = threading.Event(), threading.Event()

    def cut_off() -> None:
        while not (done.is_set() or given_up.is_set()):
            if server.query(query, parameters=[work]):
                done.set()

    cutting = threading.Thread(target=cut_off)
    cutting.start()
    try:
        with pytest.raises((DatabaseUnreachable, DumpFailed)):
            taken(login)
    finally:
        given_up.set()
        cutting.join()
    assert done.is_set()
    assert no_program_runs()


def test_a_pg_dump_that_is_killed_fails_the_dump(server: PostgresServer) -> None:
    login = made(server, BIG)

    def kill(_: bytes) -> None:
        for program in programs_of():
            program.kill()

    with pytest.raises(DumpFailed, match=r"pg_dump did not end well: it ended with -9"):
        taken(login, kill)


def test_a_dump_that_takes_too_long_is_ended(server: PostgresServer) -> None:
    login = made(server, BIG, *(BIG.replace("rows", name) for name in ("a", "b", "c", "d")))
    with pytest.raises((DumpFailed, DatabaseRequestFailed)):
        taken(login, lambda _: until(no_program_runs, "pg_dump was ended, which nobody read"), seconds=0.4)
    assert no_program_runs()
