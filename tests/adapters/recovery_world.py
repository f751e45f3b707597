"""Pairs of databases for the tests of row recovery: a live one, and its backup as it was restored beside it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import psycopg
from psycopg import sql

from lab.postgres import SUPERUSER, PostgresServer
from lambdas.adapters.postgres import Login
from lambdas.adapters.row_recovery import Imported, import_rows, plan_recovery
from lambdas.domain.recovery_plan import OnConflict, RecoveryPlan
from lambdas.domain.recovery_scope import ScopeItem

_NUMBERS = count()


@dataclass
class Pair:
    """A live database, and a copy of it from before the deletion."""

    server: PostgresServer
    schema: str
    """SQL that makes the tables and fills them, or the name of a database to copy."""
    backup: Login = field(init=False)
    live: Login = field(init=False)

    def __post_init__(self) -> None:
        name = f"live_{next(_NUMBERS)}"
        if " " in self.schema:
            self.server.create_database(name)
            self.server.query(self.schema, name)
        else:
            self._copy(self.schema, name)
        self._copy(name, f"{name}_backup")
        self.live, self.backup = login_to(self.server, name), login_to(self.server, f"{name}_backup")

    def change(self, statement: str) -> None:
        """What happens to the live database after the backup."""
        self.server.query(statement, self.live.database)

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        """Ask the live database."""
        return self.server.query(query, self.live.database)

    def plan(self, *scope: str, on_conflict: OnConflict = "stop") -> RecoveryPlan:
        return plan_recovery(self.backup, self.live, items(scope), on_conflict)

    def bring_back(self, *scope: str, on_conflict: OnConflict = "stop") -> Imported:
        """Plan and import at once, as when nothing happens between the two."""
        plan = self.plan(*scope, on_conflict=on_conflict)
        return import_rows(self.backup, self.live, items(scope), plan.digest, on_conflict, left_out=plan.conflict_count)

    def contents(self, database: str = "") -> dict[str, list[str]]:
        """Every row of every table, as text, sorted."""
        with self.server.connect(database or self.live.database) as connection:
            return {table: _rows(connection, table) for table in _tables(connection)}

    @property
    def whole(self) -> bool:
        """Whether the live database holds what the backup holds, byte for byte."""
        return self.contents() == self.contents(self.backup.database)

    def _copy(self, source: str, target: str) -> None:
        create = sql.SQL("create database {} template {}").format(sql.Identifier(target), sql.Identifier(source))
        with self.server.connect() as connection:
            connection.execute(create)


def items(scope: Sequence[str]) -> list[ScopeItem]:
    """A scope from texts such as `users` and `users where id = 1`."""
    parts = (text.partition(" where ") for text in scope)
    return [ScopeItem(table, where) for table, _, where in parts]


def login_to(server: PostgresServer, database: str, user: str = SUPERUSER, password: str = "") -> Login:
    password = password or server.superuser_password
    return Login(server.host, server.port, database, user, password, server.authority.pem)


def counts(plan: RecoveryPlan) -> dict[str, int]:
    """The rows that a plan would bring, by table without its schema `public`."""
    return {table.table.removeprefix("public."): table.rows for table in plan.tables if table.rows}


def _tables(connection: psycopg.Connection[Any]) -> list[str]:
    query = "select oid::regclass::text from pg_class where relkind in ('r', 'p') and relpersistence <> 't' and ("
    query += "relnamespace >= 16384 or relnamespace = 'public'::regnamespace) order by 1"
    return [name for (name,) in connection.execute(query)]


def _rows(connection: psycopg.Connection[Any], table: str) -> list[str]:
    return sorted(text for (text,) in connection.execute(f"select t::text from {table} t".encode()))  # noqa: S608  # our own
