"""The audit bucket: what lies where in it, and what somebody put over or beside it, or deleted."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote, unquote

from lambdas.domain.audit import Link
from lambdas.domain.errors import AuditTrailBroken

HEADS, EVENTS, SPOOL, CHAINED = "heads/", "events/", "spool/", "chained/"
"""The folders of the audit bucket: signed heads, archived events, events that wait to be chained, and marks of those
that were."""

_DIGITS = 12


def events_folder(scope: str) -> str:
    """Where the events of a chain are archived: `events/platform%23vault/`."""
    return f"{EVENTS}{quote(scope, safe='')}/"


def event_key(scope: str, sequence: int) -> str:
    """Where an event is archived; the keys of a chain sort as its events do."""
    return f"{events_folder(scope)}{sequence:0{_DIGITS}}.json"


def second_key(each: Link) -> str:
    """Where an event is archived whose place holds another one: a key beside that place, and no place itself."""
    return f"{event_key(each.scope, each.sequence).removesuffix('.json')}.{each.hash}.json"


def place_of(key: str) -> tuple[str, int] | None:
    """The scope and sequence that an archived event's key names; None for any other key."""
    folder, _, name = key.removeprefix(EVENTS).rpartition("/")
    digits = name.removesuffix(".json")
    if not digits.isdecimal() or event_key(unquote(folder), int(digits)) != key:
        return None
    return unquote(folder), int(digits)


def heads_key(signed_at: str) -> str:
    """Where a document of heads lies: `heads/2026/11/22/020500Z.json`; the keys sort by time."""
    return f"{HEADS}{datetime.fromisoformat(signed_at).astimezone(UTC):%Y/%m/%d/%H%M%SZ}.json"


@dataclass(frozen=True)
class Finding:
    """What is wrong, and where: in a chain at an event, or (without a sequence) in a document."""

    where: str
    sequence: int | None
    problem: str

    def __str__(self) -> str:
        return f"{self.where}: {self.problem}"


FAULTS_TOLD = 20
"""How many findings an error and a document hold: more do not help whoever reads them at night."""


def broken(findings: Sequence[object], more: bool = False) -> AuditTrailBroken:
    """The error that tells some findings; `more` when there are more than these."""
    told = "; ".join(str(finding) for finding in findings[:FAULTS_TOLD])
    return AuditTrailBroken(count=f"at least {len(findings)}" if more else len(findings), first=told)


NO_PLACE = "it lies where no event belongs; a second event for a place that is taken is archived so, beside the first"


LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Kept:
    """What the bucket holds under a key, as a listing of its versions shows it.

    `version`, `md5`, `size` and `put_at` are those of what was put first, and empty where there is nothing but deletion
    markers. S3's ETag of an object that was put whole is the MD5 of its content (S3 API reference, "Object"): one
    request tells it of a thousand objects. `later` counts the versions that were put after the first, `markers` the
    deletions.
    """

    key: str
    version: str
    md5: str
    later: int
    markers: int
    size: int = 0
    put_at: datetime = LONG_AGO


def kept_findings(kept: Iterable[Kept]) -> Iterator[Finding]:
    """What was put over or beside what the bucket holds, or deleted; the lock keeps what was put."""
    for each in kept:
        if each.markers:
            yield Finding(each.key, None, "it was deleted; below the deletion marker, the lock keeps what lay there")
        if each.version and each.later:
            yield Finding(each.key, None, f"it was put again; of its {each.later + 1} versions, the oldest is believed")
        if each.key.startswith(EVENTS) and not place_of(each.key):
            yield Finding(each.key, None, NO_PLACE)
