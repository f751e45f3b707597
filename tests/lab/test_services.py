"""The lab's services: real programs on a real database, run by a real supervisord, and true to what they answer."""

import contextlib
import os
import signal
import smtplib
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import requests
from psycopg.conninfo import make_conninfo

from lab.aws import ROOT
from lab.forwarding_service import ALEMBIC_REVISION, DATABASE, SERVICE, grant_to_service, load
from lab.postgres import PostgresServer
from lab.processes import LOOPBACK
from lab.services import NAMES, LabServices
from lambdas.adapters.service_health import prove_healthy
from lambdas.adapters.supervisord import Supervisord
from lambdas.domain.service_errors import ServicesUnhealthy
from tests.lab.waiting import until
from tests.servers.postgres import PostgresServers

PASSWORD = "the-service-password-untold"
MAIL = b"From: someone@example.net\r\nSubject: Gr\xc3\xbc\xc3\x9fe\r\n\r\nHello.\r\n"


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """A server with the service's database, which a test may stop and start."""
    servers = PostgresServers(tmp_path_factory.mktemp("postgres"))
    server = servers.start()
    server.create_database(DATABASE)
    with server.connect(DATABASE) as connection:
        load(connection, megabytes=0.5)
        grant_to_service(connection, PASSWORD)
    yield server
    servers.stop()


@pytest.fixture(scope="module")
def services(database: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabServices]:
    dsn = make_conninfo(database.connection_string(DATABASE, SERVICE), password=PASSWORD)
    with LabServices(tmp_path_factory.mktemp("services"), database.authority, dsn).started() as services:
        yield services


@pytest.fixture
def control(services: LabServices, database: PostgresServer) -> Supervisord:
    """The control of the services, which all run and work."""
    control = Supervisord(services.address, services.username, services.password, database.authority.pem)
    control.start(NAMES)
    prove_healthy(services.health_urls, seconds=20, pause=0.1)
    until(lambda: _takes_mail(services), "smtp-receiver takes mail")
    return control


def _alias(database: PostgresServer, is_active: bool = True) -> str:
    statement = (
        "SELECT a.local_part || '@' || d.name FROM aliases a JOIN domains d ON d.id = a.domain_id"
        " WHERE a.is_active = %s ORDER BY a.id LIMIT 1"
    )
    ((address,),) = database.query(statement, DATABASE, [is_active])
    return str(address)


def _takes_mail(services: LabServices) -> bool:
    with contextlib.suppress(OSError), smtplib.SMTP(LOOPBACK, services.smtp_port, timeout=10) as smtp:
        return smtp.noop()[0] == 250
    return False


def _send(services: LabServices, recipient: str) -> tuple[int, bytes]:
    """Send a mail; gives the answer to its content."""
    with smtplib.SMTP(LOOPBACK, services.smtp_port, timeout=10) as smtp:
        smtp.ehlo()
        smtp.mail("someone@example.net")
        smtp.rcpt(recipient)
        return smtp.data(MAIL)


@contextlib.contextmanager
def _without(database: PostgresServer) -> Iterator[None]:
    database.stop()
    try:
        yield
    finally:
        database.start()
        database.wait_until_ready()


def test_the_api_is_healthy_when_the_services_own_role_can_ask_the_database(
    services: LabServices, control: Supervisord
) -> None:
    (url,) = services.health_urls
    answer = requests.get(url, timeout=10)
    assert (answer.status_code, answer.json()) == (200, {"status": "ok", "revision": ALEMBIC_REVISION})


def test_the_api_is_unhealthy_while_the_database_is_away_and_healthy_after(
    services: LabServices, control: Supervisord, database: PostgresServer
) -> None:
    with _without(database), pytest.raises(ServicesUnhealthy, match="answered 503"):
        prove_healthy(services.health_urls, seconds=0)
    prove_healthy(services.health_urls, seconds=10, pause=0.1)
    assert "ERROR health: the database does not answer" in services.log_of("api")


