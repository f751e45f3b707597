"""The alert after a leaked credential, as somebody reads it at night, and what in it is new."""

import dataclasses
import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.aws import ROOT
from lambdas.domain.mail_login import Way
from lambdas.domain.mailu import NOT_TOLD, AppToken, MailAlias, Traces
from lambdas.domain.notice import Told
from lambdas.domain.operation import Lease, Operation
from lambdas.domain.security_alert import Response, Trace, by_hand, new_since, response_message

TENANT, ADMIN = "550e8400-e29b-41d4-a716-446655440000", "admin@example.org"
OPERATION = Operation(
    id="op-1",
    scenario="credential_compromise",
    execution="arn:aws:states:eu-central-1:111122223333:execution:mailark-credential-compromise:op-1",
    mode="recover",
    started_at="2026-11-22T03:03:00+00:00",
    lease=Lease(f"tenant#{TENANT}", 1),
    reason="logins from 7 networks",
    user_id="system",
    incident_id="INC-7",
)
RESPONSE = Response(
    tenant_id=TENANT,
    email=ADMIN,
    found="logins from 7 networks in an hour",
    replaced_at="2026-11-22T03:04:05+00:00",
    refused_by=(Way.SSO, Way.IMAP, Way.SMTPS),
    revoked=(
        AppToken("12", ADMIN, "phone", (), "2026-05-01"),
        AppToken("13", ADMIN, "", ("192.0.2.0/24", "198.51.100.7"), "2026-11-21"),
    ),
    imap_cut=True,
    traces=(Trace("forward", "bob@example.org", "eve@evil.example"), Trace("manager", "eve@example.org")),
    known_good_at="2026-11-20T02:00:00+00:00",
    told=(Told(ADMIN, "sent", out_of_band=False), Told("ops@example.net", "sent", out_of_band=True)),
)
TRACES = Traces(
    email=ADMIN,
    tokens=(AppToken("14", ADMIN, "mine", (), "2026-11-22"),),
    forwards={"bob@example.org": ("bob@home.example", "eve@evil.example")},
    replying=("ann@example.org",),
    spoofing=("bob@example.org",),
    aliases=(
        MailAlias("sales@example.org", ("bob@example.org", "eve@evil.example")),
        MailAlias("old@example.org", ("bob@example.org",), disabled=True),
    ),
    managers=(ADMIN,),
    global_admins=(ADMIN,),
    alternatives=("example.com",),
    signup_enabled=True,
    relays=("relayed.example to mx.evil.example",),
)


def _body(**changed: object) -> str:
    return response_message(dataclasses.replace(RESPONSE, **changed), OPERATION, "example", "eu-central-1").body  # type: ignore[arg-type]  # each by its name


# --- the message ------------------------------------------------------------------------------------------


def test_the_alert_says_what_was_done_what_needs_a_human_eye_and_where_to_look() -> None:
    message = response_message(RESPONSE, OPERATION, "example", "eu-central-1")
    assert message.subject == f"[example] credential leak, old password dead: {TENANT}"
    assert (
        message.body
        == """\
A credential has leaked, and was replaced; old password dead.
2 points are below for a human eye.

Tenant:         550e8400-e29b-41d4-a716-446655440000, admin@example.org
Incident:       INC-7
How it showed:  logins from 7 networks in an hour
Started by:     system
On:             example, region eu-central-1
Execution:      https://eu-central-1.console.aws.amazon.com/states/home?region=eu-central-1\
#/v2/executions/details/arn:aws:states:eu-central-1:111122223333:execution:mailark-credential-compromise:op-1

What was done:
- Password replaced, 2026-11-22 03:04 UTC.
- The old one was tried, and refused by sso, imap, smtps.
- Web sessions ended: Mailu ends them with the password.
- Open IMAP connections cut.
- Told: admin@example.org, ops@example.net (out of band).
- App tokens revoked: 2.
  - 12: phone; made 2026-05-01, usable from everywhere
  - 13: no comment; made 2026-11-21, usable from 192.0.2.0/24, 198.51.100.7

What needs a human eye:
1. New since the known good list of 2026-11-20 02:00 UTC:
   - bob@example.org forwards its mail to eve@evil.example
   - eve@example.org manages the domain
2. Mailu's API cannot tell these. On the tenant's mail server, beside docker-compose.yml:
   - fetch accounts: sqlite3 data/main.db "SELECT user_email, protocol, host, username FROM fetch"
   - Sieve filters: docker compose exec imap doveadm sieve list -u admin@example.org
   - who knows API_TOKEN: put a new one into mailu.env and into the secret; docker compose up -d admin
"""
    )


