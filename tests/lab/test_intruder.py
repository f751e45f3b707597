"""The lab's intruder: digs in with a leaked password alone, and a new password alone does not get rid of it."""

import imaplib
import re
from collections.abc import Iterator

import pytest

from lab.intruder import NETWORKS, Intruder
from lab.mail_servers import MailServers
from lab.tenants import Tenant, make_tenants
from lambdas.adapters.mailu import MailuApi
from tests.lab.conftest import Lines

LEFT = "collector@evil.example.com"


@pytest.fixture(scope="module")
def tenants(mail: MailServers) -> Iterator[Tenant]:
    return iter(mail.take_in(make_tenants(4)))


@pytest.fixture
def tenant(tenants: Iterator[Tenant]) -> Tenant:
    """One for each test."""
    return next(tenants)


@pytest.fixture
def api(mail: MailServers) -> Iterator[MailuApi]:
    api = MailuApi(mail.reached, mail.server.api.token)
    yield api
    api.close()


def test_the_log_shows_logins_from_every_network(mail: MailServers, tenant: Tenant, lines: Lines) -> None:
    with Intruder.at_work(mail, tenant.email, tenant.password) as intruder:
        intruder.dig_in(LEFT)
    told = [line for stream, line in lines if stream == f"{tenant.id}/admin" and "success: password" in line]
    found = (re.search(rf"{tenant.email}/\w+/\w+ from: ([0-9.]+)/", line) for line in told)
    assert {match[1] for match in found if match} == set(NETWORKS)
    assert len({address.rpartition(".")[0] for address in NETWORKS}) == len(NETWORKS)


def test_what_it_leaves_is_a_token_a_forward_and_an_open_connection(
    mail: MailServers, tenant: Tenant, api: MailuApi
) -> None:
    with Intruder.at_work(mail, tenant.email, tenant.password) as intruder:
        assert intruder.still_works() == ["the password by sso", "the password by imap", "the password by smtps"]
        intruder.dig_in(LEFT)
        assert [token.comment for token in api.tokens(tenant.email)] == ["Phone"]
        assert api.user(tenant.email).forwards == (LEFT,)
        assert tenant.email in mail.server.imap.open.values()
        assert len(intruder.still_works()) == 5


def test_a_new_password_alone_leaves_it_two_ways_in(mail: MailServers, tenant: Tenant, api: MailuApi) -> None:
    with Intruder.at_work(mail, tenant.email, tenant.password) as intruder:
        intruder.dig_in(LEFT)
        api.set_password(tenant.email, "another")
        assert intruder.still_works() == ["the app token", "the open connection"]
        for token in api.tokens(tenant.email):
            api.delete_token(token.id)
        assert intruder.still_works() == ["the open connection"]
        mail.host.cut(mail.server, tenant.email)
        assert intruder.still_works() == []
        with pytest.raises(ValueError, match="takes nothing from this session"):
            intruder.make_app_token()


def test_a_password_that_is_dead_lets_it_in_nowhere(mail: MailServers, tenant: Tenant) -> None:
    with Intruder.at_work(mail, tenant.email, "not the password") as intruder:
        assert intruder.still_works() == []
        with pytest.raises(ValueError, match="does not let"):
            intruder.dig_in(LEFT)
        with pytest.raises(imaplib.IMAP4.error):
            intruder.keep_connection()
