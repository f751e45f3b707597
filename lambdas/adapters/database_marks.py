"""The mark that Mailark leaves in a database's comment, where a rename, a crash and a restart keep it."""

from psycopg import sql

from lambdas.adapters.postgres import MAINTENANCE, Login, Rows, connected
from lambdas.domain.database_errors import DatabaseMissing
from lambdas.domain.database_mark import Mark, mark_in, marked

_COMMENT = "select shobj_description(oid, 'pg_database') from pg_database where datname = %s"


def mark(login: Login, database: str, mark: Mark) -> None:
    """Mark a database, instead of an earlier mark; the rest of its comment stays. Raises `DatabaseMissing`."""
    with connected(login.to(MAINTENANCE)) as connection, connection.transaction():
        set_comment(connection, database, marked(_comment(login, connection, database), mark))


def mark_of(login: Login, database: str) -> Mark | None:
    """The mark of a database, None for one that has none. Raises `DatabaseMissing`."""
    with connected(login.to(MAINTENANCE)) as connection:
        return mark_in(_comment(login, connection, database))


def set_comment(connection: Rows, database: str, comment: str | None) -> None:
    """Give a database this comment; None takes it away."""
    text = sql.SQL("NULL") if comment is None else sql.Literal(comment)
    connection.execute(sql.SQL("comment on database {} is {}").format(sql.Identifier(database), text))


def _comment(login: Login, connection: Rows, database: str) -> str | None:
    row = connection.execute(_COMMENT, [database]).fetchone()
    if row is None:
        raise DatabaseMissing(host=login.host, database=database)
    return None if row[0] is None else str(row[0])
