"""Logins at a real (stand-in) Mailu by each way, and what each kind of answer proves of a password."""

import logging
import smtplib
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from lab.mailu.running import broken
from lab.mailu.state import User
from lab.processes import free_port
from lambdas.adapters.mail_logins import log_in, prove_password
from lambdas.adapters.mailu import MailuApi
from lambdas.domain.mail_login import LoginResult, MailServer, Verdict, Way
from lambdas.domain.mailu_errors import (
    MailuCertificateRefused,
    MailuRateLimited,
    MailuUnreachable,
    PasswordNotProved,
)
from tests.servers.mailu import Mailu, Mailus, mailus

MAIL = (Way.IMAP, Way.SMTPS, Way.SUBMISSION)
EVERY_WAY = (Way.SSO, *MAIL)
every_way = pytest.mark.parametrize("way", EVERY_WAY)


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mailus]:
    with mailus(tmp_path_factory.mktemp("mailu")) as servers:
        yield servers


@pytest.fixture(scope="module")
def mailu(servers: Mailus) -> Mailu:
    return servers.start()


@pytest.fixture
def user(mailu: Mailu) -> tuple[User, str]:
    return mailu.add_user()


def _server(mailu: Mailu, **ports: int) -> MailServer:
    own = mailu.server.ports
    all_ports = {"imap_port": own.imaps, "smtps_port": own.smtps, "submission_port": own.submission, **ports}
    return MailServer(mailu.address, mailu.authority.pem, **all_ports)


# --- what a password proves -------------------------------------------------------------------------------


@every_way
def test_the_right_password_is_accepted_and_a_wrong_one_refused(mailu: Mailu, user: tuple[User, str], way: Way) -> None:
    email, password = user[0].email, user[1]
    assert log_in(_server(mailu), way, email, password) == LoginResult(way, Verdict.ACCEPTED)
    assert log_in(_server(mailu), way, email, "wrong") == LoginResult(way, Verdict.REFUSED)


@every_way
@pytest.mark.parametrize("password", ["correct horse ✉ \"\\' +/=&%", " ", "x" * 200, "0" * 32])
def test_any_password_goes_over_as_it_is(mailu: Mailu, user: tuple[User, str], way: Way, password: str) -> None:
    mailu.server.state.set_password(user[0], password)
    assert log_in(_server(mailu), way, user[0].email, password).verdict == Verdict.ACCEPTED
    assert log_in(_server(mailu), way, user[0].email, f"{password}x").verdict == Verdict.REFUSED


def test_a_forced_change_is_told_by_the_web_and_stops_no_mail(mailu: Mailu, user: tuple[User, str]) -> None:
    user[0].change_pw_next_login = True
    found = [log_in(_server(mailu), way, user[0].email, user[1]) for way in EVERY_WAY]
    assert [each.verdict for each in found] == [Verdict.CHANGE_FORCED, *[Verdict.ACCEPTED] * 3]
    assert all(each.is_right for each in found)


@every_way
def test_a_disabled_and_an_unknown_user_are_refused(servers: Mailus, way: Way) -> None:
    mailu = servers.start()
    user, password = mailu.add_user(enabled=False)
    assert log_in(_server(mailu), way, user.email, password).verdict == Verdict.REFUSED
    assert log_in(_server(mailu), way, "nobody@example.org", password).verdict == Verdict.REFUSED


@every_way
def test_a_rate_limit_is_not_taken_for_a_refusal(mailu: Mailu, user: tuple[User, str], way: Way) -> None:
    with broken(mailu.server, limited=True):
        assert log_in(_server(mailu), way, user[0].email, user[1]).verdict == Verdict.RATE_LIMITED


@every_way
def test_a_server_that_cannot_judge_has_refused_nothing(mailu: Mailu, user: tuple[User, str], way: Way) -> None:
    with broken(mailu.server, no_verdict=True):
        found = log_in(_server(mailu), way, user[0].email, user[1])
    assert found.verdict == Verdict.UNREACHABLE
    assert found.problem.startswith("it answered")


