"""How sound a live database is: everything that it stores is read once, and nothing is changed.

The session is read only. (PostgreSQL itself may note on a page that a row is visible to all, as with any SELECT.) What
SQL cannot see stays unseen: a page of zeros counts as an empty one, with and without checksums, and a table whose
second file is lost ends after its first; a comparison with the last backup's row counts shows both.
"""

import contextlib
import itertools
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import errors, sql

from lambdas.adapters.database_wait import PASSING_SECONDS, Opening, open_in_time
from lambdas.adapters.postgres import MAINTENANCE, Login, Rows, connected
from lambdas.adapters.server_log import read_log
from lambdas.domain.damage import Assessment, Check, Finding, assess, finding_of
from lambdas.domain.database_errors import DatabaseUnreachable
from lambdas.domain.mailark_error import MailarkError

ASSESS_SECONDS = 600.0
_CATALOG_SECONDS = 30.0
_LEAST_SECONDS = 1.0
_LOCK_SECONDS = 5.0
_RESTART_SECONDS = 30.0
"""A server whose process died of a page restarts all of them; it has a few seconds of log to replay."""

_RELATIONS = sql.SQL("""
select c.oid::int8, n.nspname, c.relname, c.relkind, i.indexrelid is not null and a.amname = 'btree',
       coalesce(i.indisvalid and i.indisready, true), c.relispopulated,
       exists (select from pg_stat_progress_create_index p where p.index_relid = c.oid)
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  left join pg_index i on i.indexrelid = c.oid left join pg_am a on a.oid = c.relam
 where c.relkind in ('r', 'm', 'i', 'S') and c.relpersistence <> 't'
 order by c.relpages, c.oid
""")
_MISSING_FILES = sql.SQL("""
select c.oid::int8, case c.relkind when 't' then 'long values of ' || m.oid::regclass else c.oid::regclass::text end,
       c.relkind = 'i', pg_relation_filepath(c.oid)
  from pg_class c left join pg_class m on m.reltoastrelid = c.oid and c.relkind = 't'
 where c.relkind in ('r', 'm', 'i', 'S', 't') and c.relpersistence <> 't' and pg_relation_filepath(c.oid) is not null
   and (pg_stat_file(pg_relation_filepath(c.oid), true)).size is null
 order by c.oid
""")
_CHECKSUMS = sql.SQL("""
select current_setting('data_checksums')::bool, coalesce(sum(checksum_failures), 0)::int8,
       to_char(max(checksum_last_failure) at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
  from pg_stat_database where datname = current_database() or datid = 0
""")
_AMCHECK = sql.SQL("""
select n.nspname, (select count(*) from pg_available_extensions where name = 'amcheck') > 0,
       array(select p.proname::text from pg_proc p
              where p.pronamespace = n.oid and p.proname in ('verify_heapam', 'bt_index_check')
                and has_function_privilege(p.oid, 'execute'))
  from (select 1) one left join pg_extension e on e.extname = 'amcheck'
  left join pg_namespace n on n.oid = e.extnamespace
""")
_TOO_LONG = ("54000", "53200", "XX000")
"""What PostgreSQL raises for a text of more than 1 GB; a damaged length can look the same."""

_HIDING = ("zero_damaged_pages", "ignore_checksum_failure")
_CREDENTIALS = ("authentication", "pg_hba.conf", 'role "')
"""What the server says of a login that is at fault, and not of what it keeps."""


@dataclass(frozen=True)
class _Relation:
    oid: int
    schema: str
    name: str
    kind: str
    is_btree: bool
    is_valid: bool
    is_populated: bool
    is_being_built: bool

    @property
    def said(self) -> str:
        return f"{self.schema}.{self.name}"


def assess_database(login: Login, seconds: float = ASSESS_SECONDS, *, heapallindexed: bool = False) -> Assessment:
    """Read all that a database stores, each relation by itself, for at most about `seconds`, and say what is damaged.

    Small tables come first, and none gets more than half of the time that is left, so that a big one hides no other.
    `heapallindexed` lets amcheck look for every row in every index as well, which reads each table again per index.
    A server that starts, or is full of sessions, is waited for, for half of the time at most. A database that cannot be
    connected to then is a verdict, and the findings say what was waited for. Raises `DatabaseLoginRefused` and
    `DatabaseCertificateRefused` where the login is at fault: that says nothing of the database.
    """
    session = _Session(login, time.monotonic() + seconds)
    opening = open_in_time(session.open, min(PASSING_SECONDS, seconds / 2))
    if opening.error:
        return assess([*_unreachable(login, opening.error), *_waited(opening)], reached=False)
    session.deadline = min(session.deadline, time.monotonic() + ASSESS_SECONDS)
    try:
        return assess(itertools.chain(_waited(opening), _findings(session, heapallindexed)))
    finally:
        session.close()


