"""Who cannot reach PostgreSQL learns why, in words that name the cure; and no text holds a secret or a row."""

import datetime
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import certifi
import pytest

from lab import certificates
from lab.certificates import CertificateAuthority
from lab.postgres import PostgresServer
from lambdas.adapters import postgres
from lambdas.adapters.postgres import Login, blocker_of, ca_file, connected, unreached
from lambdas.adapters.postgres_programs import load, roles_of
from lambdas.domain.database_errors import (
    DatabaseCertificateRefused,
    DatabaseLocked,
    DatabaseLoginRefused,
    DatabaseMissing,
    DatabaseRequestFailed,
    DatabaseUnreachable,
    LoadFailed,
)
from lambdas.domain.mailark_error import MailarkError
from tests.adapters.database_house import forget_roles, login_to, made
from tests.servers.postgres import PostgresServers
from tests.servers.vault import until


@pytest.fixture(scope="module", params=["17", "14"])
def server(request: pytest.FixtureRequest, postgres_servers: PostgresServers) -> PostgresServer:
    return postgres_servers.shared(request.param)


@pytest.fixture
def login(server: PostgresServer) -> Login:
    return made(server, "create table t (id int primary key, word text); insert into t values (1, 'a secret word')")


def by_psycopg(login: Login, major: int) -> None:
    with connected(login):
        pass


def by_pg_dumpall(login: Login, major: int) -> None:
    roles_of(login, major, "k1", passwords=False, seconds=20)


def by_psql(login: Login, major: int) -> None:
    load(login, major, [b"select 1;\n"], 20)


WAYS = pytest.mark.parametrize("reach", [by_psycopg, by_pg_dumpall, by_psql])
Reach = Callable[[Login, int], None]


def refused(reach: Reach, login: Login, major: str) -> MailarkError:
    with pytest.raises(MailarkError) as told:
        reach(login, int(major))
    assert login.password not in str(told.value)
    assert told.value.__cause__ is None
    return told.value


# --- who is not let in ------------------------------------------------------------------------------------


@WAYS
def test_a_wrong_password_is_refused(server: PostgresServer, login: Login, reach: Reach) -> None:
    error = refused(reach, replace(login, password="wrong-" + "x" * 20), server.major)
    assert isinstance(error, DatabaseLoginRefused)
    assert 'refuses the login of postgres (password authentication failed for user "postgres")' in str(error)


@pytest.mark.parametrize("reach", [by_psycopg, by_psql])
def test_a_database_that_is_not_there_is_missing(server: PostgresServer, login: Login, reach: Reach) -> None:
    error = refused(reach, login.to("nowhere"), server.major)
    assert isinstance(error, DatabaseMissing)
    assert "has no database nowhere." in str(error)


@WAYS
def test_a_port_where_nobody_listens_is_unreachable(server: PostgresServer, login: Login, reach: Reach) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    error = refused(reach, replace(login, port=port), server.major)
    assert isinstance(error, DatabaseUnreachable)
    assert f"PostgreSQL at localhost:{port} does not answer (Connection refused" in str(error)


@WAYS
def test_a_host_that_does_not_answer_is_not_waited_for_long(server: PostgresServer, login: Login, reach: Reach) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, patch.object(postgres, "CONNECT_SECONDS", 2):
        error = refused(reach, replace(login, port=silent.getsockname()[1]), server.major)
    assert isinstance(error, DatabaseUnreachable)
    assert "timeout expired" in str(error)


@WAYS
def test_a_host_that_cuts_the_connection_is_unreachable_and_its_certificate_is_not_blamed(
    server: PostgresServer, login: Login, reach: Reach
) -> None:
    with hanging_up() as port:
        error = refused(reach, replace(login, port=port), server.major)
    assert isinstance(error, DatabaseUnreachable)


@contextmanager
def hanging_up() -> Iterator[int]:
    """A host that says that it speaks TLS, and hangs up."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection:
                connection.recv(100)
                connection.sendall(b"S")
                connection.recv(10)

    thread = threading.Thread(target=serve)
    thread.start()
    yield server.getsockname()[1]
    server.shutdown(socket.SHUT_RDWR)
    server.close()
    thread.join()


@WAYS
def test_a_name_that_nobody_knows_is_unreachable_though_it_speaks_of_tls(
    server: PostgresServer, login: Login, reach: Reach
) -> None:
    error = refused(reach, replace(login, host="tls-certificate.invalid"), server.major)
    assert isinstance(error, DatabaseUnreachable)


# --- whose certificate does not verify --------------------------------------------------------------------


@WAYS
def test_a_certificate_of_another_ca_is_refused(
    server: PostgresServer, login: Login, reach: Reach, tmp_path: Path
) -> None:
    error = refused(reach, replace(login, ca=CertificateAuthority(tmp_path).pem), server.major)
    assert isinstance(error, DatabaseCertificateRefused)
    assert "certificate verify failed" in str(error)


@WAYS
def test_a_certificate_for_another_name_is_refused(postgres_servers: PostgresServers, reach: Reach) -> None:
    server = listening(postgres_servers, "elsewhere", {"listen_addresses": "127.0.0.2"})
    try:
        error = refused(reach, replace(login_to(server, "postgres"), host="127.0.0.2"), "17")
    finally:
        server.kill()
    assert isinstance(error, DatabaseCertificateRefused)
    assert "127.0.0.2" in str(error)


@WAYS
def test_an_expired_certificate_is_refused(postgres_servers: PostgresServers, reach: Reach) -> None:
    with patch.object(certificates, "_VALID", datetime.timedelta(minutes=-1)):
        server = listening(postgres_servers, "expired", {})
    try:
        error = refused(reach, login_to(server, "postgres"), "17")
    finally:
        server.kill()
    assert isinstance(error, DatabaseCertificateRefused)


@WAYS
def test_a_server_without_tls_is_refused(postgres_servers: PostgresServers, reach: Reach) -> None:
    server = listening(postgres_servers, "plain", {"ssl": "off"})
    try:
        error = refused(reach, login_to(server, "postgres"), "17")
    finally:
        server.kill()
    assert isinstance(error, DatabaseCertificateRefused)
    assert "does not support SSL" in str(error)


def listening(servers: PostgresServers, name: str, settings: dict[str, str]) -> PostgresServer:
    """A server that the lab's own client would not talk to; somebody has to kill it."""
    server = PostgresServer(
        f"{name}-{len(list(servers.folder.iterdir()))}", servers.folder, servers.authority, "17", settings
    )
    server.start()
    until(lambda: "ready to accept connections" in server.log, "it listens")
    return server


