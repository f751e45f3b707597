"""Room on a database server's disk, which SQL cannot ask for: so as much as is wanted is taken, and given back at once.

A restore must not be what finds the disk full: where the live database's write-ahead log lies on that disk too, the
server panics for want of a new segment, and cannot start again. A temporary table writes no log and takes page by page;
its transaction is never committed, so the disk is full for an instant at most, and nothing is left behind.
"""

import time

from psycopg import errors, sql

from lambdas.adapters.postgres import MAINTENANCE, Login, Rows, connected
from lambdas.domain.database_space import SpaceFacts, wanted_bytes

_PAGE = 8192
_PAGES_AT_A_TIME = 4096
"""32 MiB: what is written after the time has run out, at most."""

_FILL = sql.SQL("insert into mailark_space select repeat('x', 8000) from generate_series(1, {})")
_MAX_WAL = "select setting::int8 * 1024 * 1024 from pg_settings where name = 'max_wal_size'"


def space_for(login: Login, database_bytes: int, seconds: float = 120) -> SpaceFacts:
    """Whether a server takes a database of that size and the log that loading it writes; for at most about `seconds`.

    The default tablespace is asked, in which a restored database is made. Raises as `connected` does.
    """
    with connected(login.to(MAINTENANCE), seconds + 60) as connection:
        row = connection.execute(_MAX_WAL).fetchone()
        assert row is not None
        return _take(connection, wanted_bytes(database_bytes, int(row[0])), time.monotonic() + seconds)


def _take(connection: Rows, wanted: int, deadline: float) -> SpaceFacts:
    taken = 0
    facts = SpaceFacts(wanted, wanted, "enough")
    connection.execute("set temp_tablespaces = ''")
    try:
        with connection.transaction(force_rollback=True):
            connection.execute("create temp table mailark_space (filling text)")
            connection.execute("alter table mailark_space alter filling set storage plain")  # one row a page, as it is
            while taken < wanted:
                if time.monotonic() > deadline:
                    facts = SpaceFacts(wanted, taken, "out of time")
                    break
                pages = min(_PAGES_AT_A_TIME, -((taken - wanted) // _PAGE))
                connection.execute(_FILL.format(sql.Literal(pages)))
                taken += pages * _PAGE
    except errors.DiskFull:
        return SpaceFacts(wanted, taken, "full")
    return facts