def test_what_has_no_incident_id_is_told_by_its_operation_and_whoever_typed_them_adds_no_line() -> None:
    typed = dataclasses.replace(OPERATION, incident_id=None, user_id="ada\nExecution: https://evil.example")
    body = response_message(RESPONSE, typed, "example", "eu-central-1").body
    assert "\nIncident:       op-1\n" in body
    assert "\nStarted by:     ada?Execution: https://evil.example\n" in body
    hostile = dataclasses.replace(OPERATION, incident_id="INC-7\n8")
    assert "\nIncident:       INC-7?8\n" in response_message(RESPONSE, hostile, "example", "eu-central-1").body


def test_an_old_password_that_nobody_could_try_is_not_said_to_be_dead() -> None:
    message = response_message(dataclasses.replace(RESPONSE, refused_by=()), OPERATION, "example", "eu-central-1")
    assert message.subject == f"[example] credential leak, old password NOT proved dead: {TENANT}"
    assert message.body.startswith(
        "A credential has leaked, and was replaced; old password NOT proved dead.\n3 points are below"
    )
    assert "\n1. The old password is not proved dead: nobody knew it, so nobody could try it.\n" in message.body
    assert "refused by" not in message.body


def test_connections_that_were_not_cut_are_told_with_the_command_that_cuts_them() -> None:
    body = _body(imap_cut=False)
    assert "- Open IMAP connections NOT cut: see below.\n" in body
    assert "   - open IMAP connections: docker compose restart front imap\n" in body


def test_a_notice_that_failed_and_a_tenant_without_another_contact_are_told() -> None:
    told = (
        Told(ADMIN, "refused", out_of_band=False, problem="MessageRejected"),
        Told("Ops <ops@x>", "malformed", out_of_band=False, problem="not an address"),
    )
    body = _body(told=told)
    assert "- Told: nobody.\n" in body
    assert (
        "1. Not told:\n   - admin@example.org: MessageRejected\n   - Ops <ops@x>: not an address\n"
        "2. Nobody was told out of band, and the mailbox may be the intruder's: call the tenant.\n"
        "3. No contact outside of the tenant's own domain is known. Once you have one:\n"
        f"   - vault kv metadata patch -mount=smtp -custom-metadata=contacts=ADDRESS,ADDRESS {TENANT}/admin\n"
    ) in body


def test_where_telling_failed_altogether_nothing_is_said_of_contacts() -> None:
    body = _body(told=())
    assert "1. The tenant was not told: that step failed. Call the tenant.\n2. New since" in body
    assert "contact" not in body


def test_a_contact_that_is_known_and_was_refused_is_not_said_to_be_missing() -> None:
    told = (RESPONSE.told[0], Told("ops@example.net", "refused", out_of_band=True, problem="MessageRejected"))
    body = _body(told=told)
    assert "Nobody was told out of band" in body
    assert "No contact outside" not in body


def test_without_a_list_to_compare_with_everything_is_told_as_such() -> None:
    assert "1. No known good list to compare with. All of this is there:\n   - bob@" in _body(known_good_at=None)
    nothing = _body(known_good_at=None, traces=())
    assert "1. No known good list to compare with. All of this is there:\n   - nothing\n2. " in nothing


def test_every_kind_of_thing_is_told_in_words() -> None:
    assert (
        """\
1. No known good list to compare with. All of this is there:
   - admin@example.org has the app token 14
   - bob@example.org forwards its mail to bob@home.example
   - bob@example.org forwards its mail to eve@evil.example
   - ann@example.org answers mail by itself
   - bob@example.org may send as anybody
   - mail to sales@example.org goes to bob@example.org
   - mail to sales@example.org goes to eve@evil.example
   - mail to old@example.org would go to bob@example.org, were that alias not disabled
   - admin@example.org manages the domain
   - admin@example.org is a global admin of the mail server
   - example.com is another name of the domain
   - anybody may make a mailbox in example.org
   - the mail server passes on relayed.example to mx.evil.example
2. Mailu's API
"""[:-1]
        in _body(known_good_at=None, traces=new_since(TRACES, None))
    )


def test_where_nothing_is_new_there_is_nothing_to_look_at_but_what_the_api_cannot_tell() -> None:
    body = _body(traces=())
    assert "One point is below for a human eye.\n" in body
    assert "1. Mailu's API cannot tell these." in body


def test_a_long_list_says_how_much_of_it_is_left_off() -> None:
    traces = tuple(Trace("forward", f"u{i}@example.org", "eve@evil.example") for i in range(33))
    body = _body(traces=traces)
    assert body.count("forwards its mail") == 20
    assert "   - ... and 13 more: see the input of this step in the execution.\n" in body


_HOSTILE = st.text(alphabet="ab\n\r\t\u2028\u202e\x1b{}%0- ", max_size=300)


