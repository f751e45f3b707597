"""One of the two databases that a recovery stands between, and how rows get from the one to the other."""

from collections.abc import Collection, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager

import psycopg
from psycopg import sql

from lambdas.adapters.postgres import Login, Rows
from lambdas.adapters.table_shapes import Schema, Shape, read_schema
from lambdas.domain.database_errors import DatabaseRequestFailed, DatabaseUnreachable
from lambdas.domain.foreign_keys import Table
from lambdas.domain.mailark_error import MailarkError
from lambdas.domain.recovery_plan import is_hidden

Query = sql.Composed | sql.SQL
CONTENT_KEY = ("mailark_digest", "mailark_copy")
"""What a row without primary key goes by: SHA-256 of what it holds, and which of its equals it is."""

_BLOCK_BYTES = 256 * 1024
_SETTINGS = """
set datestyle = 'ISO, YMD'; set intervalstyle = 'postgres'; set timezone = 'UTC'; set extra_float_digits = 1;
set bytea_output = 'hex'; set xmloption = 'content'; set standard_conforming_strings = on; set lc_monetary = 'C'
"""
"""The same text for the same value on both sides (what of it pg_dump sets too, and for the same reason)."""


class Session:
    """A connection, the schema that it sees, and what is done over it."""

    def __init__(self, login: Login, connection: Rows, own_errors: bool = False) -> None:
        """`own_errors` for the one whose errors the surrounding `connected` would take for the other's."""
        self.login, self.connection = login, connection
        self._own_errors = own_errors
        self.without = ""
        """A transaction, as its number: this session takes the rows of tables that it has written for missing."""
        with self._told():
            connection.execute(_SETTINGS)
            self.schema: Schema = read_schema(connection)

    def run(self, query: Query) -> int:
        """Run a statement; how many rows it touched."""
        with self._told():
            return self.connection.execute(query).rowcount

    def rows(self, query: Query) -> list[tuple[object, ...]]:
        """All rows of a query that gives few."""
        with self._told():
            return self.connection.execute(query).fetchall()

    def number(self, query: Query) -> int:
        """The one number that a query gives; 0 for NULL."""
        return int(str(self.rows(query)[0][0] or 0))

    def blocks(self, query: Query) -> Generator[bytes, None, None]:
        """What a `COPY … TO STDOUT` gives, in blocks cut between rows."""
        gathered = bytearray()
        with self._told(), self.connection.cursor() as cursor, cursor.copy(query) as copy:
            for row in copy:
                gathered += row
                if len(gathered) >= _BLOCK_BYTES:
                    yield bytes(gathered)
                    gathered.clear()
        if gathered:
            yield bytes(gathered)

    def fill(self, query: Query, blocks: Iterable[bytes]) -> int:
        """Feed a `COPY … FROM STDIN`; how many rows it took."""
        with self._told(), self.connection.cursor() as cursor:
            with cursor.copy(query) as copy:
                for block in blocks:
                    copy.write(block)
            return cursor.rowcount

    def analyze(self, table: sql.Identifier) -> None:
        """Let the planner know how large a temporary table is."""
        self.run(sql.SQL("analyze {}").format(table))

    def empty(self, table: sql.Identifier) -> None:
        """Take all rows out of a temporary table; a transaction that only reads may do this, and not TRUNCATE."""
        self.run(sql.SQL("delete from {}").format(table))

    def shape(self, table: Table) -> Shape:
        return self.schema.shapes[table]

    def key(self, table: Table) -> tuple[str, ...]:
        """The columns by which the rows of a table are told apart."""
        return self.shape(table).key or CONTENT_KEY

    def source(self, table: Table, content: sql.Identifier, within: Table | None = None) -> sql.Composed:
        """The rows of a table (or of the partition `within`), with the columns of their key; stands after FROM.

        `content` names the temporary table that numbers the rows of one without primary key.
        """
        shape = self.shape(table)
        # A table's heirs by INHERITS are tables of their own; a partition may be partitioned again.
        only = sql.SQL("") if shape.partitioned or within not in (None, table) else sql.SQL("only ")
        name = identifier(within or table)
        if shape.key:
            return sql.SQL("(select * from {}{}{})").format(only, name, self.visible())
        return sql.SQL(
            "(select c.mailark_digest, c.mailark_copy, r.* from {}{} r join {} c"
            " on c.mailark_part = r.tableoid and c.mailark_tid = r.ctid)"
        ).format(only, name, content)

    def visible(self) -> sql.Composed:
        """The WHERE that leaves out what `without` has written; nothing without one."""
        if not self.without:
            return sql.Composed([])
        return sql.SQL(" where xmin <> {}::xid").format(sql.Literal(self.without))

    def failed(self, error: psycopg.Error) -> MailarkError:
        """An error of this side in Mailark's words."""
        kind, login = type(error).__name__, self.login
        if self.connection.broken or self.connection.closed:
            problem = f"the connection broke ({error.sqlstate or kind})"
            return DatabaseUnreachable(host=login.host, port=login.port, problem=problem)
        state = error.sqlstate or "none"
        return DatabaseRequestFailed(host=login.host, database=login.database, state=state, problem=kind)

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except psycopg.Error as error:
            if not self._own_errors:
                raise
            raise self.failed(error) from None


