"""Which backup a restore takes: the newest good one, the newest of a date, or the very one that was named."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from lambdas.domain.backup import CatalogRow, ProofLevel
from lambdas.domain.database_errors import NoBackupBefore
from lambdas.domain.errors import BackupOfOtherKind, BackupUnknown, NoBackupOnDate, NoUsableBackup

_SHOWN = 10


@dataclass(frozen=True)
class PassedOver:
    """A backup that would have been chosen if it were good."""

    backup_id: str
    proof: ProofLevel


def choose_backup(
    rows: Sequence[CatalogRow],
    kind: str,
    backup_date: date | None = None,
    backup_id: str | None = None,
    before: datetime | None = None,
) -> CatalogRow:
    """Choose among all rows of a catalog, given newest first.

    Without a date or an id it is the newest daily backup that is proved intact. A date takes the newest of that
    day (UTC) that is; an id takes that one whatever its level, since it is verified again before anything is touched.
    With `before` it is the newest that was finished before that moment: its snapshot lies between its start and its
    end. Raises `NoUsableBackup`, `NoBackupOnDate`,
    `NoBackupBefore`, `BackupUnknown` and `BackupOfOtherKind`.
    """
    rows = [row for row in rows if row.series != "staging"]  # an empty state is put back by its restore test alone
    if backup_id is not None:
        return _by_id(rows, kind, backup_id)
    usable = [row for row in rows if row.kind == kind and row.is_good]
    if not usable:
        raise NoUsableBackup(kind=kind)
    if before is not None:
        earlier = [row for row in usable if row.finished <= before]
        if not earlier:
            raise NoBackupBefore(kind=kind, before=before.isoformat(), oldest=usable[-1].finished.isoformat())
        usable = earlier
    if backup_date is None:
        return usable[0]
    of_day = [row for row in usable if row.date == backup_date.isoformat()]
    if not of_day:
        dates = sorted({row.date for row in usable}, reverse=True)
        raise NoBackupOnDate(kind=kind, date=backup_date.isoformat(), dates=_listed(dates))
    return of_day[0]


def passed_over(
    rows: Sequence[CatalogRow], chosen: CatalogRow, backup_date: date | None = None, before: datetime | None = None
) -> list[PassedOver]:
    """The newer backups of the kind and series of a chosen one that were not chosen since they are not good.

    `rows`, `backup_date` and `before` are those of the choice. The newest come first, and there are ten at most.
    """
    newer = rows[: list(rows).index(chosen)]
    found = [
        row
        for row in newer
        if (row.kind, row.series) == (chosen.kind, chosen.series)
        and not row.is_good
        and (backup_date is None or row.date == backup_date.isoformat())
        and (before is None or row.finished <= before)
    ]
    return [PassedOver(row.id, row.proof) for row in found[:_SHOWN]]


def _by_id(rows: Sequence[CatalogRow], kind: str, backup_id: str) -> CatalogRow:
    known = _listed([row.id for row in rows if row.kind == kind])
    found = next((row for row in rows if row.id == backup_id), None)
    if found is None:
        raise BackupUnknown(backup_id=backup_id, known=known)
    if found.kind != kind:
        raise BackupOfOtherKind(backup_id=backup_id, found=found.kind, wanted=kind, known=known)
    return found


def _listed(names: Sequence[str]) -> str:
    if not names:
        return "none"
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
