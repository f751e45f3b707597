"""The end of a PostgreSQL server's own log, read over SQL where the role may."""

from psycopg import errors

from lambdas.adapters.postgres import Rows
from lambdas.domain.damage import Finding
from lambdas.domain.server_log import FORMATS, Format, log_findings

_BYTES = 1_048_576
"""The last of the log that is read: what is older tells little of today."""

_END = """
select pg_read_binary_file(path, greatest(size - %(bytes)s, 0), %(bytes)s)
  from (select %(path)s as path, (pg_stat_file(%(path)s)).size as size) file
"""


def read_log(connection: Rows, database: str) -> list[Finding]:
    """What the log tells of damage in a database; one `skipped` finding where it cannot be read."""
    try:
        where = _log_file(connection)
        if where is None:
            return [_skipped("the server does not collect its log (logging_collector)")]
        form, path = where
        row = connection.execute(_END, {"path": path, "bytes": _BYTES}).fetchone()
    except errors.InsufficientPrivilege:
        return [_skipped("the role may not read it (pg_current_logfile, pg_stat_file, pg_read_binary_file)")]
    except (errors.UndefinedFile, errors.SystemError) as error:
        return [_skipped(f"its file cannot be read ({error.sqlstate})")]
    text = bytes(row[0]).decode(errors="replace") if row else ""
    return log_findings(text, form, database) or [Finding("log", "sound", None, "its end tells of no damage")]


def _log_file(connection: Rows) -> tuple[Format, str] | None:
    for form in FORMATS:
        try:
            row = connection.execute("select pg_current_logfile(%s)", [form]).fetchone()
        except errors.InvalidParameterValue:  # a format that this major version does not have
            continue
        if row and row[0]:
            return form, str(row[0])
    return None


def _skipped(problem: str) -> Finding:
    return Finding("log", "skipped", None, problem)
