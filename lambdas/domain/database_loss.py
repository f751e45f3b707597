"""Whether a dump looks as if its database had lost what it held; it must not take the place of the last good one."""

from collections.abc import Sequence
from statistics import median

from lambdas.domain.backup import CatalogRow
from lambdas.domain.database_errors import DumpLooksLost

_LAST = 7
_SHARE = 2
"""Under half of the median of the last seven: a week of dumps says what is usual, and rows leave one by one."""


def refuse_what_looks_lost(rows: Sequence[CatalogRow], dump: CatalogRow, tables: int) -> int | None:
    """Hold a dump against the last seven good ones of its database, among the rows of a catalog given newest first.

    Where a loss was accepted, that dump is the oldest that counts: those before it say no more what is usual.

    Gives the median of their sizes in bytes, or None where there is none. Raises `DumpLooksLost`.
    """
    if tables == 0:
        raise DumpLooksLost(backup_id=dump.id, problem="there is no table in it")
    good = [row for row in rows if row.kind == "database" and row.is_good and row.id != dump.id][:_LAST]
    accepted = next((place for place, row in enumerate(good) if row.loss_accepted), _LAST)
    good = good[: accepted + 1]
    if good and good[0].cluster_id != dump.cluster_id:
        raise DumpLooksLost(backup_id=dump.id, problem=f"it is of another server or database than {good[0].id}")
    if not good:
        return None
    usual = round(median(row.size for row in good))
    if dump.size * _SHARE < usual:
        problem = f"it has {dump.size} bytes, and the last {len(good)} have {usual} (their median)"
        raise DumpLooksLost(backup_id=dump.id, problem=problem)
    return usual
