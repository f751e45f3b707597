"""How old the newest good backup of each kind is, and the newest test that restored one; and what is too old."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from lambdas.domain.audit import Event
from lambdas.domain.backup import CatalogRow, read_backup_id
from lambdas.domain.objectives import DAILY, HOUR
from lambdas.domain.timeline import in_words

BACKUP_LIMIT = DAILY + HOUR
"""Seconds. A backup is made every night, and must be done within the hour that its plan gives it."""

_WEEK = 7 * DAILY

TEST_LIMITS: dict[str, int] = {"vault": _WEEK + HOUR, "database": 5 * _WEEK + HOUR}
"""Seconds. A restore of Vault is tested every week, with an hour to do it in, and one of the database on the first
Sunday of a month (service-recovery-plan.md, "Monthly DR Testing"): at most five weeks lie between two of these."""

FRESH_LIMIT = BACKUP_LIMIT + DAILY
"""Seconds. A test proves the backups that are made at its time: what it restored was at most this old when it ended.

One night may fail before it, which is an alarm of its own: the test is good all the same.
"""

TEST_EVENTS: dict[str, str] = {
    "vault": "vault_restore_test_completed",
    "database": "database_restore_test_completed",
}
"""Each kind of backup, and the event of the audit trail that says that one was restored and proved equal."""

_IN_DAYS = 3 * DAILY


@dataclass(frozen=True)
class Ages:
    """Ages in seconds; None where there is nothing that could have an age.

    A backup is as old as the data in it: `backup_seconds` count from its start. A test counts from its end. What is
    dated in the future has no age, since a clock was wrong; `dated_ahead` are the good backups of which that is true.
    """

    kind: str
    backup_id: str | None
    backup_seconds: int | None
    test_seconds: int | None
    dated_ahead: list[str] = field(default_factory=list)


def ages_of(kind: str, rows: Sequence[CatalogRow], last_test: datetime | None, now: datetime) -> Ages:
    """The ages of one kind; `rows` are those of a catalog, newest first; a test that counts ended at `last_test`."""
    mine = [row for row in rows if row.kind == kind]
    newest = newest_good(mine, now)
    return Ages(
        kind=kind,
        backup_id=newest.id if newest else None,
        backup_seconds=_seconds(datetime.fromisoformat(newest.started_at), now) if newest else None,
        test_seconds=_seconds(last_test, now) if last_test else None,
        dated_ahead=[row.id for row in mine if row.is_good and _is_ahead(row.started_at, now)],
    )


def kinds_without_backup(kinds: Collection[str], rows: Sequence[CatalogRow], now: datetime) -> list[str]:
    """Those of the kinds that have no good backup which is at most `BACKUP_LIMIT` old; `rows` are newest first."""
    found = {kind: ages_of(kind, rows, None, now).backup_seconds for kind in kinds}
    return [kind for kind, seconds in found.items() if seconds is None or seconds > BACKUP_LIMIT]


def left_kinds(kinds: Collection[str], rows: Iterable[CatalogRow]) -> list[str]:
    """The kinds that have backups, and that the estate no longer has: nothing makes new ones, nor misses them."""
    return sorted({row.kind for row in rows} - set(kinds))


def left_in_words(kind: str) -> str:
    """That a kind of backup has been left, without a full stop."""
    return f"there are {kind} backups, and the estate has no {kind} any more: no new one is made"


def way_back(kind: str) -> str:
    """What to do about a kind that has been left."""
    return (
        f"Put {kind} back into the estate and run `cdk deploy --all`; or, if nothing of it is to be protected any "
        "more, delete the rows of its backups from the table mailark-catalog, in both regions."
    )


def newest_good(rows: Iterable[CatalogRow], now: datetime) -> CatalogRow | None:
    """The newest good backup that has an age, among rows given newest first; one that is dated ahead hides no other."""
    return next((row for row in rows if row.is_good and not _is_ahead(row.started_at, now)), None)


def _is_ahead(moment: str, now: datetime) -> bool:
    return datetime.fromisoformat(moment) > now


def newest_test(events: Iterable[Event], kind: str, now: datetime) -> Event | None:
    """The newest restore test that counts, among those that ended well, newest first; the others are passed over.

    It restored a nightly backup of `kind` that was fresh and good: a test of an old one, of one that was refused, or of
    what was saved before a restore, says nothing of the backups that are made now. One that is dated in the future does
    not count before that.
    """
    ended = (event for event in events if not _is_ahead(event.timestamp, now))
    return next((event for event in ended if _counts(event, kind)), None)


def _counts(event: Event, kind: str) -> bool:
    name = read_backup_id(str(event.details.get("backup_id")))
    if name is None or (name.kind, name.series) != (kind, "daily") or event.details.get("proof") == "stored":
        return False
    return 0 <= _seconds(name.started_at, datetime.fromisoformat(event.timestamp)) <= FRESH_LIMIT


def too_old(ages: Ages, *, tested_here: bool) -> list[str]:
    """What is wrong with these ages, in words; an empty list is good.

    `tested_here` is whether restores are tested in the region that they are of: elsewhere no test is expected.
    """
    found = []
    if ages.backup_seconds is None:
        found.append(f"there is no good {ages.kind} backup")
    elif ages.backup_seconds > BACKUP_LIMIT:
        found.append(f"the newest good {ages.kind} backup is {age_in_words(ages.backup_seconds)} old")
    found += [
        f"{backup_id} is dated in the future, and a recovery takes it for the newest" for backup_id in ages.dated_ahead
    ]
    if tested_here and ages.test_seconds is None:
        found.append(f"no fresh {ages.kind} backup has been restored as a test")
    elif tested_here and ages.test_seconds is not None and ages.test_seconds > TEST_LIMITS[ages.kind]:
        found.append(f"the newest restore test of a fresh {ages.kind} backup is {age_in_words(ages.test_seconds)} old")
    return found


def age_in_words(seconds: float) -> str:
    """An age for people: as `in_words` says a duration, and from three days on in days."""
    return in_words(seconds) if seconds < _IN_DAYS else f"{seconds // DAILY:.0f} days"


def good_for(kind: str) -> str:
    """How long a restore test of a kind is good for, its hour left out: `a week`, `5 weeks`."""
    weeks = TEST_LIMITS[kind] // _WEEK
    return "a week" if weeks == 1 else f"{weeks} weeks"


def _seconds(since: datetime, now: datetime) -> int:
    return round((now - since).total_seconds())
