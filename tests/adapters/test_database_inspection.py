"""What real PostgreSQL servers answer when the status asks them: with a login, and where there may be none."""

import json
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from lab.certificates import CertificateAuthority
from lab.postgres import PostgresServer
from lambdas.adapters import database_inspection
from lambdas.adapters.aws import brief_calls
from lambdas.adapters.database_inspection import ask_database
from lambdas.domain.estate_database import DatabaseServer
from lambdas.domain.status_facts import DatabaseFacts, Unanswered
from tests.servers.aws import PRIMARY, STANDBY, aws, forget, refused
from tests.servers.postgres import PostgresServers

NOT_READ = Unanswered("these credentials may not read its secret", refused=True)


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServers]:
    servers = PostgresServers(tmp_path_factory.mktemp("postgres"))
    yield servers
    servers.stop()


@pytest.fixture(scope="module")
def server(servers: PostgresServers) -> PostgresServer:
    """A server of PostgreSQL 17 that writes down who comes, also by an address that is no name of its certificate."""
    settings = {"listen_addresses": "127.0.0.1,127.0.0.2", "log_connections": "on", "log_disconnections": "on"}
    started = servers.start(settings=settings)
    started.create_database("smtpy")
    return started


@pytest.fixture
def _secrets() -> Iterator[None]:
    yield
    forget("secretsmanager")


def _store(value: str, region: str = PRIMARY) -> str:
    """A new secret; its ARN."""
    return str(aws("secretsmanager", region).create_secret(Name="smtpy-db", SecretString=value)["ARN"])


def _login(server: PostgresServer, password: str | None = None) -> str:
    held = {"username": "postgres", "password": password or server.superuser_password}
    return json.dumps(held)


def _of(server: PostgresServer, secret: str) -> DatabaseServer:
    return DatabaseServer(server.host, secret, server.port, server.authority.pem)


def _ask(server: DatabaseServer, database: str = "smtpy", major: int = 17) -> DatabaseFacts:
    with brief_calls():
        return ask_database(PRIMARY, server, database, major)


pytestmark = pytest.mark.usefixtures("_secrets")

# --- with the secret --------------------------------------------------------------------------------------


def test_a_server_that_lets_its_role_in_tells_its_major_version(server: PostgresServer) -> None:
    assert _ask(_of(server, _store(_login(server)))) == DatabaseFacts(major=17)


def test_a_server_of_another_version_than_the_estates_is_a_problem(server: PostgresServer) -> None:
    found = _ask(_of(server, _store(_login(server))), major=16)
    assert found.problem == "PostgreSQL at localhost is of the major version 17, and the estate says 16."
    assert found.hint is not None


def test_a_role_whose_password_is_another_is_a_problem_and_the_password_is_not_told(server: PostgresServer) -> None:
    found = _ask(_of(server, _store(_login(server, "untold"))))
    assert (found.problem or "").startswith("PostgreSQL at localhost refuses the login of postgres (")
    assert "untold" not in repr(found)


def test_a_database_that_is_gone_is_a_problem(server: PostgresServer) -> None:
    found = _ask(_of(server, _store(_login(server))), database="lost")
    assert found.problem == "PostgreSQL at localhost has no database lost."


@pytest.mark.parametrize("value", ["untold", "[]", '{"username": "untold"}'])
def test_a_secret_that_holds_no_login_is_a_problem_and_is_not_told(server: PostgresServer, value: str) -> None:
    secret = _store(value)
    found = _ask(_of(server, secret))
    assert found.problem == f"The secret {secret} does not hold a username and a password."
    assert "untold" not in repr(found)


def test_a_secret_that_is_not_there_is_a_problem(server: PostgresServer) -> None:
    secret = f"arn:aws:secretsmanager:{PRIMARY}:111122223333:secret:none-AbCdEf"
    assert _ask(_of(server, secret)).problem == f"There is no secret {secret}."


def test_each_region_reads_its_own_replica_of_the_secret(server: PostgresServer) -> None:
    here = _store(_login(server))
    with brief_calls():
        found = ask_database(STANDBY, _of(server, here), "smtpy", 17)
    assert found.problem == f"There is no secret {here.replace(PRIMARY, STANDBY)}."


# --- without it -------------------------------------------------------------------------------------------


def test_without_the_secret_the_certificate_is_proved_and_the_server_hears_of_no_login(server: PostgresServer) -> None:
    before = len(server.log)
    with refused("GetSecretValue", "AccessDeniedException"):
        assert _ask(_of(server, _store(_login(server)))) == DatabaseFacts(unproved=NOT_READ)
    server.query("select 'the log is written in order'")
    said = re.findall(r"(?:LOG|FATAL|ERROR|WARNING): +(.*)", server.log[before:])
    assert [line.partition(":")[0] for line in said[: said.index(_first(said, "connection authenticated"))]] == [
        "connection received"
    ] * 2


