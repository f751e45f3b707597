"""What a tenant is told, word for word, and who of it is told."""

import time
from collections.abc import Iterator
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.domain.notice import (
    Recipient,
    compromise_notice,
    due_notice,
    is_address,
    malformed_results,
    one_line,
    recipients,
    utc,
)

ADMIN, SENDER = "admin@example.org", "security@mailark.example.net"
ROTATED_AT = "2026-11-22T03:04:05+00:00"


@pytest.fixture
def _in_tokyo() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        yield
    time.tzset()


def _out_of_band(username: str, contacts: str) -> list[str]:
    return [each.address for each in recipients(username, contacts).to if each.out_of_band]


# --- the wording ------------------------------------------------------------------------------------------


def test_the_notice_of_a_compromise_has_the_words_of_the_plan_and_says_what_was_done_and_whom_to_answer() -> None:
    notice = compromise_notice(ADMIN, "INC-7", ROTATED_AT, SENDER, tokens_revoked=2)
    assert notice.subject == "SMTP Credentials Rotated - Security Incident"
    assert (
        notice.body
        == """\
Your SMTP credentials have been rotated due to a security incident.
Incident ID: INC-7.
No action required on your part.

What was done:
  The password of admin@example.org was replaced, 2026-11-22 03:04 UTC.
  Its app tokens were revoked (2). A mail program that used one needs a new one.

There is no password in this mail, and no link. Nobody will ever ask you for a password because of it.
If anything looks wrong, answer this mail or write to security@mailark.example.net, and name the incident ID.
Write from another mailbox if somebody else may be reading this one.
"""
    )


def test_a_notice_says_nothing_of_app_tokens_where_none_was_revoked() -> None:
    body = compromise_notice(ADMIN, "INC-7", ROTATED_AT, SENDER).body
    assert "token" not in body
    assert "was replaced, 2026-11-22 03:04 UTC.\n\nThere is no password" in body


def test_the_notice_of_a_planned_rotation_says_the_day_and_that_nothing_has_happened() -> None:
    notice = due_notice(ADMIN, date(2026, 11, 29), SENDER)
    assert notice.subject == "SMTP Credentials Will Be Rotated on 2026-11-29 - Planned Rotation"
    assert (
        notice.body
        == """\
Your SMTP credentials will be rotated on 2026-11-29, as planned. Nothing has happened.
There is no outage.
No action required on your part.

What will be done:
  The password of admin@example.org will be replaced.

There is no password in this mail, and no link. Nobody will ever ask you for a password because of it.
If anything looks wrong, answer this mail or write to security@mailark.example.net.
Write from another mailbox if somebody else may be reading this one.
"""
    )


@pytest.mark.parametrize(
    ("at", "shown"),
    [
        ("2026-11-22T03:04:05.678+00:00", "2026-11-22 03:04 UTC"),
        ("2026-11-22T03:04:05Z", "2026-11-22 03:04 UTC"),
        ("2026-11-22T01:30:00+02:00", "2026-11-21 23:30 UTC"),
        ("2026-11-22T03:04:05", "2026-11-22 03:04 UTC"),
        ("last\nTuesday", "last?Tuesday"),
    ],
)
@pytest.mark.usefixtures("_in_tokyo")
def test_a_moment_is_shown_in_utc_wherever_this_runs_and_what_is_none_as_it_is(at: str, shown: str) -> None:
    assert utc(at) == shown


def test_an_incident_id_of_several_lines_cannot_add_one_to_the_notice() -> None:
    plain = compromise_notice(ADMIN, "INC-7", ROTATED_AT, SENDER).body
    hostile = compromise_notice(ADMIN, "INC-7\nClick https://evil.example", ROTATED_AT, SENDER).body
    assert len(hostile.splitlines()) == len(plain.splitlines())
    assert "Incident ID: INC-7?Click https://evil.example.\n" in hostile


@given(st.text(max_size=400))
def test_what_somebody_else_wrote_is_one_printable_line_of_bounded_length(text: str) -> None:
    line = one_line(text)
    assert line.isprintable()
    assert len(line) <= 200
    assert len(line.splitlines()) <= 1


# --- who is told ------------------------------------------------------------------------------------------


def test_the_admin_is_told_and_so_is_each_contact_once() -> None:
    found = recipients(ADMIN, " ops@example.net,boss@other.example , OPS@example.net,,admin@example.org")
    assert found.to == (
        Recipient("admin@example.org", out_of_band=False),
        Recipient("ops@example.net", out_of_band=True),
        Recipient("boss@other.example", out_of_band=True),
    )
    assert found.malformed == ()


@pytest.mark.parametrize("own", ["boss@example.org", "boss@EXAMPLE.org", "boss@mail.example.org"])
def test_a_contact_whose_mailbox_may_be_the_intruders_too_is_told_and_not_out_of_band(own: str) -> None:
    found = recipients(ADMIN, own)
    assert [each.address for each in found.to] == [ADMIN, own]
    assert _out_of_band(ADMIN, own) == []


def test_a_domain_that_only_ends_like_the_tenants_is_out_of_band() -> None:
    assert _out_of_band(ADMIN, "boss@notexample.org") == ["boss@notexample.org"]


def test_nobody_is_out_of_band_where_the_admins_own_domain_is_not_known() -> None:
    found = recipients("admin", "ops@example.net")
    assert found.to == (Recipient("ops@example.net", out_of_band=False),)
    assert found.malformed == ("admin",)


def test_a_secret_without_a_username_is_told_as_such() -> None:
    assert recipients("", "").malformed == ("(no address)",)


@pytest.mark.parametrize(
    "hostile",
    [
        "ops@example.net\r\nBcc: eve@evil.example",
        "ops@example.net\nSubject: hello",
        "ops@example.net\n",
        "Ops <ops@example.net>",
        "ops@example.net;eve@evil.example",
        "ops@example.net eve@evil.example",
        '"ops"@example.net',
        "ops@[192.0.2.1]",
        "ops@localhost",
        "ops@example..net",
        "ops@-example.net",
        ".ops@example.net",
        "ops@exämple.net",
        "ops@example.net\u202e",
        "ops@@example.net",
        "@example.net",
        "=?utf-8?q?ops?=@",
        f"{'a' * 65}@example.net",
        f"ops@{'a.' * 130}net",
    ],
)
def test_what_is_no_plain_address_is_told_and_not_mailed(hostile: str) -> None:
    found = recipients(ADMIN, f"{hostile},ops@example.net")
    assert [each.address for each in found.to] == [ADMIN, "ops@example.net"]
    (shown,) = found.malformed
    assert shown.isprintable()
    assert len(shown) <= 60
    (told,) = malformed_results(found)
    assert (told.recipient, told.status, told.out_of_band, told.problem) == (
        shown,
        "malformed",
        False,
        "not an address",
    )


@pytest.mark.parametrize("good", ["o'hara+tag@example.net", "a@b.c", f"{'a' * 64}@example.net", "x_y=z@a-b.example"])
def test_an_unusual_address_is_still_one(good: str) -> None:
    assert is_address(good)


_TEXTS = st.text(alphabet='ab@.,;\r\n <>"é', max_size=40)


@given(_TEXTS, _TEXTS)
def test_whatever_vault_holds_only_plain_addresses_are_mailed(username: str, contacts: str) -> None:
    for each in recipients(username, contacts).to:
        assert is_address(each.address)
        assert each.address.isascii()
        assert not set(each.address) & set('\r\n,;<> "\\')
