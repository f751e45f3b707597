"""Which rows are in a backup that was restored beside, and not in the live database, and what hangs on them.

Two connections, perhaps to two servers. Keys go to the live one by COPY into temporary tables, and those that it does
not have come back; all else is one statement at a time on the backup's side. Nothing but blocks is in memory here.

On the backup's side, for table i: `found_i` has the keys that are missing in live, `asked_i` and `back_i` what goes to
live and comes from there. `mailark_step` is the round that found a row, `mailark_parent` says that it was not asked for
and others refer to it, `mailark_left` is the round that left it out, if any: 0 where live has its key, and has given it
to another row. `scope_i` has what conditions name, and `met_i` what rows found refer to and live has.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence

from psycopg import sql

from lambdas.adapters.recovery_condition import Condition
from lambdas.adapters.recovery_session import (
    Session,
    equal,
    hidden_columns,
    identifier,
    names,
    sent,
    taken,
    temporary,
)
from lambdas.adapters.row_identity import RowIdentity
from lambdas.adapters.table_shapes import Shape, differences, key_differences
from lambdas.domain.foreign_keys import ForeignKey, ForeignKeys, Table
from lambdas.domain.recovery_errors import RecoveryKeyDiffers, RecoverySchemaDiffers, RecoveryTableMissing
from lambdas.domain.recovery_scope import ScopeItem, check_condition, find_table


class MissingRows:
    """The rows that a scope misses in live, once `find` has run."""

    def __init__(
        self, backup: Session, live: Session, scope: Iterable[ScopeItem], follow: bool = True, contents: bool = False
    ) -> None:
        """Look at both schemas, and make the temporary tables; begin transactions after it.

        Without `follow`, foreign keys are not looked at, and a row is told by its key alone. With `contents`, live rows
        are held against the backup's by what they hold too.

        Raises `RecoveryTableUnknown`, `RecoveryTableMissing`, `RecoveryKeyDiffers`, `RecoveryConditionInvalid`.
        """
        self.backup, self.live = backup, live
        self._scope = [(self._in_both(item.table), item.where) for item in scope]
        for table, where in self._scope:
            if where:
                check_condition(str(table), where)
        self.keys = ForeignKeys(key for key in live.schema.keys.all if follow and self._can_follow(key))
        below = self.keys.below(table for table, _ in self._scope)
        self.tables = sorted(self.keys.above(below))
        self._place = {table: str(place) for place, table in enumerate(self.tables)}
        if found := self._differences(key_differences, self.tables):
            raise RecoveryKeyDiffers(differences=found)
        self._step = 0
        self._numbered: set[tuple[Session, Table]] = set()
        for table in self.tables:
            self._make_tables(table)
        self.identities = {
            table: RowIdentity(backup, live, table, self.temp, contents)
            for table in self.tables
            if follow and live.shape(table).key
        }
        self.dated = False
        self._newest: list[tuple[int, str]] = []
        self._conditions = {
            each: self._condition(number, *each) for number, each in enumerate(sorted(set(self._scope))) if each[1]
        }

    def find(self) -> None:
        """Fill `found_i` of every table. Both sides are in a transaction whose snapshot stays.

        First down, from the rows in scope to those that refer to them; then up, from all of these to what they refer
        to. Rows that are live stop the search, as what hangs on them was not deleted with the scope; but a row that a
        condition names is asked for with what refers to it, though it be live itself. A live row that is another one
        with the same key stops neither search, as what hung on the row of the backup cannot hang on it; which of these
        are in the way of anything is for `TakenKeys`.
        """
        for table, where in self._scope:
            self._collect(table, where)
        fresh = self._ask_all({table for table, _ in self._scope}, parents=False, counted=True)
        keys = [key for table in {table for table, where in self._scope if where} for key in self.keys.to_parent(table)]
        fresh |= self._ask_all({key.child for key in keys if self._collect_children(key, 0, "scope")}, parents=False)
        self._follow(fresh, self._collect_children, parents=False)
        self._follow(set(self.found()), self._collect_parents, parents=True)

    def found(self) -> list[Table]:
        """The tables that miss rows."""
        query = sql.SQL("select exists (select from {})")
        return [table for table in self.tables if self.backup.rows(query.format(self.temp("found", table)))[0][0]]

    def refuse_differences(self) -> None:
        """Raise `RecoverySchemaDiffers` where a table that misses rows has other columns than in the backup."""
        if found := self._differences(differences, self.found()):
            raise RecoverySchemaDiffers(differences=found)

    def _differences(self, differ: Callable[[Shape, Shape], list[str]], tables: Sequence[Table]) -> str:
        """Where tables differ between the two, in words; the first ones."""
        found = [text for table in tables for text in differ(self.backup.shape(table), self.live.shape(table))]
        return "; ".join(found[:10] + ([f"and {len(found) - 10} more"] if len(found) > 10 else []))

    @property
    def changed(self) -> dict[str, int]:
        """By table, how many live rows in scope or referred to hold something else than in the backup."""
        return {str(table): one.changed for table, one in self.identities.items() if one.changed}

    def hidden(self, table: Table) -> set[str]:
        """The columns of a table that nobody is to see."""
        return hidden_columns(table, self.backup, self.live)

    @property
    def newest(self) -> str:
        """With `dated` and `contents`, the transaction that last wrote a row which live has just as the backup has it.

        Of rows that were asked for; empty where there is none.
        """
        return min(self._newest, default=(0, ""))[1]

    def temp(self, kind: str, table: Table) -> sql.Identifier:
        """The temporary table of a kind for a table."""
        return temporary(f"{kind}_{self._place[table]}")

    def source(self, side: Session, table: Table, within: Table | None = None) -> sql.Composed:
        """The rows of a table with their key, on one side; numbers those of a table without primary key first."""
        if not side.shape(table).key and (side, table) not in self._numbered:
            self.number_rows(side, table)
        return side.source(table, self.temp("content", table), within)

    def number_rows(self, side: Session, table: Table) -> None:
        """Number the rows of a table without primary key among their equals, as they are now."""
        shape, content = side.shape(table), self.temp("content", table)
        side.empty(content)
        # Equal is what is the same text: json, xml and point have no equality of their own.
        side.run(
            sql.SQL(
                "insert into {content} select d, row_number() over (partition by d), part, tid from"
                " (select encode(sha256(convert_to(row({columns})::text, 'UTF8')), 'hex') d, tableoid part, ctid tid"
                " from {only}{table}{visible}) x"
            ).format(
                content=content,
                columns=names(sorted(shape.stored)),
                only=sql.SQL("" if shape.partitioned else "only "),
                table=identifier(table),
                visible=side.visible(),
            )
        )
        side.analyze(content)
        self._numbered.add((side, table))

    def ask(self, table: Table, keys: sql.Composed) -> int:
        """Send keys (a query from FROM on, over `t`) to live; `back_i` gets those that live lacks. How many these are.

        On live, `asked_i` keeps the keys that were sent.
        """
        key = self.backup.key(table)
        asked, back = self.temp("asked", table), self.temp("back", table)
        self.live.empty(asked)
        self.live.fill(taken(asked, key), self.backup.blocks(sent(key, keys)))
        self.live.analyze(asked)
        lacking = sql.SQL("from {} t where not exists (select from {} s where {})").format(
            asked, self.source(self.live, table), equal("s", key, "t", key)
        )
        self.backup.empty(back)
        return self.backup.fill(taken(back, key), self.live.blocks(sent(key, lacking)))

    # --- the search ---------------------------------------------------------------------------------------

    def _collect(self, table: Table, where: str) -> None:
        """Put the keys of the rows in scope into `asked`."""
        backup, key, asked = self.backup, names(self.backup.key(table)), self.temp("asked", table)
        source = self.source(backup, table)
        if not where:
            backup.run(sql.SQL("insert into {} select {} from {} t").format(asked, key, source))
            return
        self._conditions[table, where].collect()
        scope = self.temp("scope", table)
        backup.run(sql.SQL("insert into {} select distinct {}, 0 from {}").format(scope, key, asked))
        backup.analyze(scope)

    def _follow(self, fresh: set[Table], collect: Callable[[ForeignKey, int], int], parents: bool) -> None:
        """Round after round from the rows found last to those that hang on them, until a round finds none."""
        since = 0
        while fresh:
            asked = set()
            for table in sorted(fresh):
                for key in self.keys.from_child(table) if parents else self.keys.to_parent(table):
                    if collect(key, since):
                        asked.add(key.parent if parents else key.child)
            fresh = self._ask_all(asked, parents, counted=parents)
            since = self._step

    def _collect_children(self, key: ForeignKey, since: int, kind: str = "found") -> int:
        """Put the keys of the rows that refer to those found since a round (or to those in scope) into `asked`."""
        own = self.backup.key(key.child)
        return self.backup.run(
            sql.SQL(
                "insert into {asked} select {own} from {child} t join {parent} p on {linked}"
                " where p.mailark_step >= {since} and not exists (select from {found} g where {same})"
            ).format(
                asked=self.temp("asked", key.child),
                own=names(own, "t"),
                child=self.source(self.backup, key.child, key.within),
                parent=self.found_rows(key.parent, key.parent_columns, kind=kind),
                linked=equal("t", key.columns, "p", key.parent_columns),
                since=since,
                found=self.temp("found", key.child),
                same=equal("g", own, "t", own),
            )
        )

    def _collect_parents(self, key: ForeignKey, since: int) -> int:
        """Put the keys of the rows that those found or met since a round refer to into `asked`."""
        own = self.backup.key(key.parent)
        query = sql.SQL(
            "insert into {asked} select distinct {own} from {child} t join {parent} p on {linked}"
            " where t.mailark_step >= {since} and t.mailark_left is null"
            " and not exists (select from {found} g where {same}) and not exists (select from {met} g where {same})"
        )
        return sum(
            self.backup.run(
                query.format(
                    asked=self.temp("asked", key.parent),
                    own=names(own, "p"),
                    child=self.found_rows(key.child, key.columns, key.within, kind),
                    parent=self.source(self.backup, key.parent),
                    linked=equal("t", key.columns, "p", key.parent_columns),
                    since=since,
                    found=self.temp("found", key.parent),
                    met=self.temp("met", key.parent),
                    same=equal("g", own, "p", own),
                )
            )
            for kind in ("found", "met")
        )

    def found_rows(
        self, table: Table, columns: Sequence[str], within: Table | None = None, kind: str = "found"
    ) -> sql.Composed:
        """The rows found of a table, with their key, some of their columns and their marks; stands after FROM."""
        key, found = self.backup.key(table), self.temp(kind, table)
        more = [column for column in columns if column not in key]
        if not more and within in (None, table):
            return sql.SQL("{}").format(found)
        return sql.SQL("(select f.*{} from {} f join {} r on {})").format(
            sql.SQL("").join([sql.SQL(", {}").format(sql.Identifier("r", column)) for column in more]),
            found,
            self.source(self.backup, table, within),
            equal("f", key, "r", key),
        )

    def _ask_all(self, tables: set[Table], parents: bool, counted: bool = False) -> set[Table]:
        """Find out which of the keys in `asked` live lacks or has given to other rows: these are found.

        The tables for which there were any, or for which `parents` are met. `counted` is as `RowIdentity` has it.
        """
        self._step += 1
        fresh = set()
        for table in sorted(tables):
            asked, found = self.temp("asked", table), self.temp("found", table)
            key = names(self.backup.key(table))
            distinct = sql.SQL("from (select distinct {} from {}) t").format(key, asked)
            lacking = self.ask(table, distinct)
            insert = sql.SQL("insert into {} select {}, {}, {}, {} from {}")
            back = self.temp("back", table)
            others = self._ask_identity(table, parents, counted)
            if self.dated:
                self._date(table)
            if lacking:
                self.backup.run(insert.format(found, key, self._step, parents, None, back))
            if others:
                self.backup.empty(back)
                self.backup.fill(taken(back, self.backup.key(table)), others)
                self.backup.run(insert.format(found, key, self._step, parents, 0, back))
            if lacking or others:
                self.backup.analyze(found)
                fresh.add(table)
            if parents and self._meet(table):
                fresh.add(table)
            self.backup.empty(asked)
        return fresh

    def _ask_identity(self, table: Table, parents: bool, counted: bool) -> Iterator[bytes] | None:
        """The keys in `asked` that other rows have on live; None without any."""
        identity = self.identities.get(table)
        return identity.compare(parents, counted) if identity else None

    def _date(self, table: Table) -> None:
        """Look for the newest of the rows in `asked` that live has with the same contents."""
        if identity := self.identities.get(table):
            self._newest += identity.newest()
            return
        only = sql.SQL("" if self.live.shape(table).partitioned else "only ")
        key = self.live.key(table)
        query = sql.SQL(
            "select age(l.xmin), l.xmin::text from {} t join {} c on {} join {}{} l on l.tableoid = c.mailark_part"
            " and l.ctid = c.mailark_tid order by 1 limit 1"
        ).format(
            self.temp("asked", table), self.temp("content", table), equal("t", key, "c", key), only, identifier(table)
        )
        self._newest += [(int(str(age)), str(number)) for age, number in self.live.rows(query)]

    def _meet(self, table: Table) -> int:
        """Remember what was asked for and is live; how many rows these are."""
        key, met = self.backup.key(table), self.temp("met", table)
        return self.backup.run(
            sql.SQL(
                "insert into {} select distinct {}, {} from {} t where not exists (select from {} g where {})"
            ).format(
                met, names(key, "t"), self._step, self.temp("asked", table), self.temp("found", table),
                equal("g", key, "t", key),
            )
        )  # fmt: skip

    # --- before the search --------------------------------------------------------------------------------

    def _in_both(self, text: str) -> Table:
        then, now = self.backup.schema.shapes, self.live.schema.shapes
        table = find_table(text, then.keys() | now.keys())
        if table not in now or table not in then:
            raise RecoveryTableMissing(table=table, only="the backup" if table in then else "the live database")
        return table

    def _can_follow(self, key: ForeignKey) -> bool:
        """Whether both sides have the tables and columns of a live foreign key."""
        shapes = self.backup.schema.shapes
        if key.child not in shapes or key.parent not in shapes:
            return False
        if key.within != key.child and all(each.within != key.within for each in self.backup.schema.keys.all):
            return False
        child, parent = ({column.name for column in shapes[table].columns} for table in (key.child, key.parent))
        return child.issuperset(key.columns) and parent.issuperset(key.parent_columns)

    def _condition(self, number: int, table: Table, where: str) -> Condition:
        """A person's own SQL, which `check_condition` has seen to stay in its parentheses."""
        asked = self.temp("asked", table)
        query = sql.SQL("select {key} from {source} as {alias} where (\n{where}\n)").format(
            key=names(self.backup.key(table)),
            source=self.backup.source(table, self.temp("content", table)),
            alias=sql.Identifier(table.name),
            where=sql.SQL(where),
        )
        return Condition(self.backup, table, number, query, asked)

    def _make_tables(self, table: Table) -> None:
        for side in (self.backup, self.live):
            content = self.temp("content", table)
            if not side.shape(table).key:
                side.run(
                    sql.SQL(
                        "create temporary table {} (mailark_digest text, mailark_copy bigint, mailark_part oid,"
                        " mailark_tid tid, primary key (mailark_digest, mailark_copy))"
                    ).format(content)
                )
            key = names(side.key(table))
            source = side.source(table, content)
            for kind in ("asked", "back", "scope", "met", "found"):
                marks = "" if kind in ("asked", "back") else ", 0 mailark_step, false mailark_parent, 0 mailark_left"
                side.run(
                    sql.SQL("create temporary table {} as select {}{} from {} t with no data").format(
                        self.temp(kind, table), key, sql.SQL(marks), source
                    )
                )
            side.run(sql.SQL("create unique index on {} ({})").format(self.temp("found", table), key))
