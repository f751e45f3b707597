"""Whether a live row with a row's primary key is that row, or another one that has come to have its key since.

A key alone does not say it: a domain is registered anew by somebody else, and numbers are issued once more after
sequences were set back. A row is the same if it was made at the same time, to the fraction of a second; where no column
tells, as long as it refers to the same rows and has the same unique keys. Whatever else it holds may change. A table
that has none of these is compared whole, but only for rows that were asked for: those that others merely refer to would
stop everything as soon as a counter in them moves. What hangs on rows that differ is for `TakenKeys`.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from psycopg import sql

from lambdas.adapters.recovery_session import Session, as_text, equal, hidden_columns, identifier, names, sent, taken
from lambdas.adapters.table_shapes import Shape
from lambdas.domain.foreign_keys import Table
from lambdas.domain.recovery_plan import CONFLICTS_LISTED, KEY_TAKEN, Conflict

_MADE = re.compile(r"(created|inserted|registered|creation)(_?(at|on|time|date|timestamp|ts))?")
_TIMES = ("timestamp", "date")


@dataclass(frozen=True)
class Trait:
    """What a row keeps: SQL over its columns, and a condition on the rows that it holds for.

    `differs` compares the value of the backup, `t`, with the live one, `l`. One that `decides` is a time that no other
    row has, so that the same value makes the row the same.
    """

    columns: tuple[str, ...]
    expression: str
    predicate: str | None
    differs: str
    decides: bool = False


_EMPTIED = "{l} is not null and {t} is distinct from {l}"
"""ON DELETE SET NULL empties a reference, and the row is still the same."""
_GIVEN = "{t} is not null and {t} is distinct from {l}"
"""A unique value may be given to a row that had none."""


class RowIdentity:
    """The rows of one table that has a primary key: which keys other rows have taken, and which rows have changed."""

    def __init__(
        self, backup: Session, live: Session, table: Table, temp: Callable[[str, Table], sql.Identifier], contents: bool
    ) -> None:
        """Make the temporary tables on live; begin transactions after it.

        With `contents`, what rows hold is compared too: `changed` and `newest` know of it.
        """
        self._backup, self._live, self._table, self._contents = backup, live, table, contents
        self._temp = temp
        self._key = backup.key(table)
        self._common = _common(backup.shape(table), live.shape(table)) - set(self._key)
        self._traits = list(self._find_traits())
        self._hashed = contents or not self._traits
        self.changed = 0
        """Rows that are the same, were asked for or are referred to, and hold something else now."""
        used = {column for trait in self._traits for column in trait.columns}
        self._columns = [*self._key, *sorted(used - set(self._key))]
        source = live.source(table, temp("content", table))
        for kind, columns in (("known", self._columns), ("changed", list(self._key))):
            live.run(
                sql.SQL("create temporary table {} as select {}, ''::text as mailark_content from {} t with no data")
                .format(temp(kind, table), names(columns), source)
            )  # fmt: skip

    def compare(self, parents: bool, counted: bool) -> Iterator[bytes] | None:
        """Of the keys in `asked` that live has, those of other rows; None without any, and for an empty table.

        With `parents` the rows are there because others refer to them; with `counted`, what has changed is counted.
        """
        there = sql.SQL("(select distinct {} from {} a where not exists (select from {} b where {}))").format(
            names(self._key), self._temp("asked", self._table),
            self._temp("back", self._table), equal("b", self._key, "a", self._key),
        )  # fmt: skip
        if not self._send(there):
            return None
        if self._contents and counted:
            self._count_changed(parents)
        others = self._pairs(self._another(parents))
        return self._live.blocks(sent(self._key, others)) if self._exists(others) else None

    def edited(self, count: int) -> None:
        """Count rows that `compare` gave, and that are taken for the same all the same."""
        if self._contents:
            self.changed += count

    def listed(self, others: sql.Composed, most: int) -> list[Conflict]:
        """Keys that `compare` gave (a relation of the backup's side), in words; at most so many."""
        self._send(others)
        key, differing = self._key, self._differing(parents=False)
        query = sql.SQL("select {}, {} {} limit {}").format(
            as_text(key, "t", hidden_columns(self._table, self._backup, self._live)),
            sql.SQL(", ").join([differs for _, differs in differing]),
            self._pairs(self._another(parents=False)),
            min(most, CONFLICTS_LISTED),
        )
        found = []
        for row in self._live.rows(query):
            own = dict(zip(key, map(str, row[: len(key)]), strict=True))
            told = zip(differing, row[len(key) :], strict=True)
            which = list(dict.fromkeys(column for (columns, _), differs in told if differs for column in columns))
            found.append(Conflict(str(self._table), own, KEY_TAKEN, self._live.shape(self._table).key_name, which, own))
        return found

    def newest(self) -> list[tuple[int, str]]:
        """The transaction that last wrote one of the rows in `known` that hold the same as in the backup, with its age.

        It takes `contents`; nothing where there is no such row.
        """
        only = sql.SQL("" if self._live.shape(self._table).partitioned else "only ")
        rows = self._live.rows(
            sql.SQL("select age(l.xmin), l.xmin::text from {} t join {}{} l on {} where {} order by 1 limit 1").format(
                self._temp("known", self._table),
                only,
                identifier(self._table),
                equal("t", self._key, "l", self._key),
                sql.SQL("t.mailark_content = {}").format(self._hash("l")),
            )
        )
        return [(int(str(age)), str(number)) for age, number in rows]

    # --- SQL ----------------------------------------------------------------------------------------------

    def _send(self, keys: sql.Composed) -> int:
        """Fill `known` with the backup's rows that have keys of a relation; how many these are."""
        known = self._temp("known", self._table)
        self._live.empty(known)
        rows = sql.SQL("copy (select {}, {} from {} a join {} t on {}) to stdout").format(
            names(self._columns, "t"), self._content("t"), keys,
            self._backup.source(self._table, self._temp("content", self._table)), equal("a", self._key, "t", self._key),
        )  # fmt: skip
        count = self._live.fill(taken(known, [*self._columns, "mailark_content"]), self._backup.blocks(rows))
        self._live.analyze(known)
        return count

    def _find_traits(self) -> Iterator[Trait]:
        there, here = self._backup.schema.keys, self._live.schema.keys
        common = self._common | set(self._key)
        foreign = {column for keys in (there, here) for key in keys.from_child(self._table) for column in key.columns}
        yield from (self._column(name, _EMPTIED) for name in sorted(foreign & common))
        for unique in self._live.shape(self._table).uniques:
            if common.issuperset(unique.columns):
                for text in unique.expressions:
                    yield Trait(unique.columns, text, unique.predicate, _GIVEN)
        for column in self._live.shape(self._table).columns:
            if column.name in common and column.type.startswith(_TIMES) and _MADE.fullmatch(column.name.casefold()):
                # Two rows with one key may well be made on the same day.
                yield self._column(column.name, _GIVEN, decides=column.type.startswith("timestamp"))

    def _column(self, name: str, differs: str, decides: bool = False) -> Trait:
        return Trait((name,), sql.Identifier(name).as_string(self._live.connection), None, differs, decides)

    def _hash(self, relation: str) -> sql.Composed:
        columns = names(sorted(self._common), relation)
        return sql.SQL("encode(sha256(convert_to(row({})::text, 'UTF8')), 'hex')").format(columns)

    def _content(self, relation: str) -> sql.Composed:
        return self._hash(relation) if self._hashed else sql.SQL("''").format()

    def _pairs(self, where: sql.Composed) -> sql.Composed:
        """The query from FROM on that gives the rows in `known` as `t`, each beside the live row as `l`."""
        values = [
            sql.SQL(", ({}) as {}, ({}) as {}").format(
                sql.SQL(trait.expression),
                sql.Identifier(f"mailark_{place}"),
                sql.SQL(trait.predicate or "true"),
                sql.Identifier(f"mailark_if_{place}"),
            )
            for place, trait in enumerate(self._traits)
        ]
        extra = sql.SQL("").join(values)
        source = self._live.source(self._table, self._temp("content", self._table))
        return sql.SQL(
            "from (select *{} from {} r) t join (select *{}, {} as mailark_now from {} r) l on {} where {}"
        ).format(
            extra, self._temp("known", self._table), extra, self._content("r"), source,
            equal("t", self._key, "l", self._key), where,
        )  # fmt: skip

    def _differing(self, parents: bool) -> list[tuple[tuple[str, ...], sql.Composed]]:
        """Columns, and the SQL that says whether they make a row another."""
        if not self._traits:
            whole = sql.SQL("false" if parents else "t.mailark_content <> l.mailark_now")
            return [(tuple(sorted(self._common)), sql.Composed([whole]))]
        found = []
        for place, trait in enumerate(self._traits):
            value, holds = (f"mailark_{place}", f"mailark_if_{place}")
            then, now = (sql.Identifier(side, value) for side in "tl")
            differs = sql.SQL(trait.differs).format(t=then, l=now)
            both = sql.SQL("({} and {} and {})").format(sql.Identifier("t", holds), sql.Identifier("l", holds), differs)
            found.append((trait.columns, both))
        return found

    def _another(self, parents: bool) -> sql.Composed:
        parts = [sql.SQL("coalesce({}, false)").format(differs) for _, differs in self._differing(parents)]
        same = [
            sql.SQL(" and ({} = {}) is not true").format(*(sql.Identifier(side, f"mailark_{place}") for side in "tl"))
            for place, trait in enumerate(self._traits)
            if trait.decides
        ]
        return sql.SQL("(({}){})").format(sql.SQL(" or ").join(parts), sql.SQL("").join(same))

    def _exists(self, rest: sql.Composed) -> bool:
        return bool(self._live.rows(sql.SQL("select exists (select {})").format(rest))[0][0])

    def _count_changed(self, parents: bool) -> None:
        """A row that is in scope and referred to besides is counted once."""
        changed = self._temp("changed", self._table)
        where = sql.SQL("t.mailark_content <> l.mailark_now and not {} and not exists (select from {} c where {})")
        self.changed += self._live.run(
            sql.SQL("insert into {} ({}) select {} {}").format(
                changed,
                names(self._key),
                names(self._key, "t"),
                self._pairs(where.format(self._another(parents), changed, equal("c", self._key, "t", self._key))),
            )
        )


def _common(backup: Shape, live: Shape) -> set[str]:
    """The columns that both have with the same type, and that are not computed."""
    then = {column.name: column for column in backup.columns}
    return {
        column.name
        for column in live.columns
        if (old := then.get(column.name)) and old.type == column.type and not column.generated and not old.generated
    }