def _first(lines: list[str], start: str) -> str:
    return next(line for line in lines if line.startswith(start))


def test_an_aws_that_does_not_answer_is_no_refusal(server: PostgresServer) -> None:
    with refused("GetSecretValue", None):
        found = _ask(_of(server, _store(_login(server))))
    assert found == DatabaseFacts(unproved=Unanswered("its secret was not had (EndpointConnectionError)"))


# --- what is found either way -----------------------------------------------------------------------------


@dataclass(frozen=True)
class _Other:
    """A server that is no PostgreSQL: it answers whoever speaks to it with these bytes, or with nothing at all."""

    port: int

    @staticmethod
    @contextmanager
    def answering(answer: bytes | None) -> Iterator["_Other"]:
        done = threading.Event()

        def serve(listening: socket.socket) -> None:
            while not done.is_set():
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection:
                    connection.settimeout(5)
                    connection.recv(64)
                    if answer is None:
                        done.wait(30)
                    else:
                        connection.sendall(answer)

        with socket.create_server(("127.0.0.1", 0)) as listening:
            thread = threading.Thread(target=serve, args=(listening,), daemon=True)
            thread.start()
            yield _Other(listening.getsockname()[1])
            done.set()
            listening.shutdown(socket.SHUT_RDWR)
        thread.join(10)


@contextmanager
def _may_read(may: bool) -> Iterator[None]:
    if may:
        yield
        return
    with refused("GetSecretValue", "AccessDeniedException"):
        yield


with_and_without_login = pytest.mark.parametrize("may_read", [True, False], ids=["with a login", "without"])


@with_and_without_login
def test_a_certificate_of_another_ca_is_a_problem(server: PostgresServer, tmp_path: Path, may_read: bool) -> None:
    other = msgspec.structs.replace(_of(server, _store(_login(server))), ca=CertificateAuthority(tmp_path).pem)
    with _may_read(may_read):
        found = _ask(other)
    assert (found.problem or "").startswith("The certificate of PostgreSQL at localhost does not verify (")
    assert found.hint is not None


@with_and_without_login
def test_a_certificate_for_another_name_is_a_problem(server: PostgresServer, may_read: bool) -> None:
    other = msgspec.structs.replace(_of(server, _store(_login(server))), host="127.0.0.2")
    with _may_read(may_read):
        found = _ask(other)
    assert (found.problem or "").startswith("The certificate of PostgreSQL at 127.0.0.2 does not verify (")


@with_and_without_login
def test_a_port_where_nobody_listens_is_out_of_reach(servers: PostgresServers, may_read: bool) -> None:
    gone = DatabaseServer("127.0.0.1", _store('{"username": "jo", "password": "pw"}'), 1, servers.authority.pem)
    with _may_read(may_read):
        found = _ask(gone)
    assert (found.unreached or "").startswith("PostgreSQL at 127.0.0.1:1 does not answer (")
    assert "refused" in (found.unreached or "")


@with_and_without_login
@pytest.mark.parametrize("answer", [b"N", b"HTTP/1.1 400 Bad Request\r\n\r\n"], ids=["no TLS", "no PostgreSQL"])
def test_a_server_that_speaks_otherwise_is_a_problem_and_not_out_of_reach(
    servers: PostgresServers, answer: bytes, may_read: bool
) -> None:
    with _Other.answering(answer) as other, _may_read(may_read):
        secret = _store('{"username": "jo", "password": "pw"}')
        found = _ask(DatabaseServer("127.0.0.1", secret, other.port, servers.authority.pem))
    assert (found.problem or "").startswith("The certificate of PostgreSQL at 127.0.0.1 does not verify (")


@with_and_without_login
def test_a_server_that_says_nothing_is_out_of_reach_in_time(
    servers: PostgresServers, monkeypatch: pytest.MonkeyPatch, may_read: bool
) -> None:
    monkeypatch.setattr(database_inspection, "_SECONDS", 1.0)
    monkeypatch.setattr("lambdas.adapters.postgres.CONNECT_SECONDS", 2)
    with _Other.answering(None) as other, _may_read(may_read):
        secret = _store('{"username": "jo", "password": "pw"}')
        found = _ask(DatabaseServer("127.0.0.1", secret, other.port, servers.authority.pem))
    assert (found.unreached or "").startswith(f"PostgreSQL at 127.0.0.1:{other.port} does not answer (")


@with_and_without_login
def test_a_host_that_has_no_address_is_out_of_reach(servers: PostgresServers, may_read: bool) -> None:
    secret = _store('{"username": "jo", "password": "pw"}')
    with _may_read(may_read):
        found = _ask(DatabaseServer("nowhere.invalid", secret, 5432, servers.authority.pem))
    assert (found.unreached or "").startswith("PostgreSQL at nowhere.invalid:5432 does not answer (")
