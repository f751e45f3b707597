"""Mailu servers in a process of their own: each with its state and ports, broken and looked into from outside."""

import imaplib
import ssl
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
import urllib3

from lab.certificates import CertificateAuthority
from lab.mailu.process import MailuProcess
from lab.mailu.seed import SEED, SeedServer, SeedUser

USERS = [SeedUser(f"admin@tenant-{number}.example.org", f"password-{number}", global_admin=True) for number in (0, 1)]
SEEDS = [SeedServer(f"token-{number}", [user]) for number, user in enumerate(USERS)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mailu")


@pytest.fixture(scope="module")
def authority(folder: Path) -> CertificateAuthority:
    return CertificateAuthority(folder)


@pytest.fixture(scope="module")
def process(folder: Path, authority: CertificateAuthority) -> Iterator[MailuProcess]:
    with MailuProcess(folder, authority, SEEDS).started() as process:
        yield process


@pytest.fixture(scope="module")
def tls(authority: CertificateAuthority) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=authority.pem)


def _users(process: MailuProcess, tls: ssl.SSLContext, server: int) -> urllib3.BaseHTTPResponse:
    headers = {"Authorization": f"Bearer token-{server}"}
    with urllib3.PoolManager(ssl_context=tls, retries=False, timeout=10) as pool:
        return pool.request("GET", f"{process.address(server)}/api/v1/user", headers=headers)


def test_each_server_has_its_own_users_and_token(process: MailuProcess, tls: ssl.SSLContext) -> None:
    for number, user in enumerate(USERS):
        listed = _users(process, tls, number).json()
        assert [(each["email"], each["global_admin"]) for each in listed] == [(user.email, True)]


def test_a_fault_of_one_server_is_no_fault_of_another(process: MailuProcess, tls: ssl.SSLContext) -> None:
    process.break_(0, limited=True)
    assert [_users(process, tls, number).status for number in (0, 1)] == [429, 200]
    process.break_(0, limited=False)
    assert _users(process, tls, 0).status == 200


def test_a_fault_that_there_is_not_is_refused(process: MailuProcess) -> None:
    with pytest.raises(RuntimeError, match="answered 400"):
        process.break_(0, slow="very")


def test_open_connections_are_seen_and_cut(process: MailuProcess, tls: ssl.SSLContext) -> None:
    connection = imaplib.IMAP4_SSL("localhost", process.ports[1].imaps, ssl_context=tls, timeout=10)
    try:
        connection.login(USERS[1].email, USERS[1].password)
        assert process.connections(1) == [USERS[1].email]
        assert process.cut("somebody.else@example.org", server=1) == 0
        assert process.cut(USERS[1].email, server=1) == 1
        with pytest.raises(imaplib.IMAP4.abort):
            connection.noop()
    finally:
        connection.shutdown()
    assert f"Login attempt for: {USERS[1].email}/imap/993" in process.log(1)


def test_clients_can_be_seen_as_from_elsewhere_and_lock_outs_be_forgotten(
    process: MailuProcess, tls: ssl.SSLContext
) -> None:
    process.see_as("127.0.0.1", "203.0.113.77", server=1)
    with urllib3.PoolManager(ssl_context=tls, retries=False, timeout=10) as pool:
        wrong = {"Authorization": "Bearer wrong"}
        statuses = [pool.request("GET", f"{process.address(1)}/api/v1/user", headers=wrong).status for _ in range(6)]
    assert statuses == [403] * 5 + [429]
    assert "Authentication attempt from 203.0.113.77 has been rate-limited." in process.log(1)
    assert _users(process, tls, 1).status == 429
    process.forget_limits(1)
    assert _users(process, tls, 1).status == 200


def test_a_server_goes_down_and_comes_up_on_the_same_ports(process: MailuProcess, tls: ssl.SSLContext) -> None:
    process.down(0)
    with pytest.raises(urllib3.exceptions.NewConnectionError):
        _users(process, tls, 0)
    process.up(0)
    assert _users(process, tls, 0).status == 200


def test_the_file_with_the_passwords_is_for_its_owner_alone(process: MailuProcess, folder: Path) -> None:
    assert stat.S_IMODE((folder / SEED).stat().st_mode) == 0o600
