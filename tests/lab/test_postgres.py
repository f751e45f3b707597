"""The lab's PostgreSQL: every major version, TLS and passwords only, and gone when it is told to be."""

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from infra.postgres_wheels import MAJORS
from lab.aws import ROOT
from lab.certificates import CertificateAuthority
from lab.postgres import PostgresServer
from lab.processes import LabError
from tests.lab.waiting import until
from tests.servers.postgres import PostgresServers, fresh_database


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServers]:
    made = PostgresServers(tmp_path_factory.mktemp("postgres"))
    yield made
    made.stop()


@pytest.fixture(scope="module")
def server(servers: PostgresServers) -> PostgresServer:
    return servers.shared()


@pytest.fixture
def own(servers: PostgresServers) -> Iterator[PostgresServer]:
    """A server that the test may harm."""
    started = servers.start()
    yield started
    started.kill()


@pytest.mark.parametrize("major", MAJORS)
def test_a_server_of_every_major_version_answers_over_tls(servers: PostgresServers, major: str) -> None:
    started = servers.shared(major)
    ((version, tls),) = started.query(
        "SELECT current_setting('server_version'), version FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
    )
    assert (version.partition(".")[0], tls) == (major, "TLSv1.3")


def test_the_server_refuses_who_comes_without_tls(server: PostgresServer) -> None:
    plain = make_conninfo(server.connection_string(), sslmode="disable")
    with pytest.raises(psycopg.OperationalError, match="no encryption"):
        psycopg.connect(plain, password=server.superuser_password)


def test_a_client_that_trusts_another_ca_refuses_the_server(server: PostgresServer, tmp_path: Path) -> None:
    other = make_conninfo(server.connection_string(), sslrootcert=str(CertificateAuthority(tmp_path).file))
    with pytest.raises(psycopg.OperationalError, match="certificate verify failed"):
        psycopg.connect(other, password=server.superuser_password)


def test_the_server_refuses_a_wrong_password(server: PostgresServer) -> None:
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        server.connect(password="wrong")


def test_a_role_logs_in_with_its_own_password_to_its_own_database(server: PostgresServer) -> None:
    password = server.create_role('Own "role"')
    name = fresh_database(server, 'A "database" of ☃', 'Own "role"')
    with server.connect(name, 'Own "role"', password) as connection:
        connection.execute("CREATE SCHEMA own")
        assert connection.execute("SELECT current_database(), current_user").fetchone() == (name, 'Own "role"')


def test_a_fresh_database_is_empty_even_where_one_is_in_use(server: PostgresServer) -> None:
    fresh_database(server, "used")
    with server.connect("used") as connection:
        connection.execute("CREATE TABLE left_over ()")
        fresh_database(server, "used")
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
    assert server.query("SELECT to_regclass('left_over')", "used") == [(None,)]


def test_the_log_tells_of_recent_errors_in_both_forms(server: PostgresServer) -> None:
    with pytest.raises(psycopg.errors.UndefinedTable):
        server.query("SELECT * FROM table_that_is_not_there")
    until(lambda: "table_that_is_not_there" in server.log, "the error in the log")
    ((read,),) = server.query("SELECT pg_read_file(pg_current_logfile('csvlog'))")
    assert "table_that_is_not_there" in read


def test_a_killed_server_leaves_no_process_and_starts_again_with_all_that_was_committed(own: PostgresServer) -> None:
    own.query("CREATE TABLE kept AS SELECT 42 AS answer")
    processes = [psutil.Process(own.pid), *psutil.Process(own.pid).children(recursive=True)]
    own.kill()
    assert [process for process in processes if _lives(process)] == []
    assert not own.running
    own.start()
    own.wait_until_ready()
    assert own.query("SELECT answer FROM kept") == [(42,)]


def test_stopping_cuts_clients_off_and_ends_cleanly(own: PostgresServer) -> None:
    with own.connect() as client:
        own.stop()
        with pytest.raises(psycopg.OperationalError):
            client.execute("SELECT 1")
    assert "database system is shut down" in own.log
    assert not (own.data / "postmaster.pid").exists()


def test_a_server_that_cannot_start_is_reported(own: PostgresServer) -> None:
    own.stop()
    (own.data / "postgresql.conf").write_text("no_such_setting = 1\n")
    own.start()
    with pytest.raises(LabError, match="no_such_setting"):
        own.wait_until_ready()


def test_a_damaged_page_is_found_by_its_checksum(own: PostgresServer) -> None:
    own.query("CREATE TABLE damaged AS SELECT generate_series(1, 1000) AS number")
    ((file,),) = own.query("SELECT pg_relation_filepath('damaged')")
    own.stop()
    with (own.data / file).open("r+b") as heap:
        heap.seek(4000)
        heap.write(b"\xff" * 100)
    own.start()
    own.wait_until_ready()
    with pytest.raises(psycopg.errors.DataCorrupted, match="invalid page"):
        own.query("SELECT count(*) FROM damaged")


def test_the_server_dies_with_the_lab_even_when_the_lab_is_killed(tmp_path: Path) -> None:
    code = """
        import sys, time
        from pathlib import Path
        from lab.certificates import CertificateAuthority
        from lab.postgres import PostgresServer
        folder = Path(sys.argv[1])
        server = PostgresServer("postgres", folder, CertificateAuthority(folder))
        server.start()
        server.wait_until_ready()
        print(server.pid, flush=True)
        time.sleep(600)
    """
    command = [sys.executable, "-c", textwrap.dedent(code), str(tmp_path)]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as lab:
        assert lab.stdout is not None
        postmaster = psutil.Process(int(lab.stdout.readline()))
        processes = [postmaster, *postmaster.children(recursive=True)]
        lab.send_signal(signal.SIGKILL)
    until(lambda: not any(_lives(process) for process in processes), "the end of the server")


def _lives(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
