"""The lab's Mailu, which tenants share: each has a mailbox there, and each line of its log finds its tenant."""

import secrets
import smtplib

import pytest

from lab.aws import ROOT
from lab.certificates import CertificateAuthority
from lab.estate import add_mail_servers
from lab.mail_servers import MailServers
from lab.tenants import Tenant, make_tenants
from lambdas.adapters.mail_logins import log_in
from lambdas.adapters.mail_tls import tls_context
from lambdas.adapters.mailu import MailuApi
from lambdas.domain.estate import parse_estate
from lambdas.domain.estate_credentials import MailuServers
from lambdas.domain.mail_login import Verdict, Way
from tests.lab.conftest import Lines


@pytest.fixture(scope="module")
def tenants(mail: MailServers) -> list[Tenant]:
    return mail.take_in(make_tenants(3))


def _streams(lines: Lines, text: str) -> set[str]:
    return {stream for stream, line in lines if text in line}


def test_each_tenant_gets_in_by_every_way_and_with_no_other_password(mail: MailServers, tenants: list[Tenant]) -> None:
    for tenant, other in zip(tenants, reversed(tenants), strict=True):
        for way in Way:
            assert log_in(mail.reached, way, tenant.email, tenant.password).verdict is Verdict.ACCEPTED
            if other is not tenant:
                assert log_in(mail.reached, way, tenant.email, other.password).verdict is Verdict.REFUSED


def test_its_api_takes_the_token_of_the_mailbox(mail: MailServers, tenants: list[Tenant]) -> None:
    mailbox = tenants[0].mailbox
    assert mailbox is not None
    assert mailbox.address == mail.address
    api = MailuApi(mail.reached, mailbox.api_token)
    try:
        assert api.enabled_user(tenants[0].email).email == tenants[0].email
    finally:
        api.close()


def test_the_contacts_of_some_are_kept(mail: MailServers, tenants: list[Tenant]) -> None:
    one, other = mail.take_in(tenants[:2], {tenants[1].id: ["owner@contact.example.net"]})
    assert (one.contacts, other.contacts) == ((), ("owner@contact.example.net",))


def test_a_domain_has_one_tenant(mail: MailServers, tenants: list[Tenant]) -> None:
    with pytest.raises(ValueError, match=f"{tenants[0].domain} is another tenant's"):
        mail.take_in(make_tenants(1, seed=2))
    (late,) = mail.take_in(make_tenants(1, seed=2, first=7))
    assert log_in(mail.reached, Way.IMAP, late.email, late.password).is_right
    assert log_in(mail.reached, Way.IMAP, tenants[0].email, tenants[0].password).is_right


def test_a_line_goes_to_the_stream_of_its_tenant_and_of_the_container_that_wrote_it(
    mail: MailServers, tenants: list[Tenant], lines: Lines
) -> None:
    tenant = tenants[1]
    log_in(mail.reached, Way.IMAP, tenant.email.upper(), tenant.password)
    log_in(mail.reached, Way.SSO, f"nobody@{tenant.domain}", "wrong")
    _send(mail, tenant)
    assert _streams(lines, f"Login attempt for: {tenant.email}/imap/993 from: 127.0.0.1/") == {f"{tenant.id}/admin"}
    assert _streams(lines, f"Login attempt for: nobody@{tenant.domain}/sso/https") == {f"{tenant.id}/admin"}
    assert _streams(lines, f"imap-login: Info: Login: user=<{tenant.email}>") == {f"{tenant.id}/imap"}
    assert _streams(lines, f"sasl_username={tenant.email}") == {f"{tenant.id}/smtp"}
    assert not any(tenant.password in line for _, line in lines)


def test_a_line_that_names_no_tenant_is_its_server_s(mail: MailServers, lines: Lines) -> None:
    log_in(mail.reached, Way.IMAP, "somebody@elsewhere.example.com", "wrong")
    assert _streams(lines, "somebody@elsewhere.example.com") == {"server/admin"}
    api = MailuApi(mail.reached, mail.server.api.token)
    try:
        api.users()
    finally:
        api.close()
    assert _streams(lines, "Valid API token provided by 127.0.0.1") == {"server/admin"}


def test_a_client_is_seen_as_one_from_elsewhere(mail: MailServers, tenants: list[Tenant], lines: Lines) -> None:
    source = mail.seen_from("203.0.113.9")
    assert mail.seen_from("198.51.100.9") != source
    assert mail.seen_from("203.0.113.9") == source
    smtp = smtplib.SMTP_SSL(
        "localhost",
        mail.reached.smtps_port,
        timeout=10,
        context=tls_context(mail.reached.ca),
        source_address=(source, 0),
    )
    with smtp:
        smtp.login(tenants[2].email, tenants[2].password)
    assert _streams(lines, "from: 203.0.113.9/") == {f"{tenants[2].id}/admin"}


def test_who_is_locked_out_is_let_in_again(mail: MailServers, tenants: list[Tenant]) -> None:
    for _ in range(6):
        log_in(mail.reached, Way.IMAP, f"{secrets.token_hex(4)}@elsewhere.example.com", "wrong")
    locked = log_in(mail.reached, Way.SSO, tenants[0].email, tenants[0].password)
    mail.forget_limits()
    assert locked.verdict is Verdict.RATE_LIMITED
    assert log_in(mail.reached, Way.SSO, tenants[0].email, tenants[0].password).is_right


def test_the_estate_says_where_it_is(
    mail: MailServers, authority: CertificateAuthority, tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = tmp_path_factory.mktemp("estate") / "estate.yaml"
    file.write_text((ROOT / "estate.yaml").read_text())
    before = parse_estate(file.read_text()).credentials
    add_mail_servers(file, mail.estate())
    found = parse_estate(file.read_text()).credentials
    assert before is not None
    assert found is not None
    assert found.notices_from == before.notices_from
    reached = mail.reached
    assert found.mailu == MailuServers(authority.pem, reached.imap_port, reached.smtps_port, reached.submission_port)


def _send(mail: MailServers, tenant: Tenant) -> None:
    """Hand in a mail on 587."""
    with smtplib.SMTP("localhost", mail.reached.submission_port, timeout=10) as smtp:
        smtp.starttls(context=tls_context(mail.reached.ca))
        smtp.login(tenant.email, tenant.password)
        smtp.sendmail(tenant.email, ["friend@example.net"], "Subject: hello\r\n\r\nhello\r\n")