def test_without_a_ca_the_public_ones_are_trusted() -> None:
    assert ca_file("") == certifi.where()


def test_what_somebody_else_has_put_in_place_of_a_ca_is_replaced() -> None:
    path = Path(ca_file("one"))
    path.write_text("two")
    assert Path(ca_file("one")).read_text() == "one"


# --- a server that cannot now -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "says",
    [
        "FATAL:  the database system is starting up",
        "FATAL:  the database system is shutting down",
        "FATAL:  the database system is in recovery mode",
        "FATAL:  the database system is not yet accepting connections",
        "FATAL:  sorry, too many clients already",
        "FATAL:  remaining connection slots are reserved for roles with the SUPERUSER attribute",
        'FATAL:  too many connections for role "backup"',
        "SSL error: unexpected eof while reading",
        "SSL SYSCALL error: Connection reset by peer",
        "timeout expired",
    ],
)
def test_what_passes_by_itself_is_worth_another_try(says: str) -> None:
    login = Login("db", 5432, "smtpy", "backup", "secret")
    error = unreached(login, f'connection to server at "db" (10.0.0.1), port 5432 failed: {says}')
    assert (type(error), error.transient) == (DatabaseUnreachable, True)


def test_an_answer_in_another_language_is_an_answer_all_the_same() -> None:
    login = Login("db", 5432, "smtpy", "backup", "secret")
    error = unreached(login, 'connection to server at "db", port 5432 failed: ВАЖНО:  пользователь не прошёл проверку')
    assert isinstance(error, DatabaseLoginRefused)


# --- inside -----------------------------------------------------------------------------------------------


def test_a_failing_statement_is_told_by_its_state_and_never_by_its_row(login: Login) -> None:
    with pytest.raises(DatabaseRequestFailed) as told, connected(login) as session:
        session.execute("insert into t values (1, 'a secret word')")
    assert "refused a statement in smtpy (23505, UniqueViolation)" in str(told.value)
    assert "secret word" not in str(told.value)
    assert told.value.__cause__ is None


def test_a_statement_takes_no_longer_than_it_may(login: Login) -> None:
    with pytest.raises(DatabaseRequestFailed, match="57014, QueryCanceled"), connected(login, 0.2) as session:
        session.execute("select pg_sleep(20)")


def test_a_session_that_is_cut_off_is_unreachable(server: PostgresServer, login: Login) -> None:
    with pytest.raises(DatabaseUnreachable, match="the connection broke"), connected(login) as session:
        session.execute("select pg_terminate_backend(pg_backend_pid())")


def test_a_connection_is_closed_at_the_end_of_its_block_whatever_happens(login: Login) -> None:
    with pytest.raises(ZeroDivisionError), connected(login) as session:
        raise ZeroDivisionError
    assert session.closed


def test_the_blocker_is_found_by_a_role_without_rights_too(server: PostgresServer, login: Login) -> None:
    forget_roles(server, ["nobody in particular"])
    login = made(server, 'create table "a\nb" (id int)')
    password = server.create_role("nobody in particular")
    with server.connect("smtpy") as session, session.transaction(force_rollback=True):
        session.execute('lock table "a\nb" in access exclusive mode')
        blocker = blocker_of(login_to(server, "smtpy", "nobody in particular", password))
    assert (
        f"of postgres (pid {session.info.backend_pid})" in blocker if not session.closed else "of postgres" in blocker
    )
    assert "\n" not in blocker
    assert blocker_of(login) == "a session that has ended since"
    assert blocker_of(replace(login, password="wrong")) == "a session that could not be asked for"


def test_a_lock_is_not_waited_for_longer_than_it_may(server: PostgresServer, login: Login) -> None:
    with server.connect("smtpy") as session, session.transaction(force_rollback=True):
        session.execute("lock table t in access exclusive mode")
        with (
            patch.object(postgres, "LOCK_SECONDS", 0.2),
            pytest.raises(DatabaseLocked, match=r"holds public\.t since"),
            connected(login) as waiting,
        ):
            waiting.execute("select * from t")


def test_a_failing_load_is_told_by_its_state_and_never_by_its_row(server: PostgresServer, login: Login) -> None:
    for sql in (
        b"insert into t values (1, 'a secret word');\n",
        b"copy t from stdin;\n1\ta secret word\n\\.\n",
        b"copy t from stdin;\nx\ta secret word\n\\.\n",
        b"select 'a secret word'::int;\n",
        b"\\nonsense a secret word\n",
    ):
        with pytest.raises(LoadFailed) as told:
            load(login, int(server.major), [sql], 20)
        assert "secret word" not in str(told.value)
