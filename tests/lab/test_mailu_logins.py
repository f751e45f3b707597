"""The stand-in's logins by web, IMAP and SMTP, with real clients; and what Mailu would have logged of them."""

import imaplib
import re
import smtplib
import ssl
from collections.abc import Callable, Iterator

import pytest
import urllib3

from lab.mailu.running import broken
from tests.lab.waiting import until
from tests.servers.mailu import Mailu, Mailus, mailus


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mailus]:
    with mailus(tmp_path_factory.mktemp("mailu")) as servers:
        yield servers


@pytest.fixture(scope="module")
def mailu(servers: Mailus) -> Mailu:
    return servers.start()


# --- the web ----------------------------------------------------------------------------------------------


def test_the_right_password_leads_inside_and_a_forced_change_leads_to_its_page(mailu: Mailu) -> None:
    user, password = mailu.add_user()
    answer = mailu.log_in(user.email, password)
    assert (answer.status, answer.headers["Location"]) == (302, "/admin")
    user.change_pw_next_login = True
    answer = mailu.log_in(user.email, password)
    assert (answer.status, answer.headers["Location"]) == (302, "/sso/pw_change")


def test_the_wrong_password_shows_the_page_again(mailu: Mailu) -> None:
    user, _ = mailu.add_user()
    for email in (user.email, "nobody@example.org"):
        answer = mailu.log_in(email, "wrong", address="203.0.113.1")
        assert answer.status == 200
        assert b"Wrong e-mail or password" in answer.data


def test_a_disabled_user_is_refused_everywhere(mailu: Mailu) -> None:
    user, password = mailu.add_user(enabled=False)
    assert b"Wrong e-mail or password" in mailu.log_in(user.email, password).data
    with pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"):
        mailu.imap(user.email, password)
    assert mailu.smtp(user.email, password) == 535


def test_an_app_token_does_not_open_the_web(mailu: Mailu) -> None:
    user, _ = mailu.add_user()
    _, secret = mailu.server.state.add_token(user.email, None, [])
    assert b"Wrong e-mail or password" in mailu.log_in(user.email, secret).data


def test_too_many_unknown_users_shut_a_network_out_of_the_web_imap_smtp_and_the_api(servers: Mailus) -> None:
    mailu = servers.start()
    user, password = mailu.add_user()
    for number in range(5):
        mailu.log_in(f"nobody-{number}@example.org", "wrong")
    answer = mailu.log_in(user.email, password)
    assert answer.status == 200
    assert b"Too many attempts from your IP (rate-limit)" in answer.data
    with pytest.raises(imaplib.IMAP4.error, match="LIMIT"):
        mailu.imap(user.email, password)
    assert mailu.smtp(user.email, password) == 451
    assert mailu.api("GET", "/user").status == 429


def test_the_same_unknown_user_and_the_same_wrong_password_count_once(servers: Mailus) -> None:
    mailu = servers.start()
    user, password = mailu.add_user()
    for _ in range(60):
        mailu.log_in(user.email, "the old one")
    for _ in range(6):
        mailu.log_in("nobody@example.org", "wrong")
    assert mailu.log_in(user.email, password).status == 302


def test_fifty_wrong_passwords_shut_a_user_out(servers: Mailus) -> None:
    mailu = servers.start()
    user, password = mailu.add_user()
    for number in range(50):
        mailu.log_in(user.email, f"guess {number}")
    assert b"Too many attempts for this user (rate-limit)" in mailu.log_in(user.email, password).data
    with pytest.raises(imaplib.IMAP4.error, match="LIMIT"):
        mailu.imap(user.email, password)
    other, others_password = mailu.add_user()
    assert mailu.log_in(other.email, others_password).status == 302


def test_an_address_that_has_logged_in_by_mail_may_be_let_off_as_mailu_does(servers: Mailus) -> None:
    mailu = servers.start()
    mailu.server.limits.exempts = True
    user, password = mailu.add_user()
    mailu.imap(user.email, password).logout()
    for _ in range(9):
        mailu.api("GET", "/user", token="wrong")
    assert mailu.api("GET", "/user").status == 200


