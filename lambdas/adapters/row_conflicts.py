"""Which of the missing rows cannot come back as they were, and which others depend on these.

They are marked in `found_i` by the round that left them out: 0 where the search found their key with another row, 1 for
another conflict of their own, more for dependants.
"""

from collections.abc import Iterator, Sequence

from psycopg import sql

from lambdas.adapters.missing_rows import MissingRows
from lambdas.adapters.recovery_session import as_text, equal, identifier, names, sent, taken, temporary
from lambdas.adapters.table_shapes import UniqueKey
from lambdas.domain.foreign_keys import ForeignKey, Table
from lambdas.domain.recovery_plan import CONFLICTS_LISTED, Conflict, Problem


class RowConflicts:
    """What stands against the import of the rows in `missing`."""

    def __init__(self, missing: MissingRows) -> None:
        """Make the temporary tables; begin transactions after it."""
        self._missing, self._backup, self._live = missing, missing.backup, missing.live
        self.listed: list[Conflict] = []
        """The first ones, once `find` has run."""
        self._values = {key: temporary(f"values_{place}") for place, key in enumerate(missing.live.schema.keys.all)}
        for table in missing.tables:
            self._make_tables(table)

    def find(self, taken: Sequence[Conflict]) -> int:
        """Mark every row that cannot come back, list the first ones after those `taken`; how many rows these are."""
        tables = self._missing.found()
        self.listed = [*taken]
        for table in tables:
            used = self._used(table)
            if used and self._stage(table, used):
                for unique in self._live.shape(table).uniques:
                    self._find_taken(table, unique)
        for table in tables:
            for key in self._live.schema.keys.from_child(table):
                self._find_orphans(key)
        self._follow(tables)
        count = sql.SQL("select count(*) from {} where mailark_left is not null")
        return sum(self._backup.number(count.format(self._missing.temp("found", table))) for table in tables)

    # --- unique keys --------------------------------------------------------------------------------------

    def _used(self, table: Table) -> list[str]:
        """The key and all columns that a unique key of live looks at, if there is one that the backup has too."""
        shape, there = self._live.shape(table), {column.name for column in self._backup.shape(table).columns}
        used = {column for unique in shape.uniques for column in unique.columns} & there
        key = self._live.key(table)
        return [*key, *sorted(used - set(key))] if shape.uniques else []

    def _stage(self, table: Table, columns: list[str]) -> int:
        """Send what the unique keys look at to live."""
        rows = sql.SQL("from {} t where t.mailark_left is null").format(self._missing.found_rows(table, columns))
        staged = self._missing.temp("staged", table)
        count = self._live.fill(taken(staged, columns), self._backup.blocks(sent(columns, rows)))
        self._live.analyze(staged)
        return count

    def _find_taken(self, table: Table, unique: UniqueKey) -> None:
        """Mark the rows whose unique key a live row has."""
        key = self._live.key(table)
        if not set(unique.columns) <= {*self._used(table)}:
            return
        staged = self._with_values(sql.SQL("{}").format(self._missing.temp("staged", table)), unique)
        live = self._with_values(self._missing.source(self._live, table), unique)
        compared = sql.SQL("{} is not distinct from {}" if unique.nulls_equal else "{} = {}")
        values = [f"mailark_{place}" for place in range(len(unique.expressions))]
        same = [compared.format(sql.Identifier("t", value), sql.Identifier("l", value)) for value in values]
        rest = sql.SQL("from {} t join {} l on {}").format(staged, live, sql.SQL(" and ").join(same))
        if not self._leave_keys(table, self._live.blocks(sent(key, rest))):
            return
        hidden = self._missing.hidden(table)
        rows = self._live.rows(
            sql.SQL("select {}, {} {} limit {}").format(
                as_text(key, "t", hidden), as_text(key, "l", hidden), rest, self._room
            )
        )
        for row in rows:
            texts = [str(value) for value in row]
            own, others = (dict(zip(key, part, strict=True)) for part in (texts[: len(key)], texts[len(key) :]))
            self.listed.append(Conflict(str(table), own, "taken", unique.name, list(unique.columns), others))

    def _with_values(self, rows: sql.Composed, unique: UniqueKey) -> sql.Composed:
        """Rows with the values that a unique key compares, of those rows that it holds for; stands after FROM.

        Its expressions are what the server itself wrote, and name columns without a relation.
        """
        values = [
            sql.SQL("({}) as {}").format(sql.SQL(text), sql.Identifier(f"mailark_{place}"))
            for place, text in enumerate(unique.expressions)
        ]
        where = sql.SQL(" where {}").format(sql.SQL(unique.predicate)) if unique.predicate else sql.SQL("")
        return sql.SQL("(select *, {} from {} r{})").format(sql.SQL(", ").join(values), rows, where)

    # --- foreign keys -------------------------------------------------------------------------------------

    def _find_orphans(self, key: ForeignKey) -> None:
        """Mark the rows that refer to one that neither live has nor the import brings."""
        missing, backup = self._missing, self._backup
        shapes = backup.schema.shapes
        if not {column.name for column in shapes[key.child].columns}.issuperset(key.columns):
            return
        columns, values = key.columns, self._values[key]
        within = key.within if key in missing.keys.all else None
        child = missing.found_rows(key.child, columns, within)
        present = [sql.SQL("{} is not null").format(sql.Identifier("t", column)) for column in columns]
        another = sql.SQL("t.mailark_left is distinct from 0")
        rest = sql.SQL("from (select distinct {} from {} t where {}) t").format(
            names(columns, "t"), child, sql.SQL(" and ").join([*present, another])
        )
        if key.parent in missing.tables and key in missing.keys.all:
            parent = missing.found_rows(key.parent, key.parent_columns)
            rest += sql.SQL(" where not exists (select from {} p where {})").format(
                parent, equal("p", key.parent_columns, "t", columns)
            )
        if not self._live.fill(taken(values, columns), backup.blocks(sent(columns, rest))):
            return
        nowhere = sql.SQL("from {} t where not exists (select from {} p where {})").format(
            values, self._plain(key.parent), equal("p", key.parent_columns, "t", columns)
        )
        if not backup.fill(taken(values, columns), self._live.blocks(sent(columns, nowhere))):
            return
        rows = sql.SQL("from {} t join {} v on {} where {}").format(
            child, values, equal("t", columns, "v", columns), another
        )
        self._list(key, backup.rows(self._some(key.child, rows)), "parent missing")
        self._leave_rows(key.child, rows, 1)

    def _plain(self, table: Table) -> sql.Composed:
        """A table of live as it is: it need not be one that the backup has."""
        only = "" if self._live.shape(table).partitioned else "only "
        return sql.SQL("(select * from {}{}{})").format(sql.SQL(only), identifier(table), self._live.visible())

    def _follow(self, tables: list[Table]) -> None:
        """Mark what refers to a row left out, and what refers to that, until there is no more."""
        fresh, step = set(tables), 1
        while fresh:
            marked = set()
            for table in sorted(fresh):
                for key in self._missing.keys.to_parent(table):
                    if key.child in tables and self._leave_dependants(key, step):
                        marked.add(key.child)
            fresh, step = marked, step + 1

    def _leave_dependants(self, key: ForeignKey, step: int) -> int:
        rows = sql.SQL("from {} t join {} p on {} where p.mailark_left <= {} and t.mailark_left is null").format(
            self._missing.found_rows(key.child, key.columns, key.within),
            self._missing.found_rows(key.parent, key.parent_columns),
            equal("t", key.columns, "p", key.parent_columns),
            step,
        )
        self._list(key, self._backup.rows(self._some(key.child, rows)), "depends on one left out")
        return self._leave_rows(key.child, rows, step + 1)

    # --- marks --------------------------------------------------------------------------------------------

    def _leave_keys(self, table: Table, keys: Iterator[bytes]) -> int:
        """Mark the rows with these keys; one that comes twice is marked once."""
        back = self._missing.temp("back", table)
        self._backup.empty(back)
        return self._backup.fill(taken(back, self._backup.key(table)), keys) and self._mark(table, 1)

    def _leave_rows(self, table: Table, rows: sql.Composed, step: int) -> int:
        """Mark the rows of a query (from FROM on, over `t`)."""
        back = self._missing.temp("back", table)
        self._backup.empty(back)
        key = names(self._backup.key(table), "t")
        inserted = self._backup.run(sql.SQL("insert into {} select {} {}").format(back, key, rows))
        return inserted and self._mark(table, step)

    def _mark(self, table: Table, step: int) -> int:
        key = self._backup.key(table)
        return self._backup.run(
            sql.SQL(
                "update {} f set mailark_left = {} where mailark_left is null and exists (select from {} t where {})"
            ).format(
                self._missing.temp("found", table), step, self._missing.temp("back", table), equal("t", key, "f", key)
            )
        )

    @property
    def _room(self) -> int:
        return CONFLICTS_LISTED - len(self.listed)

    def _some(self, table: Table, rows: sql.Composed) -> sql.Composed:
        key = as_text(self._backup.key(table), "t", self._missing.hidden(table))
        return sql.SQL("select {} {} limit {}").format(key, rows, self._room)

    def _list(self, key: ForeignKey, rows: list[tuple[object, ...]], problem: Problem) -> None:
        own = self._backup.key(key.child)
        for row in rows:
            texts = dict(zip(own, map(str, row), strict=True))
            self.listed.append(Conflict(str(key.child), texts, problem, key.name, list(key.columns)))

    def _make_tables(self, table: Table) -> None:
        missing = self._missing
        if used := self._used(table):
            source = self._live.source(table, missing.temp("content", table))
            self._live.run(
                sql.SQL("create temporary table {} as select {} from {} t with no data").format(
                    missing.temp("staged", table), names(used), source
                )
            )
        for key in self._live.schema.keys.from_child(table):
            for side in (self._backup, self._live):
                if {column.name for column in side.shape(table).columns}.issuperset(key.columns):
                    side.run(
                        sql.SQL("create temporary table {} as select {} from {} with no data").format(
                            self._values[key], names(key.columns), identifier(table)
                        )
                    )
