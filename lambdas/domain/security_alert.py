"""What the security team reads after a response to a leaked credential: what was done, and what needs a human eye.

What others wrote (comments of app tokens, addresses, the words of an alarm) stands in it as one printable line each.
"""

import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from lambdas.domain.alert import Message, plain_subject
from lambdas.domain.mail_login import Way
from lambdas.domain.mailu import AppToken, Traces, domain_of
from lambdas.domain.notice import CONTACTS, Told, one_line, utc
from lambdas.domain.operation import Operation, console_link
from lambdas.domain.tenant import SMTP_MOUNT, admin_path

_LISTED = 20
"""Of one list: Amazon SNS takes 256 KiB a message, and nobody reads more than this at night."""

TraceKind = Literal[
    "token",
    "forward",
    "reply",
    "spoof",
    "alias",
    "disabled_alias",
    "manager",
    "global_admin",
    "alternative",
    "signup",
    "relay",
]


@dataclass(frozen=True)
class Trace:
    """One thing of `Traces`: `who` has it, and `what` it gives or where it leads."""

    kind: TraceKind
    who: str
    what: str = ""


@dataclass(frozen=True)
class Response:
    """What a response to a leaked credential has done. Holds no secret.

    `found` is how the leak showed. `refused_by` are the ways by which the old password was refused; none where it was
    not known, so that nothing is proved. `revoked` are the app tokens that were deleted. `traces` is what is new since
    the list of `known_good_at` (RFC 3339), or everything, where that is None. `told` is empty where telling failed.
    """

    tenant_id: str
    email: str
    found: str
    replaced_at: str
    refused_by: tuple[Way, ...]
    revoked: tuple[AppToken, ...]
    imap_cut: bool
    traces: tuple[Trace, ...]
    known_good_at: str | None
    told: tuple[Told, ...]


def new_since(traces: Traces, known_good: Traces | None) -> tuple[Trace, ...]:
    """What is there and was not in the last known good list; everything, where there is none.

    Read `traces` after the app tokens were revoked: one that is there then is one that somebody made since.
    """
    known = frozenset(_each(known_good)) if known_good else frozenset()
    return tuple(each for each in _each(traces) if each not in known)


def _each(traces: Traces) -> Iterator[Trace]:
    """Every single thing, as it was told: two that only look alike are not the same."""
    yield from (Trace("token", each.email, each.id) for each in traces.tokens)
    yield from (Trace("forward", user, to) for user, all_to in traces.forwards.items() for to in all_to)
    yield from (Trace("reply", user) for user in traces.replying)
    yield from (Trace("spoof", user) for user in traces.spoofing)
    for alias in traces.aliases:
        kind: TraceKind = "disabled_alias" if alias.disabled else "alias"
        yield from (Trace(kind, alias.email, to) for to in alias.destinations)
    yield from (Trace("manager", user) for user in traces.managers)
    yield from (Trace("global_admin", user) for user in traces.global_admins)
    yield from (Trace("alternative", name) for name in traces.alternatives)
    if traces.signup_enabled:
        yield Trace("signup", domain_of(traces.email))
    yield from (Trace("relay", relay) for relay in traces.relays)


_WORDS: dict[TraceKind, str] = {
    "token": "{who} has the app token {what}",
    "forward": "{who} forwards its mail to {what}",
    "reply": "{who} answers mail by itself",
    "spoof": "{who} may send as anybody",
    "alias": "mail to {who} goes to {what}",
    "disabled_alias": "mail to {who} would go to {what}, were that alias not disabled",
    "manager": "{who} manages the domain",
    "global_admin": "{who} is a global admin of the mail server",
    "alternative": "{who} is another name of the domain",
    "signup": "anybody may make a mailbox in {who}",
    "relay": "the mail server passes on {who}",
}

_BY_HAND = {
    "open IMAP connections": "docker compose restart front imap",
    "fetch accounts": 'sqlite3 data/main.db "SELECT user_email, protocol, host, username FROM fetch"',
    "Sieve filters": "docker compose exec imap doveadm sieve list -u {email}",
    "who knows API_TOKEN": "put a new one into mailu.env and into the secret; docker compose up -d admin",
}
"""How to see or end what Mailu's API has no word for (`docs/mailu.md`). Web sessions end with the password."""