# --- IMAP -------------------------------------------------------------------------------------------------


def test_open_imap_connections_survive_a_new_password_idle_and_can_be_cut(mailu: Mailu) -> None:
    user, password = mailu.add_user()
    connection = mailu.imap(user.email, password)
    connection.select()
    assert mailu.api("PATCH", f"/user/{user.email}", {"raw_password": "a-new-one"}).status == 200
    assert connection.noop()[0] == "OK"
    _idle(connection)
    with pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"):
        mailu.imap(user.email, password)
    assert mailu.host.cut(mailu.server, user.email) == 1
    with pytest.raises(imaplib.IMAP4.abort):
        connection.noop()


def test_a_cut_ends_the_connections_of_one_user_alone(mailu: Mailu) -> None:
    (one, password), (other, others_password) = mailu.add_user(), mailu.add_user()
    gone, stays = mailu.imap(one.email, password), mailu.imap(other.email, others_password)
    assert mailu.host.cut(mailu.server, one.email) == 1
    assert stays.noop()[0] == "OK"
    with pytest.raises(imaplib.IMAP4.abort):
        gone.noop()
    stays.logout()
    until(lambda: other.email not in mailu.server.imap.open.values(), "the connection is gone")


def test_imap_can_be_switched_off_for_a_user_while_smtp_goes_on(mailu: Mailu) -> None:
    user, password = mailu.add_user(enable_imap=False)
    with pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"):
        mailu.imap(user.email, password)
    assert mailu.smtp(user.email, password) == 235


def test_a_forced_change_stops_nobody_at_imap_and_smtp(mailu: Mailu) -> None:
    user, password = mailu.add_user(change_pw_next_login=True)
    mailu.imap(user.email, password).logout()
    assert mailu.smtp(user.email, password) == 235


def test_the_plain_login_command_works_too(mailu: Mailu) -> None:
    user, password = mailu.add_user()
    with imaplib.IMAP4_SSL("localhost", mailu.server.ports.imaps, ssl_context=mailu.tls, timeout=10) as connection:
        assert connection.login(user.email, password)[0] == "OK"


# --- SMTP -------------------------------------------------------------------------------------------------


def test_both_ports_of_submission_take_a_login_and_587_only_with_tls(mailu: Mailu) -> None:
    user, password = mailu.add_user()
    assert mailu.smtp(user.email, password) == 235
    assert mailu.smtp(user.email, password, mailu.server.ports.submission) == 235
    with smtplib.SMTP("localhost", mailu.server.ports.submission, timeout=10, local_hostname="test") as bare:
        bare.ehlo()
        assert "auth" not in bare.esmtp_features


def test_a_mail_is_taken_from_its_sender_alone(mailu: Mailu) -> None:
    user, password = mailu.add_user()
    ports = mailu.server.ports
    with smtplib.SMTP_SSL("localhost", ports.smtps, context=mailu.tls, timeout=10, local_hostname="test") as smtp:
        smtp.ehlo()
        assert smtp.mail(user.email)[0] == 530
        smtp.login(user.email, password)
        assert smtp.mail("somebody.else@example.net")[0] == 553
        assert smtp.sendmail(user.email, ["x@example.net"], b"Subject: hello\r\n\r\nhello\r\n") == {}
    assert len(mailu.logged(f"sasl_username={user.email}")) == 1


# --- the log ----------------------------------------------------------------------------------------------


