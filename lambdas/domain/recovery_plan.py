"""What would be brought back into a database: counts, samples, conflicts, and a digest that stands for all of it.

A person approves the plan; what is imported is held against its digest.
"""

import csv
import hashlib
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from lambdas.domain.canonical import canonical_json

OnConflict = Literal["stop", "skip"]
Problem = Literal[
    "taken",
    "parent missing",
    "depends on one left out",
    "its key is taken by another row since",
    "it hangs on a row whose key is taken by another since",
]
KEY_TAKEN: Literal["its key is taken by another row since"] = "its key is taken by another row since"
PARENT_TAKEN: Literal["it hangs on a row whose key is taken by another since"] = (
    "it hangs on a row whose key is taken by another since"
)

SAMPLE_ROWS = 5
SHOWN_CHARACTERS = 80
KEY_CHARACTERS = 1000
"""A key is shown whole, within reason, unless it is hidden."""
CONFLICTS_LISTED = 10_000
"""A list that a person works through, and memory that has an end; the count is of all."""

_CONTENT = (
    *("body", "subject", "content", "payload", "token", "secret", "password", "passwd", "hash", "key"),
    *("header", "attachment", "snippet", "html", "credential", "text", "message", "mime", "preview", "comment"),
    *("note", "description", "data", "raw", "eml", "source", "session", "cookie", "nonce", "otp", "signature"),
)
HIDDEN = "(hidden)"


def is_hidden(column: str) -> bool:
    """Whether a column's name sounds like the content of a message or like a secret.

    Of such a column in a key, a short hash is shown instead.
    """
    name = column.casefold()
    return any(word in name for word in _CONTENT)


def shown(text: str | None, length: int, binary: bool = False) -> str | None:
    """A value as the sample has it: itself, or its length (in characters or bytes) where it is long."""
    if text is None or length <= SHOWN_CHARACTERS:
        return text
    return f"({length:,} {'bytes' if binary else 'characters'})"


@dataclass(frozen=True)
class Conflict:
    """A row that cannot be brought back as it was.

    `key` is the row's, by column; for a table without primary key it is a digest of the row. `constraint` is the unique
    key that the live row `live_key` has taken since, or the foreign key whose parent is nowhere or is left out. Where
    the live row has the row's primary key and is another, it is that, and `columns` are those that say so.
    """

    table: str
    key: dict[str, str]
    problem: Problem
    constraint: str
    columns: list[str]
    live_key: dict[str, str] = field(default_factory=dict)

    @property
    def without_key(self) -> str:
        """Where it is, and not which row: a key may be a person's address, and errors hold none."""
        return f"{self.table} ({self.problem}: {self.constraint})"

    def __str__(self) -> str:
        key = ", ".join(f"{column} {value}" for column, value in self.key.items())
        return f"{self.table} {key} ({self.problem}: {self.constraint})"


@dataclass(frozen=True)
class TablePlan:
    """What comes back into one table.

    Of `rows`, `parents` were not asked for: other rows refer to them. `left_out` are missing too, and in conflict.
    """

    table: str
    rows: int
    parents: int = 0
    left_out: int = 0
    sample: list[dict[str, str | None]] = field(default_factory=list)


@dataclass(frozen=True)
class RecoveryPlan:
    """All that would be done, in the order of the import.

    `conflicts` lists at most `CONFLICTS_LISTED` of `conflict_count` rows. `unlinked` counts, by table and columns, the
    live rows that referred to a row of this plan and no longer do (ON DELETE SET NULL): they are not touched.
    `only_in_backup` names tables that refer to rows of this plan, and that the live database no longer has. `changed`
    counts, by table, live rows of the scope, or that rows of this plan hang on, that hold something else since, and
    those that hung on such and refer to others now.
    """

    tables: list[TablePlan]
    conflicts: list[Conflict]
    conflict_count: int
    on_conflict: OnConflict
    digest: str
    unlinked: dict[str, int] = field(default_factory=dict)
    only_in_backup: list[str] = field(default_factory=list)
    changed: dict[str, int] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """How many rows would be inserted."""
        return sum(table.rows for table in self.tables)

    @property
    def nothing_missing(self) -> bool:
        """Whether every row that was asked for is live."""
        return not any(table.rows or table.left_out for table in self.tables)

    @property
    def importable(self) -> bool:
        """Whether an import would be made: with conflicts only when they are to be skipped."""
        return self.rows > 0 and (self.on_conflict == "skip" or not self.conflict_count)


CSV_COLUMNS = ("table", "key", "problem", "constraint", "columns", "live_key")


def conflicts_csv(conflicts: Iterable[Conflict]) -> str:
    """The conflicts as CSV (RFC 4180) with headers; keys are JSON."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(CSV_COLUMNS)
    for each in conflicts:
        live = canonical_json(each.live_key).decode() if each.live_key else ""
        key = canonical_json(each.key).decode()
        writer.writerow([each.table, key, each.problem, each.constraint, " ".join(each.columns), live])
    return text.getvalue()


class PlanDigest:
    """SHA-256 over what would be done: how conflicts are met, and for each table its counts and its rows.

    Of a row that is its key and a hash of what it holds: no sum, since whoever may write in the restored backup could
    choose values that sum up alike. Rows come in an order of their own; `bytes` of one table may be cut anywhere.
    """

    def __init__(self, on_conflict: OnConflict) -> None:
        self._hash = hashlib.sha256(canonical_json(["mailark-recovery-plan-2", on_conflict]))

    def table(self, name: str, columns: Sequence[str], plan: TablePlan, rows: Iterable[bytes]) -> None:
        """Add a table; a digest of its rows of its own keeps two tables from running into one another."""
        of_rows = hashlib.sha256()
        for part in rows:
            of_rows.update(part)
        counts = [plan.rows, plan.parents, plan.left_out]
        self._hash.update(canonical_json([name, list(columns), counts, of_rows.hexdigest()]))

    def hexdigest(self) -> str:
        return self._hash.hexdigest()


@dataclass(frozen=True)
class TableLoss:
    """How one table of the backup compares with the live one, in rows; `missing` is None where it was not counted."""

    table: str
    backup: int
    live: int
    missing: int | None

    @property
    def suspicious(self) -> bool:
        """Whether rows of the backup are no longer there."""
        return self.missing > 0 if self.missing is not None else self.live < self.backup


def by_loss(losses: Iterable[TableLoss]) -> list[TableLoss]:
    """The suspicious ones, those that lost most first."""
    found = [loss for loss in losses if loss.suspicious]
    lost = {loss.table: loss.backup - loss.live if loss.missing is None else loss.missing for loss in found}
    return sorted(found, key=lambda loss: (-lost[loss.table], loss.table))
