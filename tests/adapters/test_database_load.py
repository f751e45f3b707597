"""A load is whole or it is nothing, wherever it dies; and what is left of it is never taken for a restored database."""

import os
import signal
import subprocess
from collections.abc import Iterator
from types import FrameType

import pytest

from lab.postgres import PostgresServer
from lambdas.adapters.database_rules import give_recorded
from lambdas.adapters.postgres import Login
from lambdas.adapters.postgres_programs import load
from lambdas.adapters.throwaway_database import make_database
from lambdas.domain.database_errors import DatabaseDiskFull, DatabaseNotProved, DatabaseUnreachable, LoadFailed
from tests.adapters.database_house import (
    RESTORED,
    SOURCE,
    Taken,
    login_to,
    made,
    programs_of,
    prove,
    restored,
    sessions_of_mailark,
    tables_in,
    taken,
)
from tests.servers.postgres import PostgresServers
from tests.servers.vault import until

LARGE = "select lo_from_bytea(80001, '\\xdeadbeef')"


@pytest.fixture(scope="module", params=["17", "15"])
def server(request: pytest.FixtureRequest, postgres_servers: PostgresServers) -> PostgresServer:
    return postgres_servers.shared(request.param)


@pytest.fixture(scope="module")
def dump(server: PostgresServer) -> Taken:
    return taken(made(server, *SOURCE))


@pytest.fixture
def target(server: PostgresServer, dump: Taken) -> Login:
    """An empty database for the dump."""
    login = login_to(server, RESTORED)
    make_database(login, dump.dump.source)
    return login


# --- a source that breaks ---------------------------------------------------------------------------------