def test_every_login_has_its_line_with_the_address_it_came_from_and_no_password(mailu: Mailu) -> None:
    user, password = mailu.add_user()
    _, secret = mailu.server.state.add_token(user.email, "phone", [])
    mailu.log_in(user.email, password, address="198.51.100.7")
    mailu.log_in(user.email, "a-wrong-one", address="198.51.100.7")
    mailu.imap(user.email, password).logout()
    mailu.server.seen_as["127.0.9.9"] = "198.51.100.8"
    mailu.smtp(user.email, secret, source="127.0.9.9")
    mailu.smtp(user.email, "another-wrong-one")
    bad = r"failed: badauth: [0-9a-f]{6}"
    when, at = r"\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}\]", re.escape(user.email)
    expected = [
        rf"{when} INFO in base: Login attempt for: {at}/sso/https from: 198\.51\.100\.7/\d+: success: password: -1",
        rf"{when} INFO in base: Login attempt for: {at}/sso/https from: 198\.51\.100\.7/\d+: {bad}",
        rf"{when} INFO in nginx: Login attempt for: {at}/imap/993 from: 127\.0\.0\.1/\d+: success: password",
        rf"\w\w\w \d\d \d\d:\d\d:\d\d imap-login: Info: Login: user=<{at}>, method=PLAIN, rip=127\.0\.0\.1, .*",
        rf"{when} INFO in nginx: Login attempt for: {at}/submission/465 from: 198\.51\.100\.8/\d+: "
        r"success: token-\d+: 'phone'",
        rf"{when} INFO in nginx: Login attempt for: {at}/submission/465 from: .*: {bad}",
    ]
    lines = mailu.logged(user.email)
    assert len(lines) == len(expected)
    for line, pattern in zip(lines, expected, strict=True):
        assert re.fullmatch(pattern, line), line
    assert not [line for line in mailu.log if password in line or secret in line or "wrong-one" in line]


def test_wrong_tokens_and_lock_outs_are_logged_with_their_address(servers: Mailus) -> None:
    mailu = servers.start()
    for _ in range(6):
        mailu.api("GET", "/user", token="wrong", address="203.0.113.5")
    assert len(mailu.logged("WARNING in common: Invalid API token provided by 203.0.113.5.")) == 5
    limited = "WARNING in limiter: Authentication attempt from 203.0.113.5 has been rate-limited."
    assert len(mailu.logged(limited)) == 1


# --- made to go wrong -------------------------------------------------------------------------------------


def test_a_server_that_is_down_refuses_connections_and_comes_back_on_the_same_ports(servers: Mailus) -> None:
    mailu = servers.start()
    user, password = mailu.add_user()
    connection = mailu.imap(user.email, password)
    with mailu.host.down(mailu.server):
        with pytest.raises(imaplib.IMAP4.abort):
            connection.noop()
        with pytest.raises(OSError, match="refused"):
            mailu.imap(user.email, password)
        with pytest.raises(OSError, match="refused"):
            mailu.smtp(user.email, password)
        with pytest.raises(urllib3.exceptions.NewConnectionError):
            mailu.api("GET", "/user")
    assert mailu.log_in(user.email, password).status == 302
    mailu.imap(user.email, password).logout()


def test_a_wrong_certificate_is_shown_on_every_port(mailu: Mailu) -> None:
    user, password = mailu.add_user()
    submission = mailu.server.ports.submission
    attempts: list[Callable[[], object]] = [
        lambda: mailu.imap(user.email, password),
        lambda: mailu.smtp(user.email, password),
        lambda: mailu.smtp(user.email, password, submission),
    ]
    with broken(mailu.server, wrong_certificate=True):
        for attempt in attempts:
            with pytest.raises(ssl.SSLCertVerificationError):
                attempt()


def test_nobody_can_judge_a_login_while_admin_is_away(mailu: Mailu) -> None:
    user, password = mailu.add_user()
    with broken(mailu.server, no_verdict=True):
        assert mailu.log_in(user.email, password).status == 500
        with pytest.raises(imaplib.IMAP4.error, match="UNAVAILABLE"):
            mailu.imap(user.email, password)
        assert mailu.smtp(user.email, password) == 454


def _idle(connection: imaplib.IMAP4_SSL) -> None:
    """One IDLE, begun and ended; imaplib has no command for it."""
    connection.send(b"X1 IDLE\r\n")
    assert connection.readline().startswith(b"+ ")
    connection.send(b"DONE\r\n")
    line = connection.readline()
    while not line.startswith(b"X1 "):
        assert line, "the connection ended"
        line = connection.readline()
    assert line.startswith(b"X1 OK")