@given(_HOSTILE, _HOSTILE)
def test_what_an_intruder_wrote_adds_no_line_and_no_control_character(first: str, second: str) -> None:
    token = AppToken(first, ADMIN, second, (first,), second)
    changed = {
        "email": first,
        "found": second,
        "revoked": (token, token),
        "traces": (Trace("alias", first, second), Trace("relay", second)),
        "told": (Told(first, "refused", out_of_band=True, problem=second), RESPONSE.told[1]),
    }
    plain = {
        "traces": (Trace("alias", "a", "b"), Trace("relay", "b")),
        "told": (Told("a", "refused", out_of_band=True, problem="b"), RESPONSE.told[1]),
    }
    body = _body(**changed)
    assert len(body.splitlines()) == len(_body(**plain).splitlines())
    assert all(line.isprintable() for line in body.splitlines())


def test_the_longest_message_is_one_that_sns_takes() -> None:
    word = "✉" * 5000
    token, told = AppToken(word, word, word, (word,) * 99, word), Told(word, "refused", out_of_band=False, problem=word)
    body = _body(
        email=word, found=word, revoked=(token,) * 99, traces=(Trace("alias", word, word),) * 99, told=(told,) * 99
    )
    assert len(body.encode()) < 256 * 1024


# --- what is left to a person -----------------------------------------------------------------------------


def test_whatever_the_api_cannot_tell_is_left_to_a_person_or_ends_with_the_password() -> None:
    assert {*by_hand(ADMIN), "web sessions"} == set(NOT_TOLD)


@pytest.mark.parametrize("what", ["open IMAP connections", "fetch accounts", "Sieve filters"])
def test_a_command_is_the_one_of_the_documentation(what: str) -> None:
    assert f"`{by_hand(ADMIN)[what]}`" in (ROOT / "docs" / "mailu.md").read_text()


def test_a_username_that_a_shell_would_run_is_quoted() -> None:
    hostile = "a;$(reboot)`x`'@example.org"
    assert shlex.split(by_hand(hostile)["Sieve filters"])[-1] == hostile


# --- what is new ------------------------------------------------------------------------------------------


def test_without_a_known_good_list_every_single_thing_is_new() -> None:
    assert new_since(TRACES, None) == (
        Trace("token", ADMIN, "14"),
        Trace("forward", "bob@example.org", "bob@home.example"),
        Trace("forward", "bob@example.org", "eve@evil.example"),
        Trace("reply", "ann@example.org"),
        Trace("spoof", "bob@example.org"),
        Trace("alias", "sales@example.org", "bob@example.org"),
        Trace("alias", "sales@example.org", "eve@evil.example"),
        Trace("disabled_alias", "old@example.org", "bob@example.org"),
        Trace("manager", ADMIN),
        Trace("global_admin", ADMIN),
        Trace("alternative", "example.com"),
        Trace("signup", "example.org"),
        Trace("relay", "relayed.example to mx.evil.example"),
    )


def test_what_was_there_before_is_not_new() -> None:
    assert new_since(TRACES, TRACES) == ()


@pytest.mark.parametrize(
    ("before", "new"),
    [
        ({"tokens": ()}, Trace("token", ADMIN, "14")),
        (
            {"forwards": {"bob@example.org": ("bob@home.example",)}},
            Trace("forward", "bob@example.org", "eve@evil.example"),
        ),
        ({"replying": ()}, Trace("reply", "ann@example.org")),
        ({"spoofing": ()}, Trace("spoof", "bob@example.org")),
        (
            {"aliases": (MailAlias("sales@example.org", ("bob@example.org",)), TRACES.aliases[1])},
            Trace("alias", "sales@example.org", "eve@evil.example"),
        ),
        ({"managers": ()}, Trace("manager", ADMIN)),
        ({"global_admins": ()}, Trace("global_admin", ADMIN)),
        ({"alternatives": ()}, Trace("alternative", "example.com")),
        ({"signup_enabled": False}, Trace("signup", "example.org")),
        ({"relays": ()}, Trace("relay", "relayed.example to mx.evil.example")),
    ],
)
def test_each_kind_of_thing_that_was_added_is_new_and_nothing_else(before: dict[str, object], new: Trace) -> None:
    assert new_since(TRACES, dataclasses.replace(TRACES, **before)) == (new,)  # type: ignore[arg-type]  # by its name


def test_an_alias_that_was_disabled_and_works_again_is_new() -> None:
    disabled = (TRACES.aliases[0], dataclasses.replace(TRACES.aliases[1], disabled=False))
    again = dataclasses.replace(TRACES, aliases=disabled)
    assert new_since(again, TRACES) == (Trace("alias", "old@example.org", "bob@example.org"),)


def test_what_only_looks_like_a_known_thing_is_new() -> None:
    """Shown, both are `?`: they are compared as Mailu told them."""
    known = dataclasses.replace(TRACES, managers=("a\u200b@example.org",))
    looks_alike = dataclasses.replace(TRACES, managers=("a\u2060@example.org",))
    assert new_since(looks_alike, known) == (Trace("manager", "a\u2060@example.org"),)


def test_what_is_gone_since_is_nothing_to_look_at() -> None:
    assert new_since(dataclasses.replace(TRACES, managers=(), aliases=()), TRACES) == ()
