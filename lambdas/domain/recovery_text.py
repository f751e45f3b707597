"""The preview of a recovery of rows, as the person reads it who has to approve it."""

from collections.abc import Sequence
from datetime import UTC, datetime

from lambdas.domain.recovery_plan import RecoveryPlan, TablePlan
from lambdas.domain.timeline import in_words

_CONFLICTS_SHOWN = 20


def not_in_backup(data_from: str, deleted_at: datetime) -> str:
    """Which rows cannot be in a backup of the state of `data_from` (RFC 3339): between when and when they were written.

    The deletion is at the time that a person has given.
    """
    begun = datetime.fromisoformat(data_from).astimezone(UTC)
    deleted = deleted_at.astimezone(UTC)
    between = in_words(abs((deleted - begun).total_seconds()))
    when = f"The backup holds the state of {begun.isoformat(timespec='seconds')}"
    at = f"the deletion at {deleted.isoformat(timespec='seconds')}"
    if begun > deleted:
        return f"{when}, {between} after {at}: rows that were deleted before it was made cannot be in it."
    return f"{when}, {between} before {at}: rows written or changed in these {between} cannot be in it as they were."


def preview_text(plan: RecoveryPlan, database: str, backup_id: str, data_from: str, deleted_at: datetime) -> str:
    """All that would be done: counts a table, a sample of rows without content, conflicts, what is not touched.

    `data_from` and `deleted_at` as `not_in_backup` takes them.
    """
    parts = [
        f"Rows of {backup_id} that are to be brought back into {database}.",
        not_in_backup(data_from, deleted_at),
        f"{plan.rows} rows in {len(plan.tables)} tables would be inserted, parents first; no live row is changed.",
        *(_of_table(table) for table in plan.tables),
    ]
    if plan.conflict_count:
        left = "are left out" if plan.on_conflict == "skip" else "stop the import"
        head = f"{plan.conflict_count} rows are in conflict, and {left} (all in conflicts.csv):"
        parts.append("\n".join([head, *(f"  {conflict}" for conflict in plan.conflicts[:_CONFLICTS_SHOWN])]))
    if plan.unlinked:
        told = [f"  {name}: {count}" for name, count in plan.unlinked.items()]
        parts.append("\n".join(["Live rows that referred to these rows, and stay without:", *told]))
    if plan.changed:
        told = [f"  {name}: {count}" for name, count in plan.changed.items()]
        parts.append("\n".join(["Live rows in scope or referred to, changed since the backup, not touched:", *told]))
    if plan.only_in_backup:
        parts.append(f"Tables that only the backup has, left alone: {', '.join(plan.only_in_backup)}")
    return "\n\n".join(parts) + "\n"


def _of_table(table: TablePlan) -> str:
    head = f"{table.table}: {table.rows} rows"
    if table.parents:
        head += f", of which {table.parents} are there because others refer to them"
    if table.left_out:
        head += f"; {table.left_out} more are left out"
    return "\n".join([head, *(f"  {_row(row)}" for row in table.sample)])


def _row(row: dict[str, str | None]) -> str:
    return ", ".join(f"{column}={'null' if value is None else value}" for column, value in row.items())


def in_short(tables: Sequence[TablePlan]) -> str:
    """What would be inserted, in one line: `organizations 1, users 3`."""
    return ", ".join(f"{table.table} {table.rows}" for table in tables if table.rows)
