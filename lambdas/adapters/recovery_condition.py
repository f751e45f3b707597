"""A condition that a person gives, read by a role that may read tables and nothing else.

Whoever reaches the staging server does so as a superuser, and a superuser's expression may write files there, in a
transaction that only reads too. SET ROLE does not help, as the expression itself could undo it: so the condition is the
body of a function of this session, SECURITY DEFINER, in which PostgreSQL lets nobody change roles.
"""

import psycopg
from psycopg import sql

from lambdas.adapters.recovery_reader import let_read
from lambdas.adapters.recovery_session import Session, temporary
from lambdas.domain.foreign_keys import Table
from lambdas.domain.recovery_errors import RecoveryConditionInvalid

CONDITION_SECONDS = 60

_CHANGED_SETTINGS = sql.SQL("select name, setting from pg_settings where source = 'session' order by name")
_SET_TIMEOUT = sql.SQL("select set_config('statement_timeout', {}, true)")


class Condition:
    """One condition on a table."""

    def __init__(self, backup: Session, table: Table, number: int, query: sql.Composed, asked: sql.Identifier) -> None:
        """Make the function, before a transaction that only reads begins; `number` is no other condition's.

        `query` selects the keys with the condition in it, and `asked` is a temporary table of just these columns.
        Raises `RecoveryConditionInvalid`, and `DatabaseRequestFailed` where the login may not make the role.
        """
        self._backup, self._table, self._asked = backup, table, asked
        self._function = temporary(f"condition_{number}")
        # The session's own path: "$user" in it would be the reader.
        path = [sql.Identifier(str(schema)) for schema in _list(backup.rows(sql.SQL("select current_schemas(false)")))]
        let_read(backup)
        # The body is a literal, which nothing in it can end; and STABLE takes no statement but SELECT.
        create = sql.SQL(
            "create function {}() returns setof {} language sql stable security definer set search_path = {} as {}"
        ).format(
            self._function,
            asked,
            sql.SQL(", ").join(path) if path else sql.SQL("''"),
            sql.Literal(query.as_string(backup.connection)),
        )
        with backup.connection.transaction():
            self._execute(create)
            backup.run(sql.SQL("alter function {}() owner to mailark_reader").format(self._function))

    def collect(self) -> None:
        """Put the keys of the rows for which it holds into `asked`. Raises `RecoveryConditionInvalid`."""
        backup = self._backup
        usual = backup.rows(sql.SQL("select current_setting('statement_timeout')"))[0][0]
        backup.run(_SET_TIMEOUT.format(str(CONDITION_SECONDS * 1000)))
        before = backup.rows(_CHANGED_SETTINGS)
        self._execute(sql.SQL("insert into {} select * from {}()").format(self._asked, self._function))
        # A time limit or a search path would hold for whatever this session does next.
        if backup.rows(_CHANGED_SETTINGS) != before:
            raise RecoveryConditionInvalid(table=self._table, problem="it would change a setting")
        backup.run(_SET_TIMEOUT.format(str(usual)))

    def _execute(self, query: sql.Composed) -> None:
        backup = self._backup
        try:
            backup.connection.execute(query)
        except psycopg.Error as error:
            if backup.connection.broken or backup.connection.closed:
                raise backup.failed(error) from None
            raise RecoveryConditionInvalid(table=self._table, problem=_problem(error)) from None


def _list(rows: list[tuple[object, ...]]) -> list[object]:
    """The array that is the one value of a query."""
    (value,) = rows[0]
    return list(value) if isinstance(value, list) else []


def _problem(error: psycopg.Error) -> str:
    """What is wrong with a condition. PostgreSQL is quoted on the SQL alone: its other texts may quote a row."""
    state = error.sqlstate or "none"
    if state.startswith("42"):
        return str(error.diag.message_primary)[:200]
    if state == "57014":
        return f"it ran for longer than {CONDITION_SECONDS} s"
    if state == "25006":
        return "it would change something"
    return f"{type(error).__name__}, {state}"
