"""Rows of one deleted organization brought back into databases of growing size."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from psycopg import sql

from benchmarks.figures import Figure, figure
from lab.forwarding_service import load
from lab.lab import Progress
from lab.postgres import SUPERUSER, PostgresServer
from lambdas.adapters.postgres import Login
from lambdas.adapters.row_recovery import import_rows, plan_recovery
from lambdas.domain.recovery_scope import ScopeItem

_MESSAGES_OF_MEGABYTE = 731
_SIZES = (10, 100, 1000)
"""Messages for each megabyte that the other measurements have at first: a million in the end, at 1,000 MB."""
_LIVE, _BACKUP = "smtpy_live", "smtpy_backup"
_COUNTED = ("organizations", "users", "domains", "aliases", "messages", "events", "activity_logs")


def deletions(server: PostgresServer, megabytes: int, progress: Progress) -> list[Figure]:
    """Measure at three sizes, ten times as many messages each time: at the last of them, 1,000 for each megabyte."""
    took: list[tuple[int, float, str]] = []
    for of_megabyte in _SIZES:
        messages = of_megabyte * megabytes
        progress(f"Deletion: {messages:,} messages")
        with _pair(server, messages / _MESSAGES_OF_MEGABYTE):
            took.append((messages, *_brought_back(server)))
    *smaller, (messages, seconds, told) = took
    less = ", ".join(f"{took:.2f} s with {count:,} messages" for count, took, _ in smaller)
    return [
        figure(f"Rows of one organization brought back among {messages:,} messages", seconds, "s", f"{told}; {less}")
    ]


@contextmanager
def _pair(server: PostgresServer, megabytes: float) -> Iterator[None]:
    """A database, and its copy from before the deletion."""
    try:
        server.create_database(_BACKUP)
        with server.connect(_BACKUP) as connection:
            load(connection, megabytes)
        copy = sql.SQL("create database {} template {}").format(sql.Identifier(_LIVE), sql.Identifier(_BACKUP))
        with server.connect() as connection:
            connection.execute(copy)
        yield
    finally:
        for name in (_LIVE, _BACKUP):
            server.drop_database(name)


def _brought_back(server: PostgresServer) -> tuple[float, str]:
    """Seconds from the plan to the committed import, and what it was."""
    before = _counts(server)
    (organization,) = server.query("select max(id) / 2 from organizations", _LIVE)[0]
    server.query(f"delete from organizations where id = {organization}", _LIVE)  # noqa: S608  # a number of our own
    missing = sum(before.values()) - sum(_counts(server).values())
    scope = [ScopeItem("organizations", f"id = {organization}")]
    live, backup = (
        Login(server.host, server.port, name, SUPERUSER, server.superuser_password, server.authority.pem)
        for name in (_LIVE, _BACKUP)
    )
    began = time.monotonic()
    plan = plan_recovery(backup, live, scope)
    planned = time.monotonic() - began
    import_rows(backup, live, scope, plan.digest)
    seconds = time.monotonic() - began
    if _counts(server) != before:
        raise RuntimeError(f"not all rows of organization {organization} came back")
    return seconds, f"{missing:,} rows, of which the plan took {planned:.2f} s"


def _counts(server: PostgresServer) -> dict[str, int]:
    return {name: server.query(f"select count(*) from {name}", _LIVE)[0][0] for name in _COUNTED}  # noqa: S608  # our own names
