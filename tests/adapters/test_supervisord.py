"""Services stopped and started by a real supervisord, over TLS: what is believed is what its API shows afterwards."""

import contextlib
import json
import socket
import threading
import time
import uuid
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.certificates import CertificateAuthority
from lab.supervisor import Program, Supervisor
from lab.tls_front import tls_front
from lambdas.adapters.service_control import service_control
from lambdas.adapters.supervisord import Supervisord
from lambdas.domain.estate_services import Services
from lambdas.domain.service_errors import (
    ServiceControlRefused,
    ServiceControlUnreachable,
    ServicesNotStarted,
    ServicesNotStopped,
    ServiceUnknown,
)
from tests.servers.aws import PRIMARY, aws
from tests.servers.supervisor import broken, deaf, finished, flickering, missing, steady

PROGRAMS = {
    "api": steady(),
    "smtp-receiver": steady(),
    "workers": steady(numprocs="2", process_name="worker_%(process_num)s"),
    "deaf": deaf(stopwaitsecs=1),
    "deaf-too": deaf(stopwaitsecs=1),
    "deafer": deaf(stopwaitsecs=3),
    "broken": broken(),
    "flickering": flickering(),
    "finished": finished(),
    "missing": missing(),
}


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> CertificateAuthority:
    return CertificateAuthority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def supervisor(authority: CertificateAuthority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Supervisor]:
    folder = tmp_path_factory.mktemp("supervisor")
    supervisor = Supervisor(folder, authority, PROGRAMS, {"PATH": "/usr/bin:/bin"})
    with supervisor.started():
        yield supervisor


def _control(
    supervisor: Supervisor,
    authority: CertificateAuthority,
    password: str | None = None,
    ca: str | None = None,
    stop_seconds: float = 10,
    start_seconds: float = 10,
) -> Supervisord:
    password = supervisor.password if password is None else password
    ca = authority.pem if ca is None else ca
    return Supervisord(supervisor.address, supervisor.username, password, ca, stop_seconds, start_seconds)


@pytest.fixture
def control(supervisor: Supervisor, authority: CertificateAuthority) -> Supervisord:
    return _control(supervisor, authority)


# --- stopping and starting --------------------------------------------------------------------------------


def test_services_are_stopped_and_started_and_each_may_be_asked_for_twice(control: Supervisord) -> None:
    names = ["smtp-receiver", "api"]
    control.start(names)
    assert control.states(names) == {"smtp-receiver": "running", "api": "running"}
    for _ in range(2):
        control.stop(names)
        assert control.states(names) == {"smtp-receiver": "stopped", "api": "stopped"}
    for _ in range(2):
        control.start(names)
        assert control.states(names) == {"smtp-receiver": "running", "api": "running"}


def test_a_service_of_several_processes_is_stopped_and_started_as_one(
    control: Supervisord,
) -> None:
    control.start(["workers"])
    control._call("stopProcess", "workers:worker_0")
    assert control.states(["workers"]) == {"workers": "running, stopped"}
    control.start(["workers"])
    assert control.states(["workers"]) == {"workers": "running"}
    control.stop(["workers"])
    assert control.states(["workers"]) == {"workers": "stopped"}


def test_services_are_stopped_in_the_order_given_one_after_the_other(
    control: Supervisord, supervisor: Supervisor
) -> None:
    control.start(["api"])
    _wait_until_deaf(supervisor, "deaf-too")
    control.stop(["deaf-too", "api"])
    ends = {info["name"]: info["stop"] for info in control._call("getAllProcessInfo")}
    assert ends["deaf-too"] <= ends["api"]
    control.start(["api"])


def test_what_ignores_its_signal_is_stopped_all_the_same(control: Supervisord, supervisor: Supervisor) -> None:
    _wait_until_deaf(supervisor, "deaf")
    control.stop(["deaf"])
    assert control.states(["deaf"]) == {"deaf": "stopped"}


def test_what_does_not_stop_in_time_is_reported_by_its_name(
    supervisor: Supervisor, authority: CertificateAuthority
) -> None:
    _wait_until_deaf(supervisor, "deafer")
    with pytest.raises(ServicesNotStopped, match=r"stopped: deafer \(stopping\), api \(running\), given 0\.5 s\."):
        _control(supervisor, authority, stop_seconds=0.5).stop(["deafer", "api"])


