"""Marks of databases, on a real server."""

from collections.abc import Iterator

import pytest

from lab.postgres import PostgresServer
from lambdas.adapters.database_marks import mark, mark_of
from lambdas.adapters.postgres import Login
from lambdas.domain.database_errors import DatabaseMissing
from lambdas.domain.database_mark import Mark
from tests.servers.postgres import PostgresServers, fresh_database

MARK = Mark("op-1", "database/daily/2026-11-22/smtpy", verified=True)
NAME = 'Kunde "7" ü'


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    servers = PostgresServers(tmp_path_factory.mktemp("postgres"))
    yield servers.shared()
    servers.stop()


@pytest.fixture
def login(server: PostgresServer) -> Login:
    fresh_database(server, NAME)
    return Login(server.host, server.port, "nowhere", "postgres", server.superuser_password, server.authority.pem)


def comment(server: PostgresServer) -> object:
    return server.query(
        "select shobj_description(oid, 'pg_database') from pg_database where datname = %s", "postgres", [NAME]
    )[0][0]


def test_a_database_that_nobody_marked_has_no_mark(login: Login) -> None:
    assert mark_of(login, NAME) is None


def test_a_mark_is_read_back_and_a_second_one_replaces_it(login: Login) -> None:
    mark(login, NAME, Mark("op-1", MARK.backup_id))
    mark(login, NAME, MARK)
    mark(login, NAME, MARK)
    assert mark_of(login, NAME) == MARK


def test_a_mark_goes_with_its_database_when_that_is_renamed(login: Login, server: PostgresServer) -> None:
    mark(login, NAME, MARK)
    server.drop_database("renamed")
    server.query('alter database "Kunde ""7"" ü" rename to renamed')
    assert mark_of(login, "renamed") == MARK


def test_the_comment_that_somebody_wrote_stays_above_the_mark(login: Login, server: PostgresServer) -> None:
    server.query("""comment on database "Kunde ""7"" ü" is 'ask ''Ada''\nfirst'""")
    mark(login, NAME, MARK)
    assert str(comment(server)).startswith("ask 'Ada'\nfirst\n{")
    assert mark_of(login, NAME) == MARK


def test_a_database_that_is_not_there_is_named(login: Login) -> None:
    with pytest.raises(DatabaseMissing, match="has no database lost"):
        mark_of(login, "lost")
    with pytest.raises(DatabaseMissing, match="has no database lost"):
        mark(login, "lost", MARK)
