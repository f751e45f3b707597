"""When a new password counts as proved, and where a mail server is."""

import pytest

from lambdas.domain.mail_login import LoginResult, MailServer, Verdict, Way, problem_of_change
from lambdas.domain.mailu import MailAlias, concerning, domain_of

RIGHT = LoginResult(Way.IMAP, Verdict.ACCEPTED)
FORCED = LoginResult(Way.SSO, Verdict.CHANGE_FORCED)
REFUSED = LoginResult(Way.IMAP, Verdict.REFUSED)
LIMITED = LoginResult(Way.IMAP, Verdict.RATE_LIMITED)
SILENT = LoginResult(Way.SMTPS, Verdict.UNREACHABLE, "no connection")
NOT_OFFERED = LoginResult(Way.SUBMISSION, Verdict.NOT_OFFERED, "it offers no STARTTLS")


@pytest.mark.parametrize(
    ("new", "old", "problem"),
    [
        ([RIGHT], [], ""),
        ([RIGHT], [REFUSED], ""),
        ([RIGHT, FORCED], [REFUSED], ""),
        ([RIGHT, NOT_OFFERED], [REFUSED, NOT_OFFERED], ""),
        ([REFUSED], [], "imap refuses it"),
        ([RIGHT, SILENT], [], "smtps could not be asked (no connection)"),
        ([LIMITED], [], "imap is rate-limited"),
        ([RIGHT], [RIGHT], "imap still accepts the old one"),
        ([FORCED], [FORCED], "sso still accepts the old one"),
        ([RIGHT], [SILENT], "smtps could not be asked whether it refuses the old one (no connection)"),
        ([RIGHT], [LIMITED], "imap could not be asked whether it refuses the old one"),
        ([NOT_OFFERED], [], "no way to log in is offered"),
        ([], [], "no way to log in is offered"),
        ([REFUSED, SILENT], [], "imap refuses it; smtps could not be asked (no connection)"),
    ],
)
def test_a_change_is_proved_by_every_way_that_is_offered(
    new: list[LoginResult], old: list[LoginResult], problem: str
) -> None:
    assert problem_of_change(new, old) == problem


def test_only_a_right_password_is_right() -> None:
    assert {each for each in Verdict if LoginResult(Way.IMAP, each).is_right} == {
        Verdict.ACCEPTED,
        Verdict.CHANGE_FORCED,
    }


@pytest.mark.parametrize(
    ("address", "host", "base"),
    [
        ("https://mail.example.org", "mail.example.org", "https://mail.example.org"),
        ("https://mail.example.org/", "mail.example.org", "https://mail.example.org"),
        ("https://mail.example.org:8443", "mail.example.org", "https://mail.example.org:8443"),
        ("https://[2001:db8::1]:8443", "2001:db8::1", "https://[2001:db8::1]:8443"),
    ],
)
def test_a_mail_server_is_at_the_host_of_its_web_interface(address: str, host: str, base: str) -> None:
    server = MailServer(address)
    assert (server.host, server.base) == (host, base)
    assert (server.imap_port, server.smtps_port, server.submission_port) == (993, 465, 587)


def test_the_aliases_that_concern_a_domain_lie_in_it_or_lead_into_it() -> None:
    inside = MailAlias("a@Example.org", ("x@example.net",))
    into = MailAlias("b@example.net", ("c@example.com", "d@example.org"))
    neither = MailAlias("e@sub.example.org", ("f@example.org.example.net",))
    assert concerning("example.org", [inside, into, neither]) == (inside, into)
    assert domain_of("o'hara@odd@EXAMPLE.org") == "example.org"