def identifier(table: Table) -> sql.Identifier:
    """A table by schema and name."""
    return sql.Identifier(table.schema, table.name)


def temporary(name: str) -> sql.Identifier:
    """A temporary table of this session."""
    return sql.Identifier("pg_temp", f"mailark_{name}")


def names(columns: Iterable[str], prefix: str = "") -> sql.Composed:
    """A list of columns, each of the relation `prefix` if one is given."""
    return sql.SQL(", ").join([sql.Identifier(*([prefix] if prefix else []), column) for column in columns])


def equal(left: str, columns: Sequence[str], right: str, others: Sequence[str]) -> sql.Composed:
    """That columns of one relation equal those of another, in order."""
    pairs = zip(columns, others, strict=True)
    return sql.SQL(" and ").join(
        [sql.SQL("{} = {}").format(sql.Identifier(left, one), sql.Identifier(right, other)) for one, other in pairs]
    )


def hidden_columns(table: Table, *sides: Session) -> set[str]:
    """The columns of a table that nobody is to see, by their names or by what they refer to, on any of the sides."""
    found = {column.name for side in sides for column in side.shape(table).columns if is_hidden(column.name)}
    ahead, seen = [(table, column, column) for side in sides for column in _names(side, table)], set()
    while ahead:
        place = ahead.pop()
        if place in seen:
            continue
        seen.add(place)
        where, column, own = place
        for key in (key for side in sides for key in side.schema.keys.from_child(where)):
            for name, other in zip(key.columns, key.parent_columns, strict=True):
                if name == column and is_hidden(other):
                    found.add(own)
                elif name == column:
                    ahead.append((key.parent, other, own))
    return found


def _names(side: Session, table: Table) -> list[str]:
    return [column.name for column in side.shape(table).columns]


def as_text(columns: Iterable[str], prefix: str, hidden: Collection[str]) -> sql.Composed:
    """Columns as text, for people; of those that are hidden, a short hash that tells one from another."""
    short = "'hash ' || left(encode(sha256(convert_to({}::text, 'UTF8')), 'hex'), 12)"
    return sql.SQL(", ").join(
        [
            sql.SQL(short if column in hidden else "{}::text").format(sql.Identifier(prefix, column))
            for column in columns
        ]
    )


def sent(columns: Iterable[str], rest: sql.Composed) -> sql.Composed:
    """A `COPY` of a query's columns out of a server, of the relation `t`; `rest` is the query from FROM on."""
    return sql.SQL("copy (select {} {}) to stdout").format(names(columns, "t"), rest)


def taken(target: sql.Identifier, columns: Iterable[str]) -> sql.Composed:
    """A `COPY` into a server."""
    return sql.SQL("copy {} ({}) from stdin").format(target, names(columns))