def test_what_is_started_again_by_itself_is_not_taken_for_stopped(control: Supervisord) -> None:
    control.stop(["flickering"])
    deadline = time.monotonic() + 2.5
    while time.monotonic() < deadline:
        assert control.states(["flickering"]) == {"flickering": "stopped"}


def test_what_has_ended_is_stopped_once_supervisord_has_left_it_alone_for_a_while(control: Supervisord) -> None:
    control._call("startProcess", "finished", False)
    began = time.monotonic()
    while (state := control.states(["finished"])["finished"]) == "running":
        assert time.monotonic() - began < 5
    assert state == "starting"
    began = time.monotonic()
    control.stop(["finished"])
    assert time.monotonic() - began > 1.5
    assert control.states(["finished"]) == {"finished": "stopped"}


def test_what_exits_at_once_is_reported_at_once_with_its_name_and_why(control: Supervisord) -> None:
    began = time.monotonic()
    with pytest.raises(
        ServicesNotStarted, match=r"started: broken \(failed: Exited too quickly.*\), given 10 s\.\n"
    ) as caught:
        control.start(["api", "broken"])
    assert "api" not in str(caught.value)
    assert time.monotonic() - began < 8  # its limit is 10 s
    control.stop(["broken"])


def test_what_cannot_be_started_is_reported_with_its_name_and_why(control: Supervisord) -> None:
    with pytest.raises(ServicesNotStarted, match=r"missing \(NO_FILE: .*/nowhere/to-be-found"):
        control.start(["missing"])


def test_what_takes_longer_than_the_limit_to_start_is_reported(tmp_path: Path, authority: CertificateAuthority) -> None:
    slow = Program(["sleep", "600"], {"startsecs": "60", "autostart": "false"})
    with Supervisor(tmp_path, authority, {"slow": slow}, {"PATH": "/usr/bin:/bin"}).started() as supervisor:
        control = _control(supervisor, authority, start_seconds=0.5)
        with pytest.raises(ServicesNotStarted, match=r"started: slow \(starting\), given 0\.5 s\."):
            control.start(["slow"])


def test_a_name_that_is_not_known_is_told_before_anything_is_done(control: Supervisord) -> None:
    control.start(["api"])
    for deed in (control.stop, control.start, control.states):
        with pytest.raises(ServiceUnknown, match=r"has no service apy\.\nNext: .* known there: api, broken, deaf, "):
            deed(["api", "apy"])
    assert control.states(["api"]) == {"api": "running"}


# --- what answers, and whether ----------------------------------------------------------------------------


def test_a_wrong_password_is_refused_and_shown_nowhere(supervisor: Supervisor, authority: CertificateAuthority) -> None:
    with pytest.raises(ServiceControlRefused, match="the user name or the password is wrong") as caught:
        _control(supervisor, authority, password="hunter2-untold").states(["api"])
    shown = f"{caught.value!r} {caught.value.__context__!r}"
    assert "untold" not in shown
    assert b64encode(f"{supervisor.username}:hunter2-untold".encode()).decode() not in shown


def test_a_certificate_that_is_not_trusted_gets_no_password(supervisor: Supervisor, tmp_path: Path) -> None:
    other = CertificateAuthority(tmp_path)
    for ca in (other.pem, ""):
        with pytest.raises(ServiceControlUnreachable, match="its certificate is not signed by the CA in the estate"):
            _control(supervisor, other, ca=ca).stop(["api"])


def test_an_address_without_tls_is_refused() -> None:
    with pytest.raises(ServiceControlRefused, match="its address is not https://"):
        Supervisord("http://127.0.0.1:9001", "mailark", "untold")


def test_a_supervisord_that_is_away_is_unreachable(tmp_path: Path, authority: CertificateAuthority) -> None:
    with Supervisor(tmp_path, authority, {"api": steady()}, {"PATH": "/usr/bin:/bin"}).started() as gone:
        control = _control(gone, authority)
    with pytest.raises(ServiceControlUnreachable, match=r"does not answer \(no connection\)"):
        control.stop(["api"])


