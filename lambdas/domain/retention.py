"""Which backups stay, and until when they are locked: computed from the catalog, by counting and never by age alone.

What is counted cannot run out: when backups stop, or a clock jumps, the newest ones stay the newest, and deletion stops
with them. Sources: `credential-recovery.md` ("Retention": 30 daily, 12 monthly).
"""

from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from lambdas.domain.backup import CatalogRow, reaches


@dataclass(frozen=True)
class RetentionRule:
    """How many backups of a kind stay: of the last `daily` days and of the last `monthly` months that have a good one.

    Whatever is younger than `evidence_days`, good or not, stays too; so does what was saved before the last
    `undo` restores, and the newest empty state of the staging Vault.
    """

    daily: int
    monthly: int
    evidence_days: int = 7
    undo: int = 3


RULES: dict[str, RetentionRule] = {
    # credential-recovery.md, "Automated Vault Backups": 30 daily, 12 monthly
    "vault": RetentionRule(daily=30, monthly=12),
}

_MARGIN = timedelta(hours=12)
"""A lock ends before the night that may delete what it protects: nobody, Mailark included, may lift one."""


@dataclass(frozen=True)
class Kept:
    """A backup that stays: why, in words, and until when it is to be locked."""

    row: CatalogRow
    reasons: list[str]
    locked_until: datetime


@dataclass(frozen=True)
class Retention:
    """What becomes of every backup of one kind. `deleted` is oldest first."""

    kept: list[Kept] = field(default_factory=list)
    deleted: list[CatalogRow] = field(default_factory=list)


def first_lock(rule: RetentionRule, now: datetime) -> datetime:
    """Until when a backup is locked when its manifest is complete: as long as it stays whatever becomes of it."""
    return now + timedelta(days=rule.evidence_days) - _MARGIN


def plan_retention(
    rows: Iterable[CatalogRow], kind: str, rule: RetentionRule, now: datetime, proven: Container[str] = ()
) -> Retention:
    """Decide for every backup of `kind`; `rows` in any order, `now` in UTC; `proven` are ids that are proven elsewhere.

    The newest proven backup and the newest good one always stay.
    """
    newest_first = sorted((row for row in rows if row.kind == kind), key=lambda row: row.started_at, reverse=True)
    good = [row for row in newest_first if row.series == "daily" and reaches(row.proof, "intact")]
    reasons: dict[str, list[str]] = {row.id: [] for row in newest_first}
    locks: dict[str, datetime] = {}

    def keep(row: CatalogRow, reason: str, days: int, until: datetime | None = None) -> None:
        reasons[row.id].append(reason)
        until = max(now + timedelta(days=days) - _MARGIN, until or now)
        locks[row.id] = max(locks.get(row.id, until), until)

    for place, row in enumerate(_newest_of_each(_day, good)[: rule.daily]):
        keep(row, f"day {place + 1} of {rule.daily}", rule.daily - place)
    months = _oldest_of_each(_month, good)
    for place, row in enumerate(months[: rule.monthly]):
        pushed_out = _first_of_month(_month(months[0]), rule.monthly - place)
        keep(row, f"month {place + 1} of {rule.monthly}", 1, pushed_out)
    for row in [row for row in good if reaches(row.proof, "proven") or row.id in proven][:1]:
        keep(row, "the newest that is proven", rule.daily)
    for row in [row for row in newest_first if row.series == "pre-restore"][: rule.undo]:
        keep(row, f"saved before one of the last {rule.undo} restores", rule.evidence_days)
    for row in [row for row in newest_first if row.series == "staging"][:1]:
        keep(row, "the empty state of the staging Vault", rule.evidence_days)
    for row in newest_first:
        left = timedelta(days=rule.evidence_days) - (now - datetime.fromisoformat(row.started_at))
        if left > timedelta():
            keep(row, f"younger than {rule.evidence_days} days", min(left.days + 1, rule.evidence_days))
    kept = [Kept(row, reasons[row.id], locks[row.id]) for row in newest_first if reasons[row.id]]
    return Retention(kept, [row for row in reversed(newest_first) if not reasons[row.id]])


def _day(row: CatalogRow) -> str:
    return row.date


def _month(row: CatalogRow) -> str:
    return row.date[:7]


def _first_of_month(month: str, later: int) -> datetime:
    """When the month begins that comes so many months after another: the first that can push a backup out."""
    number = int(month[:4]) * 12 + int(month[5:]) - 1 + later
    return datetime(number // 12, number % 12 + 1, 1, tzinfo=UTC)


def _newest_of_each(period: Callable[[CatalogRow], str], newest_first: Sequence[CatalogRow]) -> list[CatalogRow]:
    """The newest backup of each period, newest period first."""
    return list({period(row): row for row in reversed(newest_first)}.values())[::-1]


def _oldest_of_each(period: Callable[[CatalogRow], str], newest_first: Sequence[CatalogRow]) -> list[CatalogRow]:
    """The oldest backup of each period, newest period first."""
    return list({period(row): row for row in newest_first}.values())
