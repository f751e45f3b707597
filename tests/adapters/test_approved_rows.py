"""What is approved is what the rows hold: a value that is changed in the restored backup afterwards is not imported."""

from collections.abc import Iterator

import pytest

from lab.postgres import PostgresServer
from lambdas.adapters.row_recovery import Imported, import_rows
from lambdas.domain.recovery_errors import RecoveryConflicts, RecoveryPlanChanged
from tests.adapters.recovery_world import Pair, items
from tests.servers.postgres import PostgresServers

SCHEMA = """
create table owner (id int primary key, name text, rank int, twice int generated always as (rank * 2) stored);
insert into owner select i, 'owner ' || i, i from generate_series(1, 4) i;
create table thing (id int primary key, owner int references owner on delete cascade, price numeric);
insert into thing select i, i, i from generate_series(1, 4) i;
create table log (line text, n int); insert into log select 'line ' || i, i from generate_series(1, 3) i;
create table parts (day date, n int, word text, primary key (day, n)) partition by range (day);
create table parts_1 partition of parts for values from ('2026-01-01') to ('2026-02-01');
insert into parts values ('2026-01-02', 1, 'one'), ('2026-01-03', 2, null);
"""
SCOPE = ("owner where id < 3", "log", "parts")


@pytest.fixture(scope="module", params=["17", "14", "18"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    servers = PostgresServers(tmp_path_factory.mktemp("postgres"))
    yield servers.shared(request.param)
    servers.stop()


@pytest.fixture
def pair(server: PostgresServer) -> Pair:
    pair = Pair(server, SCHEMA)
    pair.change("delete from owner where id < 3; delete from log where n < 3; delete from parts")
    return pair


@pytest.mark.parametrize(
    "change",
    [
        "update owner set name = 'Owner 1' where id = 1",
        "update owner set name = null where id = 1",
        "update owner set name = (select name from owner o where o.id = 3 - owner.id) where id < 3",
        "update owner set name = rank::text, rank = 7 where id = 1",
        "update thing set price = 1.0 where id = 1",
        "update log set line = 'another' where n = 1",
        "update parts set word = '' where n = 2",
    ],
    ids=["a value", "a NULL", "two rows", "two columns", "a row that comes along", "no key", "a partition"],
)
def test_a_value_changed_in_the_backup_since_the_approval_is_refused_and_nothing_is_imported(
    pair: Pair, change: str
) -> None:
    approved, before = pair.plan(*SCOPE).digest, pair.contents()
    pair.server.query(change, pair.backup.database)
    now = pair.plan(*SCOPE).digest
    with pytest.raises(RecoveryPlanChanged) as raised:
        import_rows(pair.backup, pair.live, items(SCOPE), approved)
    assert str(raised.value) == (
        "recovery-plan-changed: What would be brought back now is not what was approved "
        f"(then {approved[:12]}, now {now[:12]}).\n"
        "Next: This run imported nothing. Start this again, and look at the new preview."
    )
    assert pair.contents() == before


def test_a_value_of_a_row_that_does_not_come_back_changes_nothing(pair: Pair) -> None:
    approved = pair.plan(*SCOPE).digest
    pair.server.query("update owner set name = 'x' where id > 2; delete from thing where id > 2", pair.backup.database)
    done = import_rows(pair.backup, pair.live, items(SCOPE), approved)
    assert done.rows == dict.fromkeys(("public.log", "public.owner", "public.parts", "public.thing"), 2)


# --- done before, or only gone ----------------------------------------------------------------------------


def test_an_import_whose_answer_was_lost_is_seen_to_have_done_what_was_approved(pair: Pair) -> None:
    pair.change("update thing set price = 7 where id = 3")
    scope = ("thing", *SCOPE)
    approved = pair.plan(*scope).digest
    assert import_rows(pair.backup, pair.live, items(scope), approved).rows
    pair.change("update thing set price = 8 where id = 3; insert into log values ('line 9', 9)")
    pair.change("insert into owner values (9, 'new', 9); update thing set price = 9 where id = 4")
    now = pair.contents()
    assert import_rows(pair.backup, pair.live, items(scope), approved) == Imported({}, 0)
    assert pair.contents() == now


def test_so_is_one_that_left_rows_out(pair: Pair) -> None:
    pair.change("create unique index on owner (rank); update owner set rank = 1 where id = 4")
    plan = pair.plan(*SCOPE, on_conflict="skip")
    assert plan.conflict_count == 2
    for rows in (True, False):
        done = import_rows(pair.backup, pair.live, items(SCOPE), plan.digest, "skip", left_out=2)
        assert (bool(done.rows), done.left_out) == (rows, 2)


@pytest.mark.parametrize(
    ("scope", "change"),
    [
        ("owner where id = 1", "insert into owner values (1, 'somebody', 1); insert into thing values (1, 1, 99)"),
        ("owner where id = 1", "insert into owner values (1, 'owner 1', 1); insert into thing values (1, 1, 99)"),
        ("thing where id = 1", "insert into owner values (1, 'somebody', 7); insert into thing values (1, 1, 1)"),
        ("parts", "insert into parts values ('2026-01-02', 1, 'two'), ('2026-01-03', 2, null)"),
    ],
    ids=["all", "what comes along", "a parent", "a partition"],
)
def test_keys_that_live_has_again_with_something_else_are_not_an_import(pair: Pair, scope: str, change: str) -> None:
    approved = pair.plan(scope).digest
    pair.change(change)
    before = pair.contents()
    with pytest.raises((RecoveryPlanChanged, RecoveryConflicts)):
        import_rows(pair.backup, pair.live, items([scope]), approved)
    assert pair.contents() == before


def test_a_row_with_the_same_identity_and_other_contents_is_not_what_was_approved(server: PostgresServer) -> None:
    pair = Pair(server, SCHEMA)
    pair.change("delete from thing where id < 3")
    approved = pair.plan("thing").digest
    pair.change("insert into thing values (1, 1, 666), (2, 2, 2)")
    with pytest.raises(RecoveryPlanChanged, match=approved[:12]):
        import_rows(pair.backup, pair.live, items(["thing"]), approved)


def test_what_was_changed_after_the_import_is_not_what_was_approved(pair: Pair) -> None:
    approved = pair.plan(*SCOPE).digest
    import_rows(pair.backup, pair.live, items(SCOPE), approved)
    pair.change("update thing set price = 99 where id = 1")
    with pytest.raises(RecoveryPlanChanged):
        import_rows(pair.backup, pair.live, items(SCOPE), approved)