@every_way
def test_a_way_that_is_not_offered_is_told_from_one_that_refuses(
    mailu: Mailu, user: tuple[User, str], way: Way
) -> None:
    with broken(mailu.server, not_offered={way.value}):
        found = log_in(_server(mailu), way, user[0].email, user[1])
    assert found.verdict == Verdict.NOT_OFFERED
    assert found.problem


@every_way
def test_a_server_that_is_down_is_unreachable(servers: Mailus, way: Way) -> None:
    mailu = servers.start()
    user, password = mailu.add_user()
    with mailu.host.down(mailu.server):
        found = log_in(_server(mailu), way, user.email, password)
    assert found.verdict == Verdict.UNREACHABLE
    assert found.problem.startswith("no connection")


@every_way
def test_a_server_that_takes_too_long_is_unreachable(mailu: Mailu, user: tuple[User, str], way: Way) -> None:
    began = time.monotonic()
    with broken(mailu.server, slow=2.0):
        found = log_in(_server(mailu), way, user[0].email, user[1], seconds=0.3)
    assert found == LoginResult(way, Verdict.UNREACHABLE, "answering took too long")
    assert time.monotonic() - began < 2


@every_way
def test_no_password_is_sent_to_a_server_whose_certificate_does_not_verify(servers: Mailus, way: Way) -> None:
    mailu = servers.start()
    user, password = mailu.add_user()
    with broken(mailu.server, wrong_certificate=True), pytest.raises(MailuCertificateRefused):
        log_in(_server(mailu), way, user.email, password)
    assert mailu.log == []


# --- servers of another kind ------------------------------------------------------------------------------


@pytest.mark.parametrize("way", [Way.IMAP, Way.SMTPS])
def test_a_port_that_speaks_no_tls_is_unreachable(mailu: Mailu, user: tuple[User, str], way: Way) -> None:
    with _saying(b"* OK ready\r\n") as port:
        found = log_in(_server(mailu, imap_port=port, smtps_port=port), way, user[0].email, user[1])
    assert (found.verdict, found.problem) == (Verdict.UNREACHABLE, "it does not speak TLS")


@pytest.mark.parametrize(
    ("said", "verdict", "problem"),
    [
        (b"220 hello\r\n", Verdict.UNREACHABLE, "the connection was cut"),
        (b"554 no\r\n", Verdict.UNREACHABLE, "it answered 554"),
        (b"220 hello\r\n250 me\r\n", Verdict.NOT_OFFERED, "it offers no STARTTLS"),
        (b"", Verdict.UNREACHABLE, "the connection was cut"),
    ],
)
def test_whatever_a_mail_server_says_has_a_verdict(
    mailu: Mailu, user: tuple[User, str], said: bytes, verdict: Verdict, problem: str
) -> None:
    with _saying(said) as port:
        found = log_in(_server(mailu, submission_port=port), Way.SUBMISSION, user[0].email, user[1])
    assert (found.verdict, found.problem) == (verdict, problem)


def test_a_closed_port_is_unreachable_and_says_so(mailu: Mailu, user: tuple[User, str]) -> None:
    port = free_port()
    server = _server(mailu, imap_port=port, smtps_port=port, submission_port=port)
    for way in MAIL:
        found = log_in(server, way, user[0].email, user[1])
        assert (found.verdict, found.problem) == (Verdict.UNREACHABLE, "no connection: nothing listens there")


# --- the proof of a new password --------------------------------------------------------------------------


def _set(mailu: Mailu, email: str, password: str) -> None:
    api = MailuApi(_server(mailu), mailu.token)
    api.set_password(email, password)
    api.close()


def test_a_new_password_is_proved_by_every_way_and_the_old_one_by_its_refusal(
    mailu: Mailu, user: tuple[User, str]
) -> None:
    _set(mailu, user[0].email, "the new one")
    found = prove_password(_server(mailu), EVERY_WAY, user[0].email, "the new one", user[1])
    assert [(each.way, each.verdict) for each in found] == [(way, Verdict.ACCEPTED) for way in EVERY_WAY]
    assert len(mailu.logged(user[0].email)) == 9  # four logins and IMAP's own line, and four refusals


