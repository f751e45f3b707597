"""What a tenant is told about its credentials, and who of it is told.

The wording of a compromise is the specification's (`credential-recovery.md`, "Scenario 3"). No notice holds a password
or a link: whoever gets used to such mails falls for the next one.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Literal

from lambdas.domain.alert import Message
from lambdas.domain.mailu import domain_of

CONTACTS = "contacts"
"""The key of the custom metadata of `smtp/<tenant>/admin` that has the contacts: addresses, separated by commas."""
DAYS_BEFORE = 7
"""`platform-facts.md`, "The credential platform": admins are told 7 days before a planned rotation."""

_SHOWN = 200
_ADDRESS_BYTES = 254
"""RFC 5321, 4.5.3.1.3: a path of 256 octets, with its angle brackets."""
_LABEL = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_ATOM = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_ADDRESS = re.compile(rf"(?=[^@]{{1,64}}@){_ATOM}(?:\.{_ATOM})*@{_LABEL}(?:\.{_LABEL})+")
"""A dot-atom address of RFC 5321 in ASCII, as Amazon SES takes it: no display name, no quotes, no second address."""

Status = Literal["sent", "refused", "malformed"]
"""`sent` is what Amazon SES has taken: that it arrives is told to nobody here. `malformed` was not even tried."""


@dataclass(frozen=True)
class Recipient:
    """Somebody to tell. Out of band is who reads mail elsewhere, since the tenant's mailbox may be the intruder's."""

    address: str
    out_of_band: bool


@dataclass(frozen=True)
class Recipients:
    """Who is told, the admin first; `malformed` is what stands in place of an address, and is shown to people only."""

    to: tuple[Recipient, ...]
    malformed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Told:
    """What became of one notice. `problem` is the code of Amazon SES's error, or what is wrong with the address."""

    recipient: str
    status: Status
    out_of_band: bool
    problem: str = ""


def recipients(username: str, contacts: str) -> Recipients:
    """Who is told: the admin of the tenant (the `username` of its secret), and its contacts, each once.

    A contact in the tenant's own domain, or below it, is told too, and is not out of band. Nobody is, where the
    username shows no domain to compare with.
    """
    own = domain_of(username) if is_address(username) else None
    to: dict[str, Recipient] = {}
    malformed: list[str] = []
    for each in _named(username, contacts):
        if is_address(each):
            to.setdefault(each.lower(), Recipient(each, own is not None and not _within(domain_of(each), own)))
        else:
            malformed.append(one_line(each, 60) or "(no address)")
    return Recipients(tuple(to.values()), tuple(dict.fromkeys(malformed)))


def _named(username: str, contacts: str) -> Iterator[str]:
    yield username
    yield from (each.strip(" ") for each in contacts.split(",") if each.strip(" "))


def _within(domain: str, own: str) -> bool:
    return domain == own or domain.endswith(f".{own}")


def is_address(text: str) -> bool:
    """Whether a text is one plain address and nothing more, so that it can stand in a header."""
    return len(text) <= _ADDRESS_BYTES and _ADDRESS.fullmatch(text) is not None


def malformed_results(found: Recipients) -> list[Told]:
    """What becomes of those that are no addresses."""
    return [Told(each, "malformed", False, "not an address") for each in found.malformed]


def compromise_notice(email: str, incident: str, rotated_at: str, answers_to: str, tokens_revoked: int = 0) -> Message:
    """The notice of `credential_compromise`. `rotated_at` is RFC 3339; answers go to the address `answers_to`."""
    tokens = (
        f"  Its app tokens were revoked ({tokens_revoked}). A mail program that used one needs a new one.\n"
        if tokens_revoked
        else ""
    )
    body = f"""Your SMTP credentials have been rotated due to a security incident.
Incident ID: {one_line(incident)}.
No action required on your part.

What was done:
  The password of {one_line(email)} was replaced, {utc(rotated_at)}.
{tokens}
{_closing(answers_to, ", and name the incident ID")}"""
    return Message("SMTP Credentials Rotated - Security Incident", body)


def due_notice(email: str, due_on: date, answers_to: str) -> Message:
    """The notice of a planned rotation, some days before it."""
    body = f"""Your SMTP credentials will be rotated on {due_on}, as planned. Nothing has happened.
There is no outage.
No action required on your part.

What will be done:
  The password of {one_line(email)} will be replaced.

{_closing(answers_to, "")}"""
    return Message(f"SMTP Credentials Will Be Rotated on {due_on} - Planned Rotation", body)


def _closing(answers_to: str, naming: str) -> str:
    return f"""There is no password in this mail, and no link. Nobody will ever ask you for a password because of it.
If anything looks wrong, answer this mail or write to {answers_to}{naming}.
Write from another mailbox if somebody else may be reading this one.
"""


def utc(at: str) -> str:
    """A moment in RFC 3339 as people read it; what is none stays as it is. Without an offset it is UTC."""
    try:
        moment = datetime.fromisoformat(at)
    except ValueError:
        return one_line(at, 60)
    return f"{moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def one_line(text: str, limit: int = _SHOWN) -> str:
    """A text that somebody else wrote, as a line that shows what is there: what cannot be printed becomes `?`."""
    plain = "".join(each if each.isprintable() else "?" for each in text)
    return plain if len(plain) <= limit else f"{plain[: limit - 3]}..."
