"""The calls to PostgreSQL, seen without a hook in the action: connections, statements, and its own programs' streams.

To die between two statements that only read is one death, whichever they are: nothing has changed in between. So is
what is done to a session's own temporary tables and functions, which end with it.
"""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from lambdas.adapters.postgres_programs import ProgramOutput
from tests.crash.through import Through

_PROGRAMS = ("pg_dump", "pg_dumpall", "psql")
_READS = ("select", "show", "set", "begin")
_DEEDS = ("pg_terminate_backend",)
"""Functions that do more than to read."""
_LONGEST = 60
_SAME = 2
"""The first of many that are alike, and one in their middle: pieces of a stream, or one statement over and over."""
_TEMPORARY = re.compile(
    r"(create temporary table |(create|alter) function |analyze |(insert into|delete from) |create unique index on )"
    r'"pg_temp"\.'
)
_TIME = re.compile(r"_\d{8}_\d{6}")


def watch_postgres(through: Through) -> None:
    """See every call of this process to PostgreSQL from now on."""
    _watch_sessions(through)
    _watch_programs(through)


def _watch_sessions(through: Through) -> None:
    cursors: Any = psycopg.Cursor
    transactions: Any = psycopg.Transaction
    module: Any = psycopg
    connect, execute = psycopg.connect, cursors.execute
    begin, end = transactions.__enter__, transactions.__exit__

    def connected(*positional: Any, **options: Any) -> Any:
        return through(f"PostgreSQL {options['dbname']}: connect", lambda: connect(*positional, **options), 1)

    def executed(cursor: Any, query: Any, *positional: Any, **options: Any) -> Any:
        name, at_most = _named(query, cursor.connection)
        name = f"PostgreSQL {cursor.connection.info.dbname}: {name}"
        return through(name, lambda: execute(cursor, query, *positional, **options), at_most)

    def begun(transaction: Any) -> Any:
        return through(f"{_database(transaction)}: begin", lambda: begin(transaction), 1)

    def ended(transaction: Any, kind: Any, *error: Any) -> Any:
        # How often sessions had to be ended before nobody was there is by chance.
        name, at_most = ("rollback", 1) if kind else ("commit", None)
        return through(f"{_database(transaction)}: {name}", lambda: end(transaction, kind, *error), at_most)

    module.connect, cursors.execute = connected, executed
    transactions.__enter__, transactions.__exit__ = begun, ended


def _database(transaction: Any) -> str:
    return f"PostgreSQL {transaction.connection.info.dbname}"


def _named(query: Any, connection: Any) -> tuple[str, int]:
    """The beginning of a statement, without values and times, the same in every run; and how often it counts."""
    text = query.as_string(connection) if isinstance(query, sql.Composable) else query
    text = text.decode() if isinstance(text, bytes) else str(text)
    text = _TIME.sub("", " ".join(text.partition("'")[0].split())).lower()
    word = text.partition(" ")[0]
    if word in _READS and not any(deed in text for deed in _DEEDS):
        return word, 1
    if _TEMPORARY.match(text):
        return "work of its own", _SAME
    return text[:_LONGEST].strip(), _SAME


def _watch_programs(through: Through) -> None:
    processes: Any = subprocess.Popen
    outputs: Any = ProgramOutput
    start, read = processes.__init__, outputs.__iter__

    def started(process: Any, command: Any, *positional: Any, **options: Any) -> None:
        program = Path(command[0]).name if isinstance(command, list) else ""
        if program not in _PROGRAMS:
            start(process, command, *positional, **options)
            return
        through(program, lambda: start(process, command, *positional, **options))
        process.stdin = process.stdin and _Input(process.stdin, program, through)

    def pieces(output: Any) -> Iterator[bytes]:
        left = read(output)
        while piece := through(f"{output._program}'s output", lambda: next(left, b""), _SAME):
            yield piece

    processes.__init__, outputs.__iter__ = started, pieces


class _Input:
    """What a program is told, whose first pieces are calls, and whatever begins or ends a transaction."""

    def __init__(self, stream: Any, program: str, through: Through) -> None:
        self._stream, self._program, self._through = stream, program, through

    def write(self, piece: Any) -> Any:
        order = bytes(piece[:10]).strip()
        name = order.decode() if order in (b"BEGIN;", b"COMMIT;") else "input"
        return self._through(f"{self._program}'s {name}", lambda: self._stream.write(piece), _SAME)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
