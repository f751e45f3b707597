"""The database of these tests: two real servers and real services on one of them, started when first asked for."""

import contextlib
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests
from psycopg import sql

from lab.forwarding_service import DATABASE
from lab.postgres import PostgresServer
from lab.services import NAMES, LabServices
from lambdas.adapters.database_marks import mark
from lambdas.adapters.database_swap import swap_databases
from lambdas.domain.database_mark import Mark
from lambdas.domain.operation import Lease, Operation
from lambdas.domain.swap import swap_of
from tests.actions.database_house import RESTORED, Databases, control_of, let_run, make_dump, put_logins, put_services
from tests.actions.house import OTHER, House, SavedBackup
from tests.servers.aws import PRIMARY
from tests.servers.postgres import PostgresServers
from tests.servers.postgres_clients import clients_on_path

_SETTINGS = {"max_wal_size": "32MB"}
"""What a restore makes sure that there is room for, by taking it."""
_ALONE_SECONDS = 20.0
_COPY = "copy"
_PAGE, _BAD = 8192, b"\xff\xfe\xaa"
"""PostgreSQL's page, and what no page begins with."""


@dataclass
class CrashDatabase:
    """The forwarding service's database in one world after another; `damaged` are those of the present one, by oid."""

    folder: Path
    first_at: datetime
    damaged: list[int] = field(default_factory=list)
    replaced: list[int] = field(default_factory=list)
    swapped_in: list[int] = field(default_factory=list)
    """The databases that an undo puts back, and those that it takes out again."""
    _saved: SavedBackup | None = None
    _started: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    @cached_property
    def databases(self) -> Databases:
        servers = PostgresServers(self.folder)
        self._started.callback(servers.stop)
        found = Databases(servers.start(settings=_SETTINGS), servers.start(settings=_SETTINGS))
        self._started.enter_context(clients_on_path([found.live.major]))
        return found

    @cached_property
    def services(self) -> LabServices:
        authority = self.databases.live.authority
        services = LabServices(self.folder / "services", authority, self.databases.connection_of_the_service)
        return self._started.enter_context(services.started())

    @cached_property
    def contents(self) -> dict[str, tuple[Any, ...]]:
        """What the live database holds when a world begins: what its dump holds, too."""
        return self.databases.contents()

    @property
    def live(self) -> PostgresServer:
        return self.databases.live

    @property
    def saved(self) -> SavedBackup:
        """The dump that lies in both regions when a world begins."""
        assert self._saved is not None
        return self._saved

    def stop(self) -> None:
        self._started.close()

    def begin(self, house: House) -> str:
        """Give a house the database as it was, its services, and a dump of it made the day before; the dump's id."""
        self.databases.restart()
        self.damaged, self.replaced, self.swapped_in = [], [], []
        if house.database is not None:
            self.serve()
            return self.saved.id
        put_logins(house, self.databases)
        put_services(house, self.databases, self.services)
        there = {PRIMARY} if self._saved is None else set()
        if self._saved is None:
            at = self.first_at - timedelta(days=1)
            self._saved = make_dump(house, at.isoformat())
            _ = self.contents
        for region in OTHER.keys() - there:
            self.saved.put(house, region)
        return self.saved.id

    def serve(self) -> None:
        """Let somebody start what does not run."""
        let_run(self.services)

    def leave(self, server: PostgresServer, name: str) -> None:
        """Leave a database where a stopped execution has made it; the one that is there stays."""
        if name not in self.databases.names(server):
            server.create_database(name)

    def stop_services(self) -> None:
        """Leave the services standing, as a stopped execution does."""
        control_of(self.services).stop(NAMES)

    # --- what happens to it -------------------------------------------------------------------------------

    def damage(self) -> None:
        """Write over a page of the live database's mail, under a server that holds none of its pages in memory."""
        server = self.live
        copy = sql.SQL("create database {} template {} strategy file_copy")
        with server.connect() as session:
            session.execute(copy.format(sql.Identifier(_COPY), sql.Identifier(DATABASE)))
        server.drop_database(DATABASE)
        server.query(f"alter database {_COPY} rename to {DATABASE}")
        path = server.query("select pg_relation_filepath('messages')", DATABASE)[0][0]
        with (server.data / str(path)).open("r+b") as file:
            file.seek(_PAGE)
            file.write(_BAD * (_PAGE // len(_BAD)))
        with pytest.raises(psycopg.errors.DataCorrupted):
            server.query("select count(length(body)) from messages", DATABASE)
        self.damaged.append(self.oid())

    def swap(self, executions: int) -> None:
        """Do what a recovery does in the end, after so many executions: a verified copy takes the live one's place."""
        server, login = self.live, self.databases.login(self.live)
        with server.connect() as session:
            make = sql.SQL("create database {} template {}")
            session.execute(make.format(sql.Identifier(RESTORED), sql.Identifier(DATABASE)))
        number = len(self.swapped_in) + 1
        at = (self.first_at + timedelta(minutes=executions, seconds=number)).isoformat()
        lease = Lease("none", 0)
        operation = Operation(f"swap-{number}", "database_corruption", "a-test", "recover", at, lease, "a test", "jo")
        mark(login, RESTORED, Mark(operation.id, self.saved.id, verified=True))
        self.replaced.append(self.oid())
        swap_databases(login, swap_of(operation, DATABASE))
        self.swapped_in.append(self.oid())

    # --- looking around -----------------------------------------------------------------------------------

    def oid(self, name: str = DATABASE) -> int:
        """What a database keeps whatever it is called."""
        (found,) = self.live.query("select oid::int8 from pg_database where datname = %s", "postgres", [name])
        return int(found[0])

    def kept(self, kind: str) -> list[int]:
        """The databases that were put aside as `corrupt` or `undone`, by oid, the oldest first."""
        names = sorted(name for name in self.databases.names() if name.startswith(f"{DATABASE}_{kind}_"))
        return [self.oid(name) for name in names]

    def wait_until_alone(self) -> None:
        """Wait until the live server has no session of Mailark's: a server looks for the dead every 5 s at least."""
        deadline = time.monotonic() + _ALONE_SECONDS
        while left := self.live.query("select pid from pg_stat_activity where application_name = 'mailark'"):
            assert time.monotonic() < deadline, f"{len(left)} sessions are left behind"
            time.sleep(0.05)

    def serves(self) -> bool:
        """Whether every service runs, and says that it is well."""
        running = set(control_of(self.services).states(NAMES).values()) == {"running"}
        return running and all(requests.get(url, timeout=10).ok for url in self.services.health_urls)
