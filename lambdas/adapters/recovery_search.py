"""The search for missing rows as a person sees it: a plan with counts, samples and conflicts, and CSV."""

import hashlib
from collections.abc import Generator, Iterator, Sequence

from psycopg import sql

from lambdas.adapters.missing_rows import MissingRows
from lambdas.adapters.recovery_session import Session, as_text, equal, identifier, names
from lambdas.adapters.row_conflicts import RowConflicts
from lambdas.adapters.taken_keys import TakenKeys
from lambdas.domain.foreign_keys import Table
from lambdas.domain.recovery_plan import (
    HIDDEN,
    KEY_CHARACTERS,
    SAMPLE_ROWS,
    SHOWN_CHARACTERS,
    OnConflict,
    PlanDigest,
    RecoveryPlan,
    TablePlan,
    shown,
)
from lambdas.domain.recovery_scope import ScopeItem


class Search:
    """What is missing, and what stands against it, as a plan."""

    def __init__(self, backup: Session, live: Session, scope: Sequence[ScopeItem], contents: bool = False) -> None:
        """With `contents`, live rows are held against the backup's by what they hold too: this takes its time."""
        self._backup, self._live = backup, live
        self.missing = MissingRows(backup, live, scope, contents=contents)
        self._taken = TakenKeys(self.missing)
        self._conflicts = RowConflicts(self.missing)

    def lock_unnumbered(self) -> None:
        """Lock the tables whose rows have no key: nothing else keeps one of their rows from coming twice."""
        for table in self.missing.tables:
            if not self._live.shape(table).key:
                self._live.run(sql.SQL("lock table {} in share row exclusive mode").format(identifier(table)))

    def find(self) -> None:
        """Search. Both sides are in a transaction whose snapshot stays."""
        self.missing.find()
        self._taken.settle()

    def order(self) -> list[Table]:
        """The tables that miss rows, in the order of the import."""
        return [table for group in self.missing.keys.import_order(self.missing.found()) for table in group]

    def plan(self, on_conflict: OnConflict, samples: bool) -> RecoveryPlan:
        """Search, and say what was found."""
        self.find()
        self.missing.refuse_differences()
        conflicts = self._conflicts.find(self._taken.listed)
        digest = PlanDigest(on_conflict)
        tables = []
        for table in self.order():
            plan = self._table(table, samples)
            tables.append(plan)
            digest.table(plan.table, self._backup.shape(table).stored, plan, self._rows(table))
        return RecoveryPlan(
            tables=tables,
            conflicts=self._conflicts.listed,
            conflict_count=conflicts,
            on_conflict=on_conflict,
            digest=digest.hexdigest(),
            unlinked=self._unlinked() if samples else {},
            only_in_backup=self._only_in_backup(),
            changed=self.missing.changed,
        )

    def newest(self) -> str:
        """The transaction that last wrote a live row in scope that is as in the backup; it takes `contents`."""
        self.missing.dated = True
        self.missing.find()
        return self.missing.newest

    def arrived(self, tables: Sequence[Table]) -> bool:
        """Whether live has each row of these tables that would come back, and it holds the same there.

        What `live.without` has written counts from now on.
        """
        self._live.without = ""
        for table in tables:
            keyed = self._live.shape(table).key
            if not keyed:
                self.missing.number_rows(self._live, table)
            found = sql.SQL("from {} t where t.mailark_left is null").format(self.missing.temp("found", table))
            if self.missing.ask(table, found):
                return False
            if keyed and self._sum(self._rows(table)) != self._sum(self._rows(table, arrived=True)):
                return False
        return True

    def csv(self, table: Table) -> Generator[bytes, None, None]:
        """The missing rows of a table as CSV with headers, without what the server computes by itself."""
        key = self._backup.key(table)
        return self._backup.blocks(
            sql.SQL("copy (select {} from {} f join {} t on {} order by {}) to stdout (format csv, header)").format(
                names(self._backup.shape(table).stored, "t"),
                self.missing.temp("found", table),
                self.missing.source(self._backup, table),
                equal("f", key, "t", key),
                names(key, "f"),
            )
        )

    def _table(self, table: Table, samples: bool) -> TablePlan:
        counted = self._backup.rows(
            sql.SQL(
                "select count(*) filter (where mailark_left is null),"
                " count(*) filter (where mailark_left is null and mailark_parent), count(mailark_left) from {}"
            ).format(self.missing.temp("found", table))
        )
        rows, parents, left_out = (int(str(number)) for number in counted[0])
        return TablePlan(str(table), rows, parents, left_out, self._sample(table) if samples else [])

    def _sample(self, table: Table) -> list[dict[str, str | None]]:
        """The first rows that would come back, by key. What is hidden or long does not leave the server."""
        shape, key, hidden = self._backup.shape(table), self._backup.key(table), self.missing.hidden(table)
        open_columns = [column for column in shape.columns if column.name in key or column.name not in hidden]
        values = [
            sql.SQL("left({4}, {1}), {2}({0}{3})").format(
                sql.Identifier("t", column.name),
                KEY_CHARACTERS if column.name in key else SHOWN_CHARACTERS,
                sql.SQL("octet_length" if column.type == "bytea" else "length"),
                sql.SQL("" if column.type == "bytea" else "::text"),
                as_text([column.name], "t", hidden),
            )
            for column in open_columns
        ]
        query = sql.SQL("select {} from {} f join {} t on {} where f.mailark_left is null order by {} limit {}").format(
            sql.SQL(", ").join(values) if values else sql.SQL("1"),
            self.missing.temp("found", table),
            self.missing.source(self._backup, table),
            equal("f", key, "t", key),
            names(key, "f"),
            SAMPLE_ROWS,
        )
        samples = []
        for row in self._backup.rows(query):
            pairs = zip(open_columns, row[::2], row[1::2], strict=True)
            seen = {}
            for column, text, length in pairs:
                value = None if text is None else str(text)
                binary = column.type == "bytea"
                seen[column.name] = value if column.name in key else shown(value, int(str(length or 0)), binary)
            samples.append({column.name: seen.get(column.name, HIDDEN) for column in shape.columns})
        return samples

    def _rows(self, table: Table, arrived: bool = False) -> Iterator[bytes]:
        """The rows that would come back, in an order that no collation changes: the key of each, and SHA-256 of it all.

        What a row without primary key goes by is such a hash already. With `arrived`, those of live that were asked for
        last, in the same words.
        """
        side = self._live if arrived else self._backup
        key, found = self._backup.key(table), self.missing.temp("asked" if arrived else "found", table)
        order = sql.SQL(", ").join([sql.SQL('{}::text collate "C"').format(sql.Identifier("f", name)) for name in key])
        whole = joined = sql.Composed([])
        if self._backup.shape(table).key:
            stored = names(self._backup.shape(table).stored, "t")
            whole = sql.SQL(", sha256(convert_to(row({})::text, 'UTF8'))").format(stored)
            source = self.missing.source(side, table)
            joined = sql.SQL("join {} t on {}").format(source, equal("f", key, "t", key))
        chosen = sql.SQL("" if arrived else "where f.mailark_left is null")
        return side.blocks(
            sql.SQL("copy (select {}{} from {} f {} {} order by {}) to stdout").format(
                names(key, "f"), whole, found, joined, chosen, order
            )
        )

    @staticmethod
    def _sum(blocks: Iterator[bytes]) -> str:
        total = hashlib.sha256()
        for block in blocks:
            total.update(block)
        return total.hexdigest()

    def _only_in_backup(self) -> list[str]:
        keys, live = self._backup.schema.keys, self._live.schema.shapes
        children = {key.child for table in self.missing.found() for key in keys.to_parent(table)}
        return sorted(str(table) for table in children if table not in live)

    def _unlinked(self) -> dict[str, int]:
        """By column: how many live rows no longer refer to a row that comes back, and did so in the backup."""
        missing, counts = self.missing, {}
        count = sql.SQL(
            "select count(*) from {} t join {} p on {} where p.mailark_left is null and not p.mailark_parent"
            " and not exists (select from {} f where {})"
        )
        for key in (key for table in missing.found() for key in missing.keys.to_parent(table)):
            if key.child not in missing.tables:
                continue  # the parent came alone
            own = self._backup.key(key.child)
            number = self._backup.number(
                count.format(
                    missing.source(self._backup, key.child, key.within),
                    missing.found_rows(key.parent, key.parent_columns),
                    equal("t", key.columns, "p", key.parent_columns),
                    missing.temp("found", key.child),
                    equal("f", own, "t", own),
                )
            )
            if number:
                counts[f"{key.child} ({', '.join(key.columns)})"] = number
        return counts