def test_a_supervisord_that_is_shutting_down_is_unreachable(tmp_path: Path, authority: CertificateAuthority) -> None:
    programs = {"deaf": deaf(stopwaitsecs=2)}
    with Supervisor(tmp_path, authority, programs, {"PATH": "/usr/bin:/bin"}).started() as ending:
        _wait_until_deaf(ending, "deaf")
        _control(ending, authority)._call("shutdown")
        with pytest.raises(ServiceControlUnreachable, match="it is shutting down"):
            _control(ending, authority).stop(["deaf"])


def test_a_proxy_whose_supervisord_is_away_is_unreachable(tmp_path: Path, authority: CertificateAuthority) -> None:
    with (
        _answering(tmp_path, authority, b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n") as address,
        pytest.raises(ServiceControlUnreachable, match="it answered 502"),
    ):
        Supervisord(address, "mailark", "untold", authority.pem).states(["api"])


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "it answered 404"),
        (b"HTTP/1.1 301 Moved\r\nLocation: https://other/\r\nContent-Length: 0\r\n\r\n", "it answered 301"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n<html></html>", "what answers is not supervisord"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "what answers is not supervisord"),
    ],
)
def test_what_is_not_supervisord_is_refused(
    tmp_path: Path, authority: CertificateAuthority, answer: bytes, problem: str
) -> None:
    with (
        _answering(tmp_path, authority, answer) as address,
        pytest.raises(ServiceControlRefused, match=f"refused getAllProcessInfo: {problem}"),
    ):
        Supervisord(address, "mailark", "untold", authority.pem).states(["api"])


def test_what_never_answers_is_given_up(
    tmp_path: Path, authority: CertificateAuthority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lambdas.adapters.supervisord._CALL_SECONDS", 0.2)
    with (
        _answering(tmp_path, authority, b"") as address,
        pytest.raises(ServiceControlUnreachable, match="answering took too long"),
    ):
        Supervisord(address, "mailark", "untold", authority.pem).states(["api"])


# --- which control ----------------------------------------------------------------------------------------


def _services(address: str, ca: str, secret: str) -> Services:
    health = ["https://api.example.org/health"]
    return Services("supervisord", ["api"], health, address=address, secret=secret, ca=ca)


def _secret(text: str) -> str:
    return str(aws("secretsmanager").create_secret(Name=f"supervisord-{uuid.uuid4()}", SecretString=text)["ARN"])


def test_the_estate_chooses_supervisord_with_the_login_of_its_secret(
    supervisor: Supervisor, authority: CertificateAuthority
) -> None:
    secret = _secret(json.dumps({"username": supervisor.username, "password": supervisor.password}))
    control = service_control(PRIMARY, _services(supervisor.address, authority.pem, secret))
    assert isinstance(control, Supervisord)
    control.start(["api"])
    assert control.states(["api"]) == {"api": "running"}


@pytest.mark.parametrize("text", ["untold", '["untold"]', '{"username": "untold"}', '"untold"'])
def test_a_secret_that_is_no_login_is_refused_and_shown_nowhere(authority: CertificateAuthority, text: str) -> None:
    with pytest.raises(ServiceControlRefused, match="is not JSON with username and password") as caught:
        service_control(PRIMARY, _services("https://127.0.0.1:9", authority.pem, _secret(text)))
    assert "untold" not in f"{caught.value!r} {caught.value.__cause__!r}"


# --- helpers ----------------------------------------------------------------------------------------------


def _wait_until_deaf(supervisor: Supervisor, name: str) -> None:
    """Wait until a program that was started once ignores its signal: it says so."""
    deadline = time.monotonic() + 10
    while "deaf" not in supervisor.log_of(name):
        assert time.monotonic() < deadline
        time.sleep(0.05)


@contextlib.contextmanager
def _answering(folder: Path, authority: CertificateAuthority, answer: bytes) -> Iterator[str]:
    """A server behind TLS that gives one answer to whatever is asked; without one it is silent."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(10)

        def serve() -> None:
            with contextlib.suppress(OSError):
                connection, _ = listening.accept()
                with connection:
                    connection.recv(65536)
                    if answer:
                        connection.sendall(answer)
                    while connection.recv(65536):
                        pass

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        with tls_front(authority.issue("other"), listening.getsockname()[1]) as port:
            yield f"https://127.0.0.1:{port}"
        thread.join(10)