def by_hand(email: str, imap_cut: bool = False) -> dict[str, str]:
    """What is left to a person on the tenant's mail server, and how: each command as a shell takes it."""
    user = shlex.quote(one_line(email))
    left = {name: how for name, how in _BY_HAND.items() if not (imap_cut and name == "open IMAP connections")}
    return {name: how.replace("{email}", user) for name, how in left.items()}


def response_message(response: Response, operation: Operation, estate: str, region: str) -> Message:
    """The alert to the security team."""
    proved = "old password dead" if response.refused_by else "old password NOT proved dead"
    eyes = list(_eyes(response))
    body = f"""A credential has leaked, and was replaced; {proved}.
{_count(eyes)} below for a human eye.

Tenant:         {response.tenant_id}, {one_line(response.email)}
Incident:       {one_line(operation.incident_id or operation.id)}
How it showed:  {one_line(response.found, 500)}
Started by:     {one_line(operation.user_id)}
On:             {estate}, region {region}
Execution:      {console_link(operation.execution)}

What was done:
{_listed(_done(response))}{_listed(map(_token, response.revoked), "  ")}
What needs a human eye:
"""
    for number, (title, lines) in enumerate(eyes, 1):
        body += f"{number}. {title}\n" + _listed(lines, "   ")
    return Message(plain_subject(f"[{estate}] credential leak, {proved}: {response.tenant_id}"), body)


def _done(response: Response) -> Iterator[str]:
    yield f"Password replaced, {utc(response.replaced_at)}."
    if response.refused_by:
        yield f"The old one was tried, and refused by {', '.join(response.refused_by)}."
    yield "Web sessions ended: Mailu ends them with the password."
    yield "Open IMAP connections cut." if response.imap_cut else "Open IMAP connections NOT cut: see below."
    sent = [one_line(each.recipient) + (" (out of band)" if each.out_of_band else "") for each in _sent(response)]
    yield f"Told: {', '.join(sent) or 'nobody'}."
    yield f"App tokens revoked: {len(response.revoked) or 'there were none'}."


def _eyes(response: Response) -> Iterator[tuple[str, Sequence[str]]]:
    """What a person has to look at, the most urgent first: a title, and its lines."""
    if not response.refused_by:
        yield "The old password is not proved dead: nobody knew it, so nobody could try it.", ()
    yield from _untold(response)
    traces = [_WORDS[each.kind].format(who=one_line(each.who), what=one_line(each.what)) for each in response.traces]
    if response.known_good_at is None:
        yield "No known good list to compare with. All of this is there:", traces or ["nothing"]
    elif traces:
        yield f"New since the known good list of {utc(response.known_good_at)}:", traces
    commands = [f"{name}: {how}" for name, how in by_hand(response.email, response.imap_cut).items()]
    yield "Mailu's API cannot tell these. On the tenant's mail server, beside docker-compose.yml:", commands


def _untold(response: Response) -> Iterator[tuple[str, Sequence[str]]]:
    if not response.told:
        yield "The tenant was not told: that step failed. Call the tenant.", ()
        return
    failed = [each for each in response.told if each.status != "sent"]
    if failed:
        yield "Not told:", [f"{one_line(each.recipient)}: {one_line(each.problem)}" for each in failed]
    if not any(each.out_of_band for each in _sent(response)):
        yield "Nobody was told out of band, and the mailbox may be the intruder's: call the tenant.", ()
    if not any(each.out_of_band for each in response.told):
        name = admin_path(response.tenant_id).removeprefix(f"{SMTP_MOUNT}/")
        command = f"vault kv metadata patch -mount={SMTP_MOUNT} -custom-metadata={CONTACTS}=ADDRESS,ADDRESS {name}"
        yield "No contact outside of the tenant's own domain is known. Once you have one:", [command]


def _sent(response: Response) -> list[Told]:
    return [each for each in response.told if each.status == "sent"]


def _token(token: AppToken) -> str:
    networks = ", ".join(map(one_line, token.networks)) or "everywhere"
    comment = one_line(token.comment) or "no comment"
    return f"{one_line(token.id)}: {comment}; made {one_line(token.created)}, usable from {one_line(networks)}"


def _count(eyes: Sequence[object]) -> str:
    return "One point is" if len(eyes) == 1 else f"{len(eyes)} points are"


def _listed(lines: Iterable[str], indent: str = "") -> str:
    found = list(lines)
    left_off = len(found) - _LISTED
    more = [f"... and {left_off} more: see the input of this step in the execution."] if left_off > 0 else []
    return "".join(f"{indent}- {line}\n" for line in [*found[:_LISTED], *more])