def _waited(opening: Opening) -> list[Finding]:
    """What was waited for, where anything was."""
    if not opening.said:
        return []
    return [Finding("connection", "noted", None, f"waited {opening.seconds:.0f} s while it said: {opening.said}")]


def _unreachable(login: Login, error: MailarkError) -> list[Finding]:
    """What is known of a database that cannot be connected to. Raises the error when it is about the login."""
    found = [Finding("connection", "damaged", None, _sentence(error))]
    if isinstance(error, DatabaseUnreachable):
        return found
    try:
        with connected(login.to(MAINTENANCE), _CATALOG_SECONDS) as connection:
            found.append(Finding("connection", "noted", None, "the server lets the same role into another database"))
            return found + read_log(connection, login.database)
    except MailarkError as second:
        if any(word in _sentence(second) for word in _CREDENTIALS):
            raise error from None
        return found


def _sentence(error: MailarkError) -> str:
    return str(error).partition(": ")[2].partition("\n")[0]


class _Lost(Exception):
    """The server is gone, and does not come back in time."""


class _Session:
    """A connection that reads, and that comes back when the server's process dies of what it reads."""

    def __init__(self, login: Login, deadline: float) -> None:
        self.login, self.deadline = login, deadline
        self._open = contextlib.ExitStack()

    @property
    def seconds_left(self) -> float:
        return self.deadline - time.monotonic()

    def open(self) -> None:
        self.connection: Rows = self._open.enter_context(connected(self.login, _CATALOG_SECONDS))
        self.connection.execute("set default_transaction_read_only = on")
        self.connection.execute(sql.SQL("set lock_timeout to {}").format(sql.Literal(f"{round(_LOCK_SECONDS * 1000)}")))

    def close(self) -> None:
        self._open.close()

    def ask(
        self, statement: sql.SQL | sql.Composed, values: Sequence[object] = (), seconds: float = _CATALOG_SECONDS
    ) -> list[tuple[Any, ...]]:
        """The rows of a statement, which may take `seconds`. Raises `psycopg.Error`, and `_Lost`."""
        limit = sql.Literal(f"{round(seconds * 1000)}")
        try:
            self.connection.execute(sql.SQL("set statement_timeout to {}").format(limit))
            return self.connection.execute(statement, values or None).fetchall()
        except psycopg.Error:
            if self.connection.closed:
                self._reopen()
            raise

    def _reopen(self) -> None:
        self.close()
        until = time.monotonic() + _RESTART_SECONDS
        while True:
            try:
                return self.open()
            except MailarkError:
                if time.monotonic() > until:
                    raise _Lost from None
                time.sleep(0.2)


def _findings(session: _Session, heapallindexed: bool) -> Iterator[Finding]:
    try:
        yield from read_log(session.connection, session.login.database)
        yield from _checksums(session)
        yield from _files(session)
        relations = [_Relation(*row) for row in session.ask(_RELATIONS)]
        yield from (_validity(index) for index in relations if index.kind == "i")
        hiding = [
            name for name in _HIDING if session.ask(sql.SQL("show {}").format(sql.Identifier(name))) != [("off",)]
        ]
        if hiding:  # reading would put zeros in the place of what is damaged, for good
            yield Finding(
                "settings", "not assessed", None, f"{hiding[0]} is on, so nothing was read: turn it off first"
            )
            return
        yield from _read(session, relations)
        yield from _amcheck(session, relations, heapallindexed)
    except _Lost:
        yield Finding("connection", "damaged", None, "the server went away while it was read, and did not come back")
    except psycopg.Error as error:
        yield _finding("connection", None, error)


def _checksums(session: _Session) -> Iterator[Finding]:
    on, failures, last = session.ask(_CHECKSUMS)[0]
    if not on:
        yield Finding("checksums", "skipped", None, "the server keeps none: a page with wrong values looks sound")
    elif failures:
        yield Finding("checksums", "damaged", None, f"{failures} pages failed, the last at {last}")
    else:
        yield Finding("checksums", "sound", None, "no page has failed")


def _files(session: _Session) -> Iterator[Finding]:
    try:
        # A table that is written anew at this moment changes its file: what is missing twice, is missing.
        before, after = ({tuple(row) for row in session.ask(_MISSING_FILES)} for _ in range(2))
    except errors.InsufficientPrivilege:
        yield Finding("files", "skipped", None, "the role may not look for them (pg_stat_file)")
        return
    for _, relation, is_index, path in sorted(before & after):
        yield Finding("index files" if is_index else "files", "damaged", relation, f"its file {path} is missing")
    if not before & after:
        yield Finding("files", "sound", None, "every relation has its file")


