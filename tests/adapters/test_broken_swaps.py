"""A swap that breaks at every statement, and one that stands still: run again, it ends well."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import psycopg
import pytest

from lab.postgres import PostgresServer
from lambdas.adapters import database_swap, postgres
from lambdas.adapters.database_marks import mark
from lambdas.adapters.database_swap import swap_databases, undo_swap
from lambdas.adapters.postgres import Login
from lambdas.domain.database_errors import DatabaseRequestFailed, DatabaseUnreachable
from tests.adapters.swap_world import BACK, MARK, SWAP, SWAPPED, UNDONE, login_to, make, names, rules, swap_server, word
from tests.servers.postgres import PostgresServers


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    servers = PostgresServers(tmp_path_factory.mktemp("postgres"))
    yield swap_server(servers, "17")
    servers.stop()


@pytest.fixture
def login(server: PostgresServer) -> Login:
    """A live database with a row that says so, and a restored one beside it that says so too."""
    make(server)
    return login_to(server)


class Mortal:
    """A connection that is lost at its n-th moment: before or after a statement, before or after the commit."""

    def __init__(self, connection: postgres.Rows, dies_at: int) -> None:
        self._connection, self._left = connection, dies_at

    def _moment(self) -> None:
        self._left -= 1
        if self._left == 0:
            self._connection.close()
            raise psycopg.OperationalError("lost")

    def execute(self, *statement: Any) -> Any:
        self._moment()
        answer = self._connection.execute(*statement)
        self._moment()
        return answer

    @contextmanager
    def transaction(self) -> Iterator[None]:
        self._moment()
        with self._connection.transaction():
            yield
            self._moment()
        self._moment()

    @property
    def outlived(self) -> bool:
        return self._left > 0


def lives_out(dies_at: int, deed: Callable[[], object]) -> bool:
    """Whether a deed on a connection that dies at that moment ends before it."""
    made: list[Mortal] = []

    @contextmanager
    def connected(login: Login) -> Iterator[Any]:
        with postgres.connected(login) as connection:
            if threading.current_thread() is not threading.main_thread():
                yield connection
                return
            made.append(Mortal(connection, dies_at))
            yield made[0]

    with patch.object(database_swap, "connected", connected):
        try:
            deed()
        except DatabaseUnreachable:
            return False
    return made[0].outlived


def test_a_swap_and_its_undoing_may_break_at_every_statement_and_end_well_when_run_again(
    login: Login, server: PostgresServer
) -> None:
    server.query("alter database smtpy connection limit 7")
    server.query("alter database smtpy set work_mem = '7MB'")
    before = rules(server, "smtpy")
    moments = {"swap": 0, "undo": 0}

    def both_names_are_taken(says: set[str]) -> None:
        assert word(server) in says
        assert len(names(server)) == 2
        assert rules(server, "smtpy") == before

    while not lives_out(moments["swap"] + 1, lambda: swap_databases(login, SWAP)):
        moments["swap"] += 1
        both_names_are_taken({"old", "new"})
        assert swap_databases(login, SWAP) == SWAPPED
        both_names_are_taken({"new"})
        undo_swap(login, SWAP, UNDONE)
        renamed_back(server)
    while not lives_out(moments["undo"] + 1, lambda: undo_swap(login, SWAP, UNDONE)):
        moments["undo"] += 1
        both_names_are_taken({"old", "new"})
        assert undo_swap(login, SWAP, UNDONE) == BACK
        both_names_are_taken({"old"})
        renamed_back(server)
        swap_databases(login, SWAP)
    assert moments["swap"] > 20
    assert moments["undo"] > 10


def test_a_swap_that_stands_still_does_not_keep_the_service_out(login: Login, server: PostgresServer) -> None:
    """A function that was frozen in the middle keeps its connection, and with it the lock on the live database."""

    def stand_still(*_: object) -> None:
        assert word(server) == "old"

    with (
        patch.object(database_swap, "IDLE_SECONDS", 1.0),
        patch.object(database_swap, "carry_over", stand_still),
        pytest.raises(DatabaseRequestFailed, match="25P03"),
    ):
        swap_databases(login, SWAP)
    assert names(server) == {"smtpy", SWAP.restored}
    assert swap_databases(login, SWAP) == SWAPPED


def renamed_back(server: PostgresServer) -> None:
    """As before the swap, by the hand of somebody who knows what he does."""
    server.query(f"alter database {UNDONE} rename to {SWAP.restored}")
    server.query(f"alter database {SWAP.restored} allow_connections true")
    mark(login_to(server), SWAP.restored, MARK)
