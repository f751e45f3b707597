"""Which backups stay, and until when they are locked: computed from the catalog, by counting and never by age alone.

What is counted cannot run out: when backups stop, or a clock jumps, the newest ones stay the newest, and deletion stops
with them. Sources: `credential-recovery.md` ("Retention": 30 daily, 12 monthly), and `service-recovery-plan.md`
("Appendix D": 30 days here, 90 days where the copies are).
"""

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

from lambdas.domain.backup import CatalogRow, reaches


@dataclass(frozen=True)
class RetentionRule:
    """How many backups of a kind stay: all of the last `daily` days, the first of each of `monthly` months.

    Only good ones count, and only days and months that have one. Whatever is younger than `evidence_days`, good or not,
    stays too; so does what was saved before the last `undo` restores, and the newest empty state of the staging Vault,
    where they are proved intact.
    """

    daily: int
    monthly: int
    evidence_days: int = 7
    undo: int = 3


RULES: dict[str, RetentionRule] = {
    # credential-recovery.md, "Automated Vault Backups": 30 daily, 12 monthly
    "vault": RetentionRule(daily=30, monthly=12),
    # service-recovery-plan.md, "Automated Daily Backups": 30 days
    "database": RetentionRule(daily=30, monthly=0),
}
COPY_RULES: dict[str, RetentionRule] = {
    "vault": RULES["vault"],
    # service-recovery-plan.md, "Appendix D: Backup Location Map": 90 days where the remote copies are
    "database": RetentionRule(daily=90, monthly=0),
}
"""The same for the copies in the other region."""

READERS = {
    "vault": ("vault_restore", "vault_restore_test"),
    "database": ("data_deletion", "database_corruption", "database_restore_test"),
}
"""The scenarios that may be reading a backup of a kind: nothing is deleted under their hands."""

_LEAST = timedelta(hours=36)
"""All that stays is locked for so long at least: beyond the next night, were it late. What goes waits for its lock."""


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
    return now + timedelta(days=rule.evidence_days)


def plan_retention(
    rows: Iterable[CatalogRow],
    kind: str,
    rule: RetentionRule,
    now: datetime,
    proven: Container[str] = (),
    written: Mapping[str, datetime] = MappingProxyType({}),
) -> Retention:
    """Decide for every backup of `kind`; `rows` in any order, `now` in UTC.

    `proven` are ids that are proven elsewhere; `written` is when the manifest came, by id: what was brought back is
    young again, and has its week to be proved.

    The newest proven backup and the newest good one always stay. What a clock set ahead has dated in the future stays
    until then, and takes no other's place. Everything that stays is locked for as long as it is sure to stay.
    """
    newest_first = sorted((row for row in rows if row.kind == kind), key=lambda row: row.started_at, reverse=True)
    started = {row.id: datetime.fromisoformat(row.started_at) for row in newest_first}
    intact = [row for row in newest_first if started[row.id] <= now and reaches(row.proof, "intact")]
    good = [row for row in intact if row.is_good]
    days = list(dict.fromkeys(row.date for row in good))[: rule.daily]
    reasons: dict[str, list[str]] = {row.id: [] for row in newest_first}
    locks: dict[str, datetime] = {}

    def keep(row: CatalogRow, reason: str, until: datetime = now) -> None:
        reasons[row.id].append(reason)
        locks[row.id] = max(locks.get(row.id, now + _LEAST), until)

    for row in good:
        if row.date in days:
            place = days.index(row.date)
            keep(row, f"day {place + 1} of {rule.daily}", now + timedelta(days=rule.daily - place))
    months = _oldest_of_each(_month, good)
    for place, row in enumerate(months[: rule.monthly]):
        pushed_out = _first_of_month(_month(months[0]), rule.monthly - place)
        keep(row, f"month {place + 1} of {rule.monthly}", pushed_out)
    for row in [row for row in good if reaches(row.proof, "proven") or row.id in proven][:1]:
        long = now + timedelta(days=rule.daily)  # no newer one is known to be of any use
        keep(row, "the newest that is proven", now if reasons[row.id] else long)
    for row in [row for row in intact if row.series == "pre-restore"][: rule.undo]:
        keep(row, f"saved before one of the last {rule.undo} restores")
    for row in [row for row in intact if row.series == "staging"][:1]:
        keep(row, "the empty state of the staging Vault")
    young = timedelta(days=rule.evidence_days)
    for row in newest_first:
        if started[row.id] > now:
            keep(row, "dated in the future", now + young)
        elif now - (came := max(started[row.id], written.get(row.id, started[row.id]))) < young:
            keep(row, f"younger than {rule.evidence_days} days", min(came, now) + young)
    kept = [Kept(row, reasons[row.id], locks[row.id]) for row in newest_first if reasons[row.id]]
    return Retention(kept, [row for row in reversed(newest_first) if not reasons[row.id]])


def _month(row: CatalogRow) -> str:
    return row.date[:7]


def _first_of_month(month: str, later: int) -> datetime:
    """When the month begins that comes so many months after another: the first that can push a backup out."""
    number = int(month[:4]) * 12 + int(month[5:]) - 1 + later
    return datetime(number // 12, number % 12 + 1, 1, tzinfo=UTC)


def _oldest_of_each(period: Callable[[CatalogRow], str], newest_first: Sequence[CatalogRow]) -> list[CatalogRow]:
    """The oldest backup of each period, newest period first."""
    return list({period(row): row for row in newest_first}.values())
