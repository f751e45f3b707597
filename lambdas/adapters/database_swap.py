"""The swap: a restored database takes the live one's name, and the live one a name of its own, or neither does.

Renames, connection rules, settings, grants and marks of databases all stand in shared catalogs, so that one transaction
holds them: a crash at any moment leaves the old state or the new one. `RENAME` locks the database before it waits for
its sessions to end; who connects meanwhile waits, and is then told that the name has gone to another.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from psycopg import errors, sql

from lambdas.adapters.database_marks import set_comment
from lambdas.adapters.database_rules import carry_over
from lambdas.adapters.postgres import MAINTENANCE, Login, Rows, connected
from lambdas.domain.database_errors import DatabaseInUse
from lambdas.domain.database_mark import Mark, marked
from lambdas.domain.mailark_error import MailarkError
from lambdas.domain.swap import (
    DatabaseFacts,
    State,
    Swap,
    check_not_again,
    check_swap,
    check_undo,
    newest_swap,
    state,
    was_undone,
)

IN_USE_SECONDS = 30.0
"""How long sessions are ended before those that stay are named; PostgreSQL's own RENAME waits 5 s for them each time
(CountOtherDBBackends)."""

IDLE_SECONDS = 10.0
"""What a swap that has stopped moving may hold: until its transaction ends, nobody can connect to the live database."""

_AGAIN_SECONDS = 0.2

_DATABASES = """
select datname, oid::int8, pg_get_userbyid(datdba), datallowconn, datconnlimit, shobj_description(oid, 'pg_database')
  from pg_database
"""
_SESSIONS = "select pid from pg_stat_activity where datid = any(%s::oid[]) and pid <> pg_backend_pid()"
_WHO_STAYS = """
select format('%%s of %%s (pid %%s)', coalesce(nullif(application_name, ''), backend_type), coalesce(usename, 'nobody'),
              pid)
  from pg_stat_activity where datid = any(%(oids)s::oid[]) and pid <> pg_backend_pid()
union all
select format('prepared transaction %%s of %%s', quote_literal(left(gid, 40)), owner)
  from pg_prepared_xacts where database in (select datname from pg_database where oid = any(%(oids)s::oid[]))
limit 5
"""


@dataclass(frozen=True)
class SwapFacts:
    """How far a swap is. `backup_id`: of the database that is live by it; `corrupt`: whether the old one is there."""

    state: State
    backup_id: str | None
    corrupt: bool


def find_swap(login: Login, swap: Swap) -> SwapFacts:
    """How far an operation's swap is; changes nothing."""
    with connected(login.to(MAINTENANCE)) as connection:
        return _facts(swap, _databases(connection))


def swap_to_undo(login: Login, live: str, undone: str, *, named: bool = True) -> Swap:
    """The swap that has been undone as `undone`, or that would be; changes nothing. `named`: whether a person named it.

    Raises `NothingToUndo` and `SwapRefused` where `undo_swap` would.
    """
    with connected(login.to(MAINTENANCE)) as connection:
        found = _databases(connection)
    swap = newest_swap(live, undone, found)
    if not was_undone(swap, undone, found):
        if not named:
            check_not_again(swap, found)
        check_undo(swap, undone, found)
    return swap


def swap_databases(login: Login, swap: Swap, seconds: float = IN_USE_SECONDS) -> SwapFacts:
    """Put the restored database in the live one's place; finds what an earlier run did.

    The sessions of both are ended, for at most `seconds`. Owner, grants, settings, comment and connection limit go over
    from the old to the new one; the old one takes no more connections. Works as well when there is no live database, or
    none that anybody can connect to. Raises `SwapRefused` and `DatabaseInUse`; nothing is changed then.
    """
    with connected(login.to(MAINTENANCE)) as connection:
        found = _databases(connection)
        if state(swap, found) == "swapped":
            return _facts(swap, found)
        check_swap(swap, found)
        live, restored = found.get(swap.live), found[swap.restored]
        mark = restored.mark
        assert mark is not None

        def put_in_place() -> None:
            if live:
                _rename(connection, swap.live, swap.corrupt)
            _rename(connection, swap.restored, swap.live)
            if live:
                before = live.mark if live.mark and live.mark.part == "live" else None
                aside = Mark(swap.operation, mark.backup_id, part="corrupt", opened=live.opened, before=before)
                set_comment(connection, swap.corrupt, marked(live.comment, aside))
                carry_over(connection, live, replace(restored, name=swap.live))
                if not live.half_dropped:
                    _open(connection, swap.corrupt, opened=False)
            _open(connection, swap.live, opened=True)
            comment = live.comment if live else restored.comment
            inside = replace(mark, part="live", replaced=swap.corrupt if live else None)
            set_comment(connection, swap.live, marked(comment, inside))

        _when_alone(login, connection, [each for each in (live, restored) if each], put_in_place, seconds)
        return _facts(swap, _databases(connection))


