"""PostgreSQL's programs as streams: in pieces worth a hand-over, and never waited for where work could go on."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from lab.postgres import PostgresServer
from lambdas.adapters.database_facts import source_of
from lambdas.adapters.postgres import connected
from lambdas.adapters.postgres_programs import dumped, load
from tests.adapters.database_house import made
from tests.servers.postgres import PostgresServers
from tests.servers.vault import until

_PIECE = 1024 * 1024
_AHEAD = 4


@pytest.fixture(scope="module")
def server(postgres_servers: PostgresServers) -> PostgresServer:
    return postgres_servers.shared("17")


def test_a_dump_comes_in_pieces_of_a_mebibyte_though_pg_dump_writes_a_page_at_a_time(server: PostgresServer) -> None:
    login = made(server, "create table rows as select i, md5(i::text) from generate_series(1, 150000) i")
    with connected(login) as session:
        source, _ = source_of(session, login.database)
        session.execute("begin isolation level repeatable read read only")
        found = session.execute("select pg_export_snapshot()").fetchone()
        assert found is not None
        *whole, last = map(len, dumped(login, source, found[0], "key", 60))
    assert len(whole) > 4
    assert set(whole) == {_PIECE}
    assert last <= _PIECE


def test_what_is_to_be_loaded_is_made_while_psql_waits_for_the_server(server: PostgresServer) -> None:
    login = made(server, "create table seen (id int)")
    taken = 0

    def pieces() -> Iterator[bytes]:
        nonlocal taken
        yield b"select pg_advisory_xact_lock(1);\n"
        for taken in range(1, 21):
            yield b"--".ljust(_PIECE, b"x") + b"\ninsert into seen values (%d);\n" % taken

    with ThreadPoolExecutor(1) as pool, server.connect("smtpy") as session:
        session.execute("select pg_advisory_lock(1)")
        loading = pool.submit(load, login, 17, pieces(), 60.0)
        until(lambda: taken > _AHEAD, "pieces are made that nobody can take yet")
        assert not loading.done()
        assert taken < 20, "and not without a limit"
        session.execute("select pg_advisory_unlock(1)")
        loading.result()
    assert server.query("select count(*) from seen", "smtpy") == [(20,)]
