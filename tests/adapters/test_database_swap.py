"""The swap of two databases on real servers: what goes over, who has to leave, and what is refused."""

import threading
from collections.abc import Iterator

import psycopg
import pytest

from lab.postgres import PostgresServer
from lambdas.adapters.database_marks import mark
from lambdas.adapters.database_swap import SwapFacts, find_swap, swap_databases, swap_to_undo, undo_swap
from lambdas.adapters.postgres import Login
from lambdas.domain.database_errors import DatabaseInUse, DatabaseRequestFailed, NothingToUndo, SwapRefused
from lambdas.domain.database_mark import Mark
from tests.adapters.swap_world import (
    BACK,
    MARK,
    NEXT_SWAP,
    NEXT_UNDONE,
    SWAP,
    SWAPPED,
    UNDONE,
    WAITING,
    comment,
    login_to,
    make,
    names,
    restored,
    rules,
    swap_server,
    word,
)
from tests.servers.postgres import PostgresServers
from tests.servers.vault import until


@pytest.fixture(scope="module", params=["17", "14"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    servers = PostgresServers(tmp_path_factory.mktemp("postgres"))
    yield swap_server(servers, request.param)
    servers.stop()


@pytest.fixture
def login(server: PostgresServer) -> Login:
    """A live database with a row that says so, and a restored one beside it that says so too."""
    make(server)
    return login_to(server)


def refused(server: PostgresServer, name: str) -> bool:
    with pytest.raises(psycopg.OperationalError, match="not currently accepting connections"):
        server.connect(name)
    return True


# --- there and back ---------------------------------------------------------------------------------------


def test_the_restored_database_takes_the_name_and_the_old_one_is_kept_closed(
    login: Login, server: PostgresServer
) -> None:
    assert find_swap(login, SWAP) == WAITING
    assert swap_databases(login, SWAP) == SWAPPED
    assert find_swap(login, SWAP) == SWAPPED
    assert word(server) == "new"
    assert names(server) == {"smtpy", SWAP.corrupt}
    assert refused(server, SWAP.corrupt)
    assert '"operation": "op-1", "part": "corrupt"' in str(comment(server, SWAP.corrupt))


def test_what_the_old_database_held_is_there_for_whoever_opens_it(login: Login, server: PostgresServer) -> None:
    swap_databases(login, SWAP)
    server.query(f"alter database {SWAP.corrupt} allow_connections true")
    assert word(server, SWAP.corrupt) == "old"


def test_a_swap_is_done_once(login: Login, server: PostgresServer) -> None:
    swap_databases(login, SWAP)
    server.query("create table since ()", "smtpy")
    assert swap_databases(login, SWAP) == SWAPPED
    assert word(server) == "new"
    assert server.query("select * from since", "smtpy") == []


def test_one_deed_undoes_it_and_both_keep_their_data(login: Login, server: PostgresServer) -> None:
    swap_databases(login, SWAP)
    assert undo_swap(login, SWAP, UNDONE) == BACK
    assert (word(server), comment(server, "smtpy")) == ("old", None)
    assert names(server) == {"smtpy", UNDONE}
    assert refused(server, UNDONE)
    assert undo_swap(login, SWAP, UNDONE) == BACK
    assert (find_swap(login, SWAP), word(server)) == (BACK, "old")


def test_what_was_undone_is_not_swapped_in_again_by_the_same_operation(login: Login, server: PostgresServer) -> None:
    swap_databases(login, SWAP)
    undo_swap(login, SWAP, UNDONE)
    with pytest.raises(SwapRefused, match="this operation's swap was undone"):
        swap_databases(login, SWAP)
    assert word(server) == "old"


def test_an_undoing_finds_the_swap_by_itself_and_is_done_once(login: Login, server: PostgresServer) -> None:
    swap_databases(login, SWAP)
    swap = swap_to_undo(login, "smtpy", UNDONE)
    assert (swap.operation, swap.corrupt) == (SWAP.operation, SWAP.corrupt)
    undo_swap(login, swap, UNDONE)
    assert undo_swap(login, swap_to_undo(login, "smtpy", UNDONE), UNDONE) == BACK
    with pytest.raises(NothingToUndo, match="no swap of op-1 is in force"):
        undo_swap(login, swap_to_undo(login, "smtpy", NEXT_UNDONE), NEXT_UNDONE)
    assert (word(server), names(server)) == ("old", {"smtpy", UNDONE})


def test_swaps_are_undone_one_after_the_other_the_newest_first(login: Login, server: PostgresServer) -> None:
    server.query("comment on database smtpy is 'ask Ada'")
    swap_databases(login, SWAP)
    first = comment(server, "smtpy")
    restored(server, "newest", Mark(NEXT_SWAP.operation, MARK.backup_id, verified=True))
    swap_databases(login, NEXT_SWAP)
    assert word(server) == "newest"
    for _ in range(2):
        assert undo_swap(login, swap_to_undo(login, "smtpy", UNDONE), UNDONE) == BACK
        assert (word(server), comment(server, "smtpy")) == ("new", first)
        assert names(server) == {"smtpy", SWAP.corrupt, UNDONE}
    with pytest.raises(NothingToUndo, match=f"the newest one is undone, as {UNDONE}; .* {SWAP.corrupt} aside: name"):
        swap_to_undo(login, "smtpy", NEXT_UNDONE, named=False)
    assert swap_databases(login, SWAP) == SWAPPED
    with pytest.raises(SwapRefused, match="this operation's swap was undone"):
        swap_databases(login, NEXT_SWAP)
    for _ in range(2):
        assert undo_swap(login, swap_to_undo(login, "smtpy", NEXT_UNDONE), NEXT_UNDONE) == BACK
        assert (word(server), comment(server, "smtpy")) == ("old", "ask Ada")
        assert names(server) == {"smtpy", UNDONE, NEXT_UNDONE}


def test_nothing_is_undone_before_there_is_anything(login: Login, server: PostgresServer) -> None:
    with pytest.raises(NothingToUndo, match="no swap of op-1 is in force"):
        undo_swap(login, SWAP, UNDONE)
    assert (word(server), names(server)) == ("old", {"smtpy", SWAP.restored})


@pytest.mark.parametrize(
    ("held", "problem"),
    [
        (None, "does not carry this operation's mark"),
        (Mark("op-2", "b", verified=True), "does not carry this operation's mark"),
        (Mark("op-1", "b", verified=False), "is not verified against its backup"),
    ],
)
def test_a_database_that_is_not_marked_as_verified_is_never_swapped_in(
    login: Login, server: PostgresServer, held: Mark | None, problem: str
) -> None:
    server.query(f"comment on database {SWAP.restored} is null")
    if held:
        mark(login, SWAP.restored, held)
    with pytest.raises(SwapRefused, match=problem):
        swap_databases(login, SWAP)
    assert (word(server), names(server)) == ("old", {"smtpy", SWAP.restored})


# --- what goes over ---------------------------------------------------------------------------------------


def test_owner_grants_settings_comment_and_limit_go_over_to_the_new_database(
    login: Login, server: PostgresServer
) -> None:
    for statement in (
        "alter database smtpy connection limit 7",
        "alter database smtpy set work_mem = '7MB'",
        """alter database smtpy set search_path = "$user", 'a "b", c', public""",
        "alter database smtpy set app.region = 'eu, west'",
        """alter role "Grace's" in database smtpy set statement_timeout = 5000""",
        "revoke all on database smtpy from public",
        "grant connect, create on database smtpy to smtpy_app with grant option",
        """grant temporary on database smtpy to "Grace's" """,
        "comment on database smtpy is 'ask ''Ada'' first'",
        f"alter database {SWAP.restored} set work_mem = '1MB'",
        f"alter role smtpy_app in database {SWAP.restored} set work_mem = '2MB'",
        f"grant connect on database {SWAP.restored} to nobodys",
    ):
        server.query(statement)
    before = rules(server, "smtpy")
    swap_databases(login, SWAP)
    assert rules(server, "smtpy") == before
    assert str(comment(server, "smtpy")).startswith("ask 'Ada' first\n{")
    assert server.query("show search_path", "smtpy") == [('"$user", "a ""b"", c", public',)]
    undo_swap(login, SWAP, UNDONE)
    assert rules(server, "smtpy") == before
    assert comment(server, "smtpy") == "ask 'Ada' first"


def test_a_database_that_somebody_had_closed_is_replaced_by_an_open_one_and_comes_back_closed(
    login: Login, server: PostgresServer
) -> None:
    server.query("alter database smtpy connection limit 0")
    server.query("alter database smtpy allow_connections false")
    swap_databases(login, SWAP)
    assert rules(server, "smtpy")[1:3] == (-1, True)
    undo_swap(login, SWAP, UNDONE)
    assert rules(server, "smtpy")[1:3] == (0, False)


def test_a_role_that_is_no_superuser_swaps_what_it_may(login: Login, server: PostgresServer) -> None:
    server.query(f"alter database {SWAP.restored} owner to mailark")
    server.query("grant connect on database smtpy to smtpy_app")
    with server.connect("smtpy", "smtpy_app", "secret"):
        assert swap_databases(login_to(server, "mailark"), SWAP) == SWAPPED
    assert rules(server, "smtpy")[0] == "smtpy_owner"
    assert undo_swap(login_to(server, "mailark"), SWAP, UNDONE) == BACK


def test_what_the_role_may_not_carry_over_leaves_all_as_it_was(login: Login, server: PostgresServer) -> None:
    server.query(f"alter database {SWAP.restored} owner to mailark")
    server.query("alter role smtpy_app in database smtpy set work_mem = '7MB'")
    with pytest.raises(DatabaseRequestFailed, match="42501"):
        swap_databases(login_to(server, "mailark"), SWAP)
    assert (word(server), names(server)) == ("old", {"smtpy", SWAP.restored})
    assert rules(server, "smtpy")[2]


# --- a live database that is lost, or that nobody can enter ------------------------------------------------


def test_a_lost_database_is_replaced_and_there_is_nothing_to_undo(login: Login, server: PostgresServer) -> None:
    server.drop_database("smtpy")
    assert swap_databases(login, SWAP) == SwapFacts("swapped", MARK.backup_id, corrupt=False)
    assert swap_databases(login, SWAP) == SwapFacts("swapped", MARK.backup_id, corrupt=False)
    assert (word(server), names(server)) == ("new", {"smtpy"})
    with pytest.raises(NothingToUndo, match="its old database smtpy_corrupt_20261122_030000 is not there"):
        undo_swap(login, SWAP, UNDONE)


def test_a_database_that_nobody_can_connect_to_is_replaced_all_the_same(login: Login, server: PostgresServer) -> None:
    (oid,) = server.query("select oid from pg_database where datname = 'smtpy'")[0]
    (server.data / "base" / str(oid) / "pg_filenode.map").unlink()
    with pytest.raises(psycopg.OperationalError, match="could not open file"):
        server.connect("smtpy")
    assert swap_databases(login, SWAP) == SWAPPED
    assert (word(server), names(server)) == ("new", {"smtpy", SWAP.corrupt})


def test_a_half_dropped_database_is_replaced_all_the_same(login: Login, server: PostgresServer) -> None:
    server.query("update pg_database set datconnlimit = -2 where datname = 'smtpy'")
    assert swap_databases(login, SWAP) == SWAPPED
    assert word(server) == "new"
    server.query("update pg_database set datconnlimit = -1 where datconnlimit = -2")


# --- who is in there --------------------------------------------------------------------------------------


def test_sessions_are_ended_even_those_that_come_back_at_once(login: Login, server: PostgresServer) -> None:
    """A service that was not stopped connects without a pause; who waits at the door is let into the new database."""
    read: list[object] = []
    enough = threading.Event()

    def hurry() -> None:
        while not enough.is_set():
            try:
                with server.connect("smtpy") as connection:
                    while not enough.is_set():
                        read.append(connection.execute("select word from says").fetchall()[0][0])
            except psycopg.Error:
                continue

    hurried = threading.Thread(target=hurry)
    hurried.start()
    try:
        until(lambda: read, "the service reads")
        assert swap_databases(login, SWAP) == SWAPPED
        until(lambda: "new" in read, "the service reads from the new database")
    finally:
        enough.set()
        hurried.join()
    assert read == sorted(read, key=lambda each: each == "new")


def test_who_may_not_be_ended_is_named_and_nothing_is_changed(login: Login, server: PostgresServer) -> None:
    server.query(f"alter database {SWAP.restored} owner to mailark")
    with server.connect("smtpy") as stays:
        stays.execute("set application_name = 'nightly report'")
        (pid,) = stays.execute("select pg_backend_pid()").fetchall()[0]
        with pytest.raises(DatabaseInUse, match=rf"did not end: nightly report of postgres \(pid {pid}\)\."):
            swap_databases(login_to(server, "mailark"), SWAP, seconds=0.5)
        assert stays.execute("select word from says").fetchall() == [("old",)]
    assert (word(server), names(server)) == ("old", {"smtpy", SWAP.restored})