def _validity(index: _Relation) -> Finding:
    if index.is_valid:
        return Finding("indexes", "sound", index.said, "")
    if index.is_being_built:
        return Finding("indexes", "noted", index.said, "it is being built at this moment")
    return Finding("indexes", "damaged", index.said, "it is not valid, so that nothing is looked up in it: REINDEX it")


def _read(session: _Session, relations: list[_Relation]) -> Iterator[Finding]:
    """Read every row of every table, its long values too, and write it out as text: what pg_dump would have to do."""
    tables = [each for each in relations if each.kind in ("r", "m", "S") and each.is_populated]
    for number, table in enumerate(tables, start=1):
        name = sql.Identifier(table.schema, table.name)
        whole = sql.SQL("select count(octet_length((t.*)::text)) from only {} t").format(name)
        # A row that is longer as text than PostgreSQL's 1 GB is sound all the same, if it can be sent as it is.
        raw = sql.SQL("select count(octet_length(record_send(t.*))) from only {} t").format(name)
        one = sql.SQL("select last_value from {}").format(name)
        yield from _one(
            session, "tables", table, [one] if table.kind == "S" else [whole, raw], is_last=number == len(tables)
        )


def _amcheck(session: _Session, relations: list[_Relation], heapallindexed: bool) -> Iterator[Finding]:
    schema, available, functions = session.ask(_AMCHECK)[0]
    lacks = "the extension amcheck is not installed in it" if available else "the server has no amcheck"
    tables = [each for each in relations if each.kind in ("r", "m") and each.is_populated]
    indexes = [each for each in relations if each.is_btree and each.is_valid]
    if "verify_heapam" not in functions:
        yield Finding("table pages", "skipped", None, "the role may not call verify_heapam" if schema else lacks)
        tables = []
    if "bt_index_check" not in functions:
        yield Finding("index pages", "skipped", None, "the role may not call bt_index_check" if schema else lacks)
        indexes = []
    others = sum(each.kind == "i" and not each.is_btree for each in relations)
    if indexes and others:
        yield Finding("index pages", "skipped", None, f"{others} indexes are of kinds that amcheck does not know here")
    heap = sql.SQL("select count(*) over (), blkno, msg from {}({}::oid::regclass, check_toast => true) limit 1")
    btree = sql.SQL("select {}({}::oid::regclass, {})")
    for number, each in enumerate([*tables, *indexes], start=1):
        is_last = number == len(tables) + len(indexes)
        if each.kind == "i":
            function = sql.Identifier(schema, "bt_index_check")
            statement = btree.format(function, sql.Literal(each.oid), sql.Literal(heapallindexed))
            yield from _one(session, "index pages", each, [statement], is_last=is_last)
        else:
            statement = heap.format(sql.Identifier(schema, "verify_heapam"), sql.Literal(each.oid))
            yield from _one(session, "table pages", each, [statement], is_last=is_last)


def _one(
    session: _Session, check: Check, relation: _Relation, statements: list[sql.Composed], *, is_last: bool
) -> Iterator[Finding]:
    """Check one relation, by the next statement where one is refused. Nothing is said of one that is dropped meanwhile.

    When the connection is lost, somebody may have ended it; when it is lost again, the relation is to blame.
    """
    found: Finding | None = None
    left, again = list(statements), True
    while left:
        if session.seconds_left < _LEAST_SECONDS:
            yield found or Finding(check, "not assessed", relation.said, "there was no time left for it")
            return
        try:
            rows = session.ask(left[0], seconds=session.seconds_left / (1 if is_last else 2))
        except psycopg.Error as error:
            if again and _is_death(error):
                again = False
                continue
            found = found or _finding(check, relation.said, error)
            left = left[1:] if error.sqlstate in _TOO_LONG else []
        else:
            yield _amcheck_says(relation, rows) if check == "table pages" and rows else _sound(check, relation)
            return
    if found and session.ask(sql.SQL("select from pg_class where oid = {}::oid").format(sql.Literal(relation.oid))):
        yield found


def _sound(check: Check, relation: _Relation) -> Finding:
    return Finding(check, "sound", relation.said, "")


def _amcheck_says(table: _Relation, rows: list[tuple[Any, ...]]) -> Finding:
    count, block, message = rows[0]
    more = f", and {count - 1} more" if count > 1 else ""
    return Finding("table pages", "damaged", table.said, f"block {block}: {message}{more}")


def _is_death(error: psycopg.Error) -> bool:
    """Whether the session ended with it; class 57P is a server that stops, or another process of it that died."""
    return error.sqlstate is None or error.sqlstate.startswith("57P")


def _finding(check: Check, relation: str | None, error: psycopg.Error) -> Finding:
    if _is_death(error):
        return Finding(check, "damaged", relation, "the server's process died while it was read")
    return finding_of(check, relation, error.sqlstate or "", error.diag.message_primary or "")