def test_a_password_that_was_accepted_and_never_set_is_found(mailu: Mailu, user: tuple[User, str]) -> None:
    with broken(mailu.server, unchanged=True):
        _set(mailu, user[0].email, "the new one")
    with pytest.raises(PasswordNotProved, match="sso refuses it; imap refuses it") as caught:
        prove_password(_server(mailu), EVERY_WAY, user[0].email, "the new one", user[1])
    assert "the new one" not in str(caught.value)
    assert user[1] not in str(caught.value)


def test_an_old_password_that_still_works_is_found(mailu: Mailu, user: tuple[User, str]) -> None:
    with pytest.raises(PasswordNotProved, match="smtps still accepts the old one"):
        prove_password(_server(mailu), [Way.SMTPS], user[0].email, user[1], user[1])


def test_without_the_old_password_the_new_one_is_proved_alone(mailu: Mailu, user: tuple[User, str]) -> None:
    found = prove_password(_server(mailu), EVERY_WAY, user[0].email, user[1])
    assert all(each.is_right for each in found)


def test_what_is_not_offered_is_left_out_of_the_proof_but_not_everything(mailu: Mailu, user: tuple[User, str]) -> None:
    with broken(mailu.server, not_offered={"sso", "submission"}):
        found = prove_password(_server(mailu), EVERY_WAY, user[0].email, user[1], "the old one")
        assert [each.verdict for each in found if each.is_right] == [Verdict.ACCEPTED] * 2
        with pytest.raises(PasswordNotProved, match="no way to log in is offered"):
            prove_password(_server(mailu), [Way.SSO], user[0].email, user[1])


def test_a_proof_that_could_not_be_made_is_tried_again_or_waits(servers: Mailus) -> None:
    mailu = servers.start()
    user, password = mailu.add_user()
    with mailu.host.down(mailu.server), pytest.raises(MailuUnreachable, match="imap: no connection"):
        prove_password(_server(mailu), MAIL, user.email, password)
    with broken(mailu.server, limited=True), pytest.raises(MailuRateLimited, match=f"a login of {user.email} by sso"):
        prove_password(_server(mailu), EVERY_WAY, user.email, password)


def test_what_is_wrong_is_told_before_what_could_not_be_asked(mailu: Mailu, user: tuple[User, str]) -> None:
    server = _server(mailu, smtps_port=free_port())
    with pytest.raises(PasswordNotProved, match="imap refuses it; smtps could not be asked"):
        prove_password(server, [Way.IMAP, Way.SMTPS], user[0].email, "wrong")


def test_no_password_is_logged_or_printed(
    mailu: Mailu, user: tuple[User, str], caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.DEBUG):
        for way in EVERY_WAY:
            log_in(_server(mailu), way, user[0].email, user[1])
            log_in(_server(mailu), way, user[0].email, f"{user[1]}-wrong")
    printed = capfd.readouterr()
    assert user[1] not in caplog.text + printed.out + printed.err


def test_a_login_opens_nothing_that_stays(mailu: Mailu, user: tuple[User, str]) -> None:
    for way in MAIL:
        log_in(_server(mailu), way, user[0].email, user[1])
    deadline = time.monotonic() + 10
    while user[0].email in mailu.server.imap.open.values():
        assert time.monotonic() < deadline


def test_smtplib_is_told_a_name_and_looks_up_none(
    mailu: Mailu, user: tuple[User, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> str:
        raise AssertionError("a look-up of the own name may take half a minute")

    monkeypatch.setattr(smtplib.socket, "getfqdn", refuse)  # type: ignore[attr-defined]  # as smtplib imports it
    assert log_in(_server(mailu), Way.SUBMISSION, user[0].email, user[1]).verdict == Verdict.ACCEPTED


@contextmanager
def _saying(text: bytes) -> Iterator[int]:
    """A server without TLS that says this to the first connection, whatever it hears, and ends it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            client, _ = listener.accept()
            with client:
                client.sendall(text)
                client.settimeout(2)
                client.recv(4096) if text else None

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(5)
