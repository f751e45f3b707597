"""Our own process, killed while it dumps or loads: nothing half-done is there, and no program is left running."""

from pathlib import Path

import psutil
import pytest

from lab.postgres import PostgresServer
from lambdas.adapters.postgres import Login
from lambdas.adapters.throwaway_database import make_database
from tests.adapters.database_house import (
    RESTORED,
    SOURCE,
    Taken,
    login_to,
    made,
    prove,
    restored,
    sessions_of_mailark,
    tables_in,
    taken,
)
from tests.adapters.dying import dying, step
from tests.servers.postgres import PostgresServers
from tests.servers.vault import until


@pytest.fixture(scope="module", params=["17", "15"])
def server(request: pytest.FixtureRequest, postgres_servers: PostgresServers) -> PostgresServer:
    return postgres_servers.shared(request.param)


@pytest.fixture(scope="module")
def dump(server: PostgresServer) -> Taken:
    return taken(made(server, *SOURCE))


@pytest.fixture
def target(server: PostgresServer, dump: Taken) -> Login:
    """An empty database for the dump."""
    login = login_to(server, RESTORED)
    make_database(login, dump.dump.source)
    return login


def test_a_load_whose_process_is_killed_at_any_piece_leaves_nothing_and_the_next_one_succeeds(
    server: PostgresServer, dump: Taken, target: Login, tmp_path: Path
) -> None:
    sql, major = tmp_path / "dump.sql", int(server.major)
    sql.write_bytes(dump.sql)
    pieces = len(dump.sql) // 8192 + 2
    for last in (0, pieces // 2, pieces - 1):
        with dying("load", target, major, sql) as process:
            for _ in range(last):
                step(process)
            step(process, go_on=False)
            programs = psutil.Process(process.pid).children()
            process.kill()
        assert programs
        psutil.wait_procs(programs, timeout=10)
        assert not [program for program in programs if program.is_running()]
        until(lambda: sessions_of_mailark(server) == 0, "the server has noticed")
        assert tables_in(server) == 0
    prove(restored(dump, server), dump)


@pytest.mark.parametrize("pieces", [0, 3])
def test_a_dump_whose_process_is_killed_leaves_no_program_and_no_session(server: PostgresServer, pieces: int) -> None:
    login = made(server, "create table t as select i, md5(i::text) from generate_series(1, 300000) i")
    with dying("dump", login, int(server.major)) as process:
        for _ in range(pieces):
            step(process)
        step(process, go_on=False)
        programs = psutil.Process(process.pid).children()
        process.kill()
    psutil.wait_procs(programs, timeout=10)
    assert not [program for program in programs if program.is_running()]
    until(lambda: sessions_of_mailark(server) == 0, "the server has noticed", 15)