def undo_swap(login: Login, swap: Swap, undone: str, seconds: float = IN_USE_SECONDS) -> SwapFacts:
    """Put the old database back in its place, and the one that was swapped in aside as `undone`; both keep their data.

    A swap that had once put the old one there is in force again, and may be undone next. Finds what an earlier run
    under the same name did. Raises `NothingToUndo`, `SwapRefused` and `DatabaseInUse`; nothing is changed then.
    """
    with connected(login.to(MAINTENANCE)) as connection:
        found = _databases(connection)
        if was_undone(swap, undone, found):
            return _facts(swap, found)
        check_undo(swap, undone, found)
        live, corrupt = found[swap.live], found[swap.corrupt]
        live_mark, corrupt_mark = live.mark, corrupt.mark
        assert live_mark is not None
        assert corrupt_mark is not None

        def put_back() -> None:
            _rename(connection, swap.live, undone)
            _rename(connection, swap.corrupt, swap.live)
            set_comment(connection, undone, marked(live.comment, replace(live_mark, part="undone")))
            _open(connection, undone, opened=False)
            set_comment(connection, swap.live, marked(corrupt.comment, corrupt_mark.before))
            if not corrupt.half_dropped:
                _open(connection, swap.live, opened=corrupt_mark.opened)

        _when_alone(login, connection, [live, corrupt], put_back, seconds)
        return _facts(swap, _databases(connection))


def _when_alone(
    login: Login, connection: Rows, databases: Sequence[DatabaseFacts], deed: Callable[[], None], seconds: float
) -> None:
    """Do a deed in one transaction, for which nobody else may be in some databases: sessions are ended meanwhile."""
    oids = [database.oid for database in databases]
    deadline = time.monotonic() + seconds
    idle = sql.Literal(f"{round(IDLE_SECONDS * 1000)}")
    connection.execute(sql.SQL("set idle_in_transaction_session_timeout to {}").format(idle))
    with _sessions_ended(login, oids):
        while True:
            try:
                with connection.transaction():
                    deed()
            except errors.ObjectInUse:
                if time.monotonic() > deadline:
                    stay = connection.execute(_WHO_STAYS, {"oids": oids}).fetchall()
                    sessions = ", ".join(str(row[0]) for row in stay) or "they change all the time"
                    raise DatabaseInUse(host=login.host, database=databases[0].name, sessions=sessions) from None
            else:
                return


@contextlib.contextmanager
def _sessions_ended(login: Login, oids: list[int]) -> Iterator[None]:
    """Ends every session in some databases, again and again, until the block ends."""
    enough = threading.Event()
    ending = threading.Thread(target=_end_sessions, args=(login, oids, enough), daemon=True)
    ending.start()
    try:
        yield
    finally:
        enough.set()
        ending.join()


def _end_sessions(login: Login, oids: list[int], enough: threading.Event) -> None:
    # Without this connection sessions stay, and are named by whoever waits for them.
    with contextlib.suppress(MailarkError), connected(login.to(MAINTENANCE)) as connection:
        while True:
            for (pid,) in connection.execute(_SESSIONS, [oids]).fetchall():
                with contextlib.suppress(errors.InsufficientPrivilege):
                    connection.execute("select pg_terminate_backend(%s)", [pid])
            if enough.wait(_AGAIN_SECONDS):
                return


def _rename(connection: Rows, old: str, new: str) -> None:
    connection.execute(sql.SQL("alter database {} rename to {}").format(sql.Identifier(old), sql.Identifier(new)))


def _open(connection: Rows, name: str, *, opened: bool) -> None:
    allow = sql.SQL("true" if opened else "false")
    connection.execute(sql.SQL("alter database {} allow_connections {}").format(sql.Identifier(name), allow))


def _databases(connection: Rows) -> dict[str, DatabaseFacts]:
    rows = connection.execute(_DATABASES).fetchall()
    return {row[0]: DatabaseFacts(*row) for row in rows}


def _facts(swap: Swap, found: Mapping[str, DatabaseFacts]) -> SwapFacts:
    how_far = state(swap, found)
    mark = found[swap.live].mark if how_far == "swapped" else None
    return SwapFacts(how_far, mark.backup_id if mark else None, swap.corrupt in found)
