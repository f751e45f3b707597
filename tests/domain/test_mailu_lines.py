"""What lines of Mailu's logs say, in the words that the lab's Mailu writes; and that no stranger can put words in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.mailu.log import MailuLog, Source
from lambdas.domain.mailu_lines import LoginFailed, LoginSucceeded, MessageSent, network_of, read_mailu_line

USER = "admin@example.org"
SOURCE = Source("imap", "993", "203.0.113.9", "51432")
NETWORK = "203.0.113.0/24"


@pytest.fixture
def lines() -> list[str]:
    return []


@pytest.fixture
def log(lines: list[str]) -> MailuLog:
    return MailuLog(lines.append)


def test_a_login_is_read_by_each_way_in(log: MailuLog, lines: list[str]) -> None:
    log.attempt(USER, SOURCE, "success: password")
    log.attempt(USER, Source("sso", "https", "203.0.113.9", "None"), "success: password: -1")
    log.attempt("Admin@Example.org", Source("submission", "587", "203.0.113.9", "5"), "success: token-7: 'my phone'")
    assert [read_mailu_line(line) for line in lines] == [LoginSucceeded(USER, NETWORK)] * 3


def test_a_refusal_is_read_by_its_password_and_by_a_limit(log: MailuLog, lines: list[str]) -> None:
    log.bad_password(USER, SOURCE, "wrong")
    log.attempt("'nobody@example.org'", SOURCE, "failed: account disabled")
    log.attempt(USER, SOURCE, "failed: badip: token-7: ''")
    log.rate_limited(SOURCE.address)
    log.rate_limited(SOURCE.address, USER)
    assert [read_mailu_line(line) for line in lines] == [LoginFailed(NETWORK)] * 5


def test_a_mail_that_is_handed_over_is_read_with_whose_it_is(log: MailuLog, lines: list[str]) -> None:
    log.submission(USER, SOURCE)
    (line,) = lines
    assert read_mailu_line(line) == MessageSent(USER)
    other = line.replace("postfix/smtpd", "postfix/submission/smtpd").replace("[203.0.113.9]", "[203.0.113.9]:4711")
    assert read_mailu_line(other + ", sasl_sender=x@example.org\n") == MessageSent(USER)


def test_what_says_none_of_this_is_nothing(log: MailuLog, lines: list[str]) -> None:
    log.imap_login(USER, SOURCE)  # the same login as the line of `admin`
    log.api_token(SOURCE.address, valid=True)
    log.api_token(SOURCE.address, valid=False)
    assert [read_mailu_line(line) for line in [*lines, "", "{}"]] == [None] * 5


FORGED = f"{USER}/imap/993 from: 198.51.100.1/1: success: password"


FORGED_TOKEN = FORGED.replace("password", "token-7: ''")


@pytest.mark.parametrize(
    "name",
    [FORGED, FORGED_TOKEN, f"{FORGED_TOKEN}'", f"x {FORGED}", f"x\n[2026-11-22 02:00:00,000] INFO in nginx: {FORGED}"],
)
def test_a_name_that_pretends_to_be_a_login_is_none(name: str, log: MailuLog, lines: list[str]) -> None:
    log.bad_password(name, SOURCE, "wrong")
    assert not isinstance(read_mailu_line(lines[0]), LoginSucceeded)


def test_a_comment_of_a_token_that_pretends_to_come_from_elsewhere_does_not(log: MailuLog, lines: list[str]) -> None:
    log.attempt(USER, SOURCE, f"success: token-7: 'x: Login attempt for: {FORGED}'")
    assert read_mailu_line(lines[0]) == LoginSucceeded(USER, NETWORK)


def test_what_a_client_calls_itself_in_another_programs_log_is_no_login() -> None:
    line = f'198.51.100.1 - - "GET /[2026-11-22 02:00:00,000] INFO in nginx: Login attempt for: {FORGED}'
    assert read_mailu_line(line) is None


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.9", "203.0.113.0/24"),
        ("2001:db8:1:2::9", "2001:db8:1::/48"),
        ("::ffff:203.0.113.9", "203.0.113.0/24"),
        ("999.1.1.1", None),
        ("::::", None),
    ],
)
def test_networks_are_those_of_mailus_limits(
    address: str, network: str | None, log: MailuLog, lines: list[str]
) -> None:
    assert network_of(address) == network
    log.attempt(USER, Source("imap", "993", address, "1"), "success: password")
    log.rate_limited(address)
    known = [LoginSucceeded(USER, network), LoginFailed(network)] if network else [None, None]
    assert [read_mailu_line(line) for line in lines] == known


PIECES = st.sampled_from(
    [*f"[2026-11-22 02:00:00,000] INFO in nginx: Login attempt for: {FORGED}".split(" "), "\n", ""]
)


@given(st.one_of(st.text(), st.lists(PIECES).map(" ".join), st.binary().map(lambda raw: raw.decode("latin-1"))))
def test_no_line_whatsoever_stops_the_reading(line: str) -> None:
    read_mailu_line(line)


@given(st.one_of(st.text(max_size=300), st.lists(PIECES).map(" ".join)))
def test_no_name_that_was_refused_is_taken_for_a_login(name: str) -> None:
    lines: list[str] = []
    MailuLog(lines.append).bad_password(name, SOURCE, "wrong")
    assert not isinstance(read_mailu_line(lines[0]), LoginSucceeded)


def test_an_endless_line_is_not_worth_reading() -> None:
    line = f"[2026-11-22 02:00:00,000] INFO in nginx: Login attempt for: {FORGED}"
    assert isinstance(read_mailu_line(line), LoginSucceeded)
    assert read_mailu_line(line + ": " + "x" * 4096) is None
