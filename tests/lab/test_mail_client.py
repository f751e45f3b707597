"""The lab's client of a mail server: never locked out by a rotation, and honest when it is."""

import secrets
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from lab.certificates import CertificateAuthority
from lab.mail_client import PATIENCE, MailClient
from lab.mail_servers import MailServers
from lab.mailu.running import broken
from lab.tenants import Platform, Tenant, make_tenants
from lambdas.adapters.mailu import MailuApi
from lambdas.domain.mail_login import Way
from tests.lab.waiting import until


@pytest.fixture(scope="module")
def mail(tmp_path_factory: pytest.TempPathFactory, authority: CertificateAuthority) -> Iterator[MailServers]:
    with MailServers.started(tmp_path_factory.mktemp("mail-servers"), authority, lambda _stream, _line: None) as mail:
        yield mail


@pytest.fixture
def tenant(mail: MailServers, platform: Platform) -> Tenant:
    """Somebody new, whose credential works."""
    made = make_tenants(1, seed=secrets.randbits(32), first=secrets.randbits(32))
    (tenant,) = platform.store(mail.take_in(made))
    return tenant


@pytest.fixture
def api(mail: MailServers) -> Iterator[MailuApi]:
    api = MailuApi(mail.reached, mail.server.api.token)
    yield api
    api.close()


def _client(mail: MailServers, platform: Platform, tenant: Tenant, way: Way = Way.IMAP) -> MailClient:
    return MailClient(mail.reached, tenant.email, lambda: platform.password(tenant), way)


@pytest.mark.parametrize("way", [Way.IMAP, Way.SMTPS, Way.SUBMISSION])
def test_it_follows_a_password_that_changes_at_the_server_and_then_in_vault(
    mail: MailServers, platform: Platform, tenant: Tenant, api: MailuApi, way: Way
) -> None:
    with _client(mail, platform, tenant, way).running() as client:
        for password in ("second", "third"):
            changed = replace(tenant, password=password)
            until(lambda: client.used and client.used[-1] == platform.password(tenant), "it uses the newest", 10)
            api.set_password(tenant.email, password)
            assert list(platform.store([changed])) == [changed]
        until(lambda: client.used[-1] == "third", "it uses the last", 10)
    assert client.failures == []
    assert client.used[0] == tenant.password
    assert client.retries == 2
    assert client.logins >= 3


def test_it_logs_in_ten_times_a_second(mail: MailServers, platform: Platform, tenant: Tenant) -> None:
    with _client(mail, platform, tenant).running() as client:
        until(lambda: client.logins >= 20, "twenty logins", 20)
    assert client.failures == []
    assert set(client.used) == {tenant.password}


def test_a_password_that_vault_is_not_told_is_a_failure_after_a_second(
    mail: MailServers, platform: Platform, tenant: Tenant, api: MailuApi
) -> None:
    with _client(mail, platform, tenant).running() as client:
        until(lambda: client.logins, "a login", 10)
        api.set_password(tenant.email, "told to nobody")
        until(lambda: client.failures, "a failure", 10)
    assert float(client.failures[0].split()[-2]) >= PATIENCE


def test_a_server_that_refuses_everybody_is_a_failure_too(
    mail: MailServers, platform: Platform, tenant: Tenant
) -> None:
    for fault in ({"limited": True}, {"no_verdict": True}, {"wrong_certificate": True}):
        with broken(mail.server, **fault), _client(mail, platform, tenant).running() as client:
            until(_failures_of(client), "a failure", 10)


def test_a_vault_that_does_not_answer_is_a_failure_and_no_end(mail: MailServers, tenant: Tenant) -> None:
    def away() -> str:
        raise ConnectionError

    with MailClient(mail.reached, tenant.email, away).running() as client:
        until(lambda: len(client.failures) >= 2, "two failures", 10)


def _failures_of(client: MailClient) -> Callable[[], list[str]]:
    return lambda: client.failures