def test_the_api_is_unhealthy_when_its_role_lost_its_right(
    services: LabServices, control: Supervisord, database: PostgresServer
) -> None:
    database.query("REVOKE SELECT ON alembic_version FROM smtpy", DATABASE)
    with pytest.raises(ServicesUnhealthy, match="answered 503"):
        prove_healthy(services.health_urls, seconds=0)
    database.query("GRANT SELECT ON alembic_version TO smtpy", DATABASE)
    prove_healthy(services.health_urls, seconds=10, pause=0.1)


def test_a_mail_to_an_alias_becomes_a_message(
    services: LabServices, control: Supervisord, database: PostgresServer
) -> None:
    alias = _alias(database)
    assert _send(services, alias)[0] == 250
    newest = "SELECT recipient, subject, body, size_bytes, status FROM messages ORDER BY id DESC LIMIT 1"
    ((recipient, subject, body, size, status),) = database.query(newest, DATABASE)
    assert (recipient, subject, body.strip(), size, status) == (alias, "Grüße", "Hello.", len(MAIL), "pending")


def test_a_mail_to_nobody_is_refused_for_good(
    services: LabServices, control: Supervisord, database: PostgresServer
) -> None:
    assert _send(services, "nobody@example.org")[0] == 550
    assert _send(services, _alias(database, is_active=False))[0] == 550


def test_a_mail_that_cannot_be_stored_is_refused_for_now_and_logged(
    services: LabServices, control: Supervisord, database: PostgresServer
) -> None:
    alias = _alias(database)
    with _without(database):
        assert _send(services, alias)[0] == 451
    assert "ERROR a mail could not be stored" in services.log_of("smtp-receiver")


def test_stopped_services_take_no_mail_answer_nobody_and_hold_no_connection(
    services: LabServices, control: Supervisord, database: PostgresServer
) -> None:
    control.stop(NAMES)
    with pytest.raises(ConnectionRefusedError):
        _send(services, "nobody@example.org")
    with pytest.raises(ServicesUnhealthy, match="gives no connection"):
        prove_healthy(services.health_urls, seconds=0)
    assert database.query("SELECT pid FROM pg_stat_activity WHERE usename = 'smtpy'") == []
    control.start(NAMES)
    prove_healthy(services.health_urls, seconds=20, pause=0.1)


def test_no_password_stands_in_a_file_a_command_line_or_a_log(services: LabServices, control: Supervisord) -> None:
    folder = services.folder
    texts = [file.read_text(errors="replace") for file in folder.rglob("*") if file.is_file()]
    assert len(texts) >= 4
    commands = [" ".join(process.cmdline()) for process in psutil.Process().children(recursive=True)]
    assert any("lab.forwarding_api" in command for command in commands)
    for text in [*texts, *commands]:
        assert PASSWORD not in text
        assert services.password not in text


def test_no_program_outlives_a_lab_that_is_killed(tmp_path: Path) -> None:
    script = textwrap.dedent("""
        import sys, time
        from pathlib import Path
        from lab.certificates import CertificateAuthority
        from lab.services import LabServices
        folder = Path(sys.argv[1])
        with LabServices(folder, CertificateAuthority(folder), "host=127.0.0.1 port=1").started():
            print("started", flush=True)
            time.sleep(60)
    """)
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], env=environment, stdout=subprocess.PIPE, text=True
    ) as lab:
        assert lab.stdout is not None
        assert lab.stdout.readline() == "started\n"
        children = until(lambda: _programs(lab.pid), "both programs run")
        lab.send_signal(signal.SIGKILL)
    until(lambda: not any(_lives(child) for child in children), "all have ended")


def _programs(lab: int) -> list[psutil.Process]:
    """supervisord and both programs; none as long as one of them is not itself yet."""
    children = psutil.Process(lab).children(recursive=True)
    modules = [child for child in children if child.cmdline()[1:2] == ["-m"]]
    return children if len(modules) == len(NAMES) else []


def _lives(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
