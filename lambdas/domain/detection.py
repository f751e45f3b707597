"""From what log lines say to suspicions: what is counted, in which windows, and how much is too much.

What happens within a signal's span (an hour, say) is never split: windows are twice as long and begin once a span, so
that one of the two that overlap holds all of it. What is spread over up to twice the span may be found as well.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from lambdas.domain.estate_detection import Detection, Response
from lambdas.domain.mailu_lines import LoginFailed, LoginSucceeded, MessageSent, read_mailu_line
from lambdas.domain.tenant import admin_path
from lambdas.domain.vault_lines import CredentialRead, read_vault_line

Signal = Literal[
    "failed_logins", "login_networks", "sending", "credential_reads", "night_reads", "reset_without_incident"
]
OF_MAILU: tuple[Signal, ...] = ("failed_logins", "login_networks", "sending")
"""A tenant's rotation is the end of what was counted of these; a person in Vault stays who that is."""
MAILU_LOGS, VAULT_LOGS = "/mailark/mailu", "/mailark/vault"
"""Log groups. A stream of the first is named after a tenant's id, up to the first `/`."""
HOUR = 3600
NIGHT_FROM, NIGHT_TO = 22, 6
"""Hours in UTC (`platform-facts.md`: access between 22:00 and 06:00)."""
USUAL_DAYS = 14
"""Long enough for what is sent once a week, with a week to spare."""


@dataclass(frozen=True)
class LogEvent:
    """One line that CloudWatch Logs delivers: its id, its time in seconds since the epoch, its text."""

    id: str
    at: int
    text: str


@dataclass(frozen=True)
class Sighting:
    """What one line adds to one signal.

    `subject` is who is counted within the tenant (a mailbox, a person; none: the tenant as a whole), `member` what
    counts once however often it comes: a network, or the tenant of a read. `name` is how people know the subject.
    """

    event: str
    at: int
    signal: Signal
    tenant_id: str
    subject: str = ""
    member: str = ""
    name: str = ""


@dataclass(frozen=True)
class Slot:
    """The span that a sighting falls into, and with it the two windows. `owner` is a tenant; none for a person."""

    signal: Signal
    owner: str
    subject: str
    start: int
    span: int

    @property
    def starts(self) -> tuple[int, int]:
        """When the two windows that hold the whole slot begin, the later one first; each is two spans long."""
        return self.start, self.start - self.span

    @property
    def over_at(self) -> int:
        """When nothing falls into either window any more."""
        return self.start + 2 * self.span


@dataclass(frozen=True)
class Window:
    """What was counted in one window: `lines` in all, and the `members` among them."""

    lines: int = 0
    members: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Suspicion:
    """A tenant whose credential may have leaked; `said` is the reason in one line, fit for an alarm and a mail."""

    tenant_id: str
    signal: Signal
    response: Response
    said: str


def see_mailu(tenant_id: str, events: Iterable[LogEvent]) -> list[Sighting]:
    """What the lines of a tenant's mail server add to which signals. Raises nothing, whatever stands there."""
    found = []
    for event in events:
        said = read_mailu_line(event.text)
        if isinstance(said, LoginFailed):
            found.append(Sighting(event.id, event.at, "failed_logins", tenant_id))
        elif isinstance(said, LoginSucceeded):
            seen = Sighting(event.id, event.at, "login_networks", tenant_id, said.user, said.network, said.user)
            found.append(seen)
        elif isinstance(said, MessageSent):
            found.append(Sighting(event.id, event.at, "sending", tenant_id))
    return found


def see_vault(events: Iterable[LogEvent], detection: Detection, canary: str) -> list[Sighting]:
    """What the lines of Vault's audit log add. Services of the estate may read at any time; nobody resets unnamed."""
    found = []
    for event in events:
        said = read_vault_line(event.text)
        if said is None or admin_path(said.tenant_id) == canary:
            continue
        person, tenant = said.person, said.tenant_id
        if not isinstance(said, CredentialRead):
            found.append(Sighting(event.id, event.at, "reset_without_incident", tenant, person.id, name=person.name))
            continue
        if {person.id, person.name} & set(detection.services):
            continue
        found.append(Sighting(event.id, event.at, "credential_reads", tenant, person.id, tenant, person.name))
        hour = datetime.fromtimestamp(event.at, UTC).hour
        if hour >= NIGHT_FROM or hour < NIGHT_TO:
            found.append(Sighting(event.id, event.at, "night_reads", tenant, person.id, name=person.name))
    return found