def test_a_stream_that_breaks_anywhere_leaves_nothing(server: PostgresServer, dump: Taken, target: Login) -> None:
    def broken(at: int) -> Iterator[bytes]:
        yield dump.sql[:at]
        raise OSError("the download broke")

    for at in range(0, len(dump.sql) + 1, len(dump.sql) // 12):
        with pytest.raises(OSError, match="the download broke"):
            load(target, int(server.major), broken(at), 60)
        assert tables_in(server) == 0
        assert not programs_of()


def test_a_statement_that_fails_leaves_nothing(server: PostgresServer, dump: Taken, target: Login) -> None:
    with pytest.raises(LoadFailed, match="could not be loaded into mailark_test_smtpy: 42P01, UndefinedTable"):
        load(target, int(server.major), [dump.sql, b"select * from nowhere;\n"], 60)
    assert tables_in(server) == 0


def test_a_dump_that_names_a_role_which_is_not_there_leaves_nothing(
    server: PostgresServer, dump: Taken, target: Login
) -> None:
    with pytest.raises(LoadFailed, match="42704, UndefinedObject"):
        load(target, int(server.major), [dump.sql.replace(b"OWNER TO postgres", b"OWNER TO nobody_here")], 60)
    assert tables_in(server) == 0


def test_a_signal_in_the_middle_loses_no_byte(server: PostgresServer, target: Login) -> None:
    def ignore(_: int, __: FrameType | None) -> None:
        return None

    rows = b"".join(b"%d\n" % number for number in range(1_500_000))
    before = signal.signal(signal.SIGALRM, ignore)
    timer = signal.setitimer(signal.ITIMER_REAL, 0.002, 0.002)
    try:
        load(target, int(server.major), [b"create table t (id int);\ncopy t from stdin;\n", rows, b"\\.\n"], 60)
    finally:
        signal.setitimer(signal.ITIMER_REAL, *timer)
        signal.signal(signal.SIGALRM, before)
    assert server.query("select count(*), sum(id) from t", RESTORED) == [(1_500_000, sum(range(1_500_000)))]


def test_what_a_broken_load_with_large_objects_leaves_behind_is_never_proved_and_the_next_one_succeeds(
    server: PostgresServer,
) -> None:
    dump = taken(made(server, *SOURCE, LARGE))
    login, end = login_to(server, RESTORED), dump.sql.index(b"COMMIT;\n") + len(b"COMMIT;\n")
    make_database(login, dump.dump.source)

    def broken() -> Iterator[bytes]:
        yield dump.sql[:end]
        until(
            lambda: tables_in(server), "large objects are committed by the dump itself, and with them what came before"
        )
        raise OSError("the download broke")

    with pytest.raises(OSError, match="the download broke"):
        load(login, int(server.major), broken(), 60)
    with pytest.raises(DatabaseNotProved):
        prove(login, dump)
    prove(restored(dump, server), dump)


# --- a program that breaks --------------------------------------------------------------------------------


def test_a_psql_that_is_killed_leaves_nothing(server: PostgresServer, dump: Taken, target: Login) -> None:
    def killing() -> Iterator[bytes]:
        yield dump.sql
        until(programs_of, "psql runs")
        for program in programs_of():
            program.kill()
        yield b" " * 1_000_000

    with pytest.raises(LoadFailed, match="psql ended with -9"):
        load(target, int(server.major), killing(), 60)
    until(lambda: tables_in(server) == 0 and sessions_of_mailark(server) == 0, "its transaction has ended")


_CUT = (
    "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'mailark' "
    "and datname = current_database() and xact_start is not null"
)


def test_a_session_that_is_cut_off_leaves_nothing(server: PostgresServer, dump: Taken, target: Login) -> None:
    def cutting() -> Iterator[bytes]:
        yield dump.sql
        until(lambda: server.query(_CUT, target.database), "psql is at work, and was cut off")
        yield b"select 1;\n" * 1000

    with pytest.raises(DatabaseUnreachable, match="the connection broke"):
        load(target, int(server.major), cutting(), 60)
    assert tables_in(server) == 0


def test_a_load_takes_no_longer_than_it_may(server: PostgresServer, target: Login) -> None:
    with pytest.raises(LoadFailed, match="it took longer than 1 s"):
        load(target, int(server.major), [b"create table t (id int);\nselect pg_sleep(30);\n", b" \n" * 1_000_000], 1)
    assert not programs_of()
    until(lambda: sessions_of_mailark(server) == 0, "the server has noticed", 15)
    assert tables_in(server) == 0


def test_the_targets_settings_do_not_hinder_it(server: PostgresServer, dump: Taken, target: Login) -> None:
    for setting in (
        "default_transaction_read_only = on",
        "statement_timeout = '1ms'",
        "lock_timeout = '1ms'",
        "idle_in_transaction_session_timeout = '1ms'",
        "search_path = 'nowhere'",
        "client_encoding = 'LATIN1'",
        "array_nulls = off",
        "standard_conforming_strings = off",
        "datestyle = 'German'",
        "timezone = 'Asia/Kolkata'",
    ):
        server.query(f"alter database {RESTORED} set {setting}")
    load(target, int(server.major), [dump.sql], 60)
    give_recorded(target, dump.manifest, dump.settings)  # which takes away what was not recorded
    prove(target, dump)


# --- a full disk ------------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(server: PostgresServer) -> Iterator[str]:
    """A tablespace of 24 MB."""
    folder = server.data / "small"
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small disk")
    folder.mkdir(exist_ok=True)
    options = "size=24m,mode=0700,uid=65534,gid=65534"
    if subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], check=False, timeout=10).returncode:
        pytest.skip("this machine mounts no small disk")
    try:
        server.query(f"create tablespace small location '{folder}'")
        yield "small"
    finally:
        server.drop_database(RESTORED)
        server.query("drop tablespace if exists small")
        subprocess.run(["umount", folder], check=True, timeout=10)


def test_a_full_disk_is_told_and_what_is_live_is_untouched(server: PostgresServer, small_disk: str) -> None:
    dump = taken(
        made(server, "create table t as select i, repeat(md5(i::text), 4) w from generate_series(1, 200000) i")
    )
    login = login_to(server, RESTORED)
    make_database(login, dump.dump.source)
    server.query(f"alter database {RESTORED} set tablespace {small_disk}")
    with pytest.raises(DatabaseDiskFull, match="The disk of PostgreSQL at localhost is full"):
        load(login, int(server.major), [dump.sql], 60)
    assert tables_in(server) == 0
    assert server.query("select count(*) from t", "smtpy") == [(200_000,)]