def slot_of(sighting: Sighting, detection: Detection) -> Slot:
    """Where a sighting is counted."""
    span = detection.failed_logins.minutes * 60 if sighting.signal == "failed_logins" else HOUR
    owner = "" if sighting.signal == "credential_reads" else sighting.tenant_id
    return Slot(sighting.signal, owner, sighting.subject, sighting.at // span * span, span)


def by_slot(sightings: Iterable[Sighting], detection: Detection) -> dict[Slot, list[Sighting]]:
    """What was seen, by where it is counted."""
    found: dict[Slot, list[Sighting]] = {}
    for each in sightings:
        found.setdefault(slot_of(each, detection), []).append(each)
    return found


def day_of(slot: Slot) -> str:
    """The day in UTC that a slot begins on: `2026-11-22`."""
    return datetime.fromtimestamp(slot.start, UTC).date().isoformat()


def limit_of(signal: Signal, detection: Detection, usual: int = 0) -> int:
    """How much of a signal is not yet suspicious; `usual` is what the tenant's busiest hour had."""
    if signal == "failed_logins":
        return detection.failed_logins.more_than
    if signal == "login_networks":
        return detection.login_networks.more_than
    if signal == "sending":
        return max(detection.sending.at_least, detection.sending.times_usual * usual)
    return detection.credential_reads.more_than if signal == "credential_reads" else 0


def measure(signal: Signal, window: Window) -> int:
    """What is compared with the limit."""
    return len(window.members) if signal == "login_networks" else window.lines


def usual_hour(busiest: Mapping[str, int], day: str) -> int:
    """The busiest hour of the days before `day`, which does not count itself: what grows by the hour is not usual.

    `busiest` has the greatest number of each day (`2026-11-22`).
    """
    first = (datetime.fromisoformat(day) - timedelta(days=USUAL_DAYS)).date().isoformat()
    return max((count for each, count in busiest.items() if first <= each < day), default=0)


def judge(
    slot: Slot, seen: Iterable[Sighting], windows: Mapping[int, Window], detection: Detection, usual: int = 0
) -> list[Suspicion]:
    """What the windows of a slot (by their starts) make of what was seen in it now: a suspicion a tenant, or none."""
    sightings = list(seen)
    start, most = max(
        ((start, measure(slot.signal, windows.get(start, Window()))) for start in slot.starts), key=lambda each: each[1]
    )
    limit = limit_of(slot.signal, detection, usual)
    if most <= limit or not sightings:
        return []
    tenants = {each.tenant_id for each in sightings}
    if slot.signal == "credential_reads":
        tenants |= windows.get(start, Window()).members
    said = _said(slot.signal, most, limit, _plain(sightings[0].name), datetime.fromtimestamp(start, UTC))
    response = _response(slot, detection)
    return [Suspicion(tenant, slot.signal, response, said) for tenant in sorted(tenants)]


def _response(slot: Slot, detection: Detection) -> Response:
    """A mailbox that is not the tenant's own has another password than the one that would be rotated."""
    if slot.signal == "login_networks" and slot.subject.partition("@")[0] != detection.account.lower():
        return "ask"
    response: Response = getattr(detection, slot.signal).response
    return response


def _said(signal: Signal, count: int, limit: int, name: str, since: datetime) -> str:
    when = f"since {since:%Y-%m-%d %H:%M} UTC"
    if signal == "failed_logins":
        return f"{count} failed logins {when}, more than {limit}"
    if signal == "login_networks":
        return f"{name} logged in from {count} networks {when}, more than {limit}"
    if signal == "sending":
        return f"{count} messages sent {when}, more than {limit}"
    if signal == "credential_reads":
        return f"{name} read {count} credentials in Vault {when}, more than {limit}"
    if signal == "night_reads":
        return f"{name} read the credential in Vault at night, {when}"
    return f"{name} marked the credential in Vault as compromised without an incident, {when}"


def _plain(name: str) -> str:
    """A name as it may stand in an alarm: EventBridge puts it into JSON and escapes nothing."""
    return "".join(each if each.isascii() and (each.isalnum() or each in "@.-_+/") else "?" for each in name)[:100]
