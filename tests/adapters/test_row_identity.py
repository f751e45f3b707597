"""A live row that was edited since the backup: it stops nothing unless somebody's missing rows would hang on it."""

from collections.abc import Iterator

import pytest

from lab.postgres import PostgresServer
from lambdas.adapters.row_recovery import export_rows, import_rows
from lambdas.domain.recovery_errors import RecoveryConflicts
from lambdas.domain.recovery_plan import KEY_TAKEN, PARENT_TAKEN, Conflict
from tests.adapters.recovery_world import Pair, counts, items
from tests.servers.postgres import PostgresServers

MAIL = """
create table orgs (id int primary key, slug text unique);
create table users (id int primary key, org_id int not null references orgs on delete cascade, mail text unique{made});
create table aliases (id int primary key, user_id int not null references users on delete cascade, name text);
create table rules (id int primary key, alias_id int not null references aliases on delete cascade, rank int unique);
insert into orgs values (1, 'one'), (2, 'two');
insert into users (id, org_id, mail) values (1, 1, 'a'), (2, 1, 'b'), (3, 2, 'c');
insert into aliases values (10, 1, 'x'), (20, 2, 'y'), (30, 3, 'z');
insert into rules values (100, 10, 1), (200, 20, 2), (300, 30, 3);
"""
UNDATED = MAIL.format(made="")
DATED = MAIL.format(made=", created_at timestamptz not null default now()")
SWAPPED = """
update rules set rank = null where id in (100, 200);
update rules set alias_id = 20, rank = 2 where id = 100; update rules set alias_id = 10, rank = 1 where id = 200;
"""


@pytest.fixture(scope="module", params=["17", "14"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    servers = PostgresServers(tmp_path_factory.mktemp("postgres"))
    yield servers.shared(request.param)
    servers.stop()


@pytest.fixture
def mail(server: PostgresServer) -> Pair:
    """Users of whom only their numbers, their organizations and their addresses are known."""
    return Pair(server, UNDATED)


# --- nothing missing hangs on it --------------------------------------------------------------------------


def test_two_rules_that_changed_places_stop_no_recovery_of_others(mail: Pair) -> None:
    mail.change(SWAPPED)
    mail.change("delete from rules where id = 300")
    plan = mail.plan("rules")
    assert (counts(plan), plan.conflicts, plan.conflict_count) == ({"rules": 1}, [], 0)
    assert plan.changed == {"public.rules": 2}
    before = mail.ask("select * from rules where id < 300 order by id")
    assert mail.bring_back("rules").rows == {"public.rules": 1}
    assert mail.ask("select * from rules where id < 300 order by id") == before


def test_a_new_address_of_a_user_who_has_lost_nothing_stops_no_recovery_of_others(mail: Pair) -> None:
    mail.change("update users set mail = 'new' where id = 1; delete from users where id = 3")
    plan = mail.plan("users")
    assert (counts(plan), plan.conflicts) == (dict.fromkeys(("users", "aliases", "rules"), 1), [])
    assert plan.changed == {"public.users": 1}
    assert mail.bring_back("users").left_out == 0


def test_rows_below_the_scope_that_moved_elsewhere_are_told_as_changed(mail: Pair) -> None:
    mail.change("update aliases set user_id = 3 where id = 20; delete from users where id = 1")
    plan = mail.plan("users where id < 3")
    assert (counts(plan), plan.conflicts) == (dict.fromkeys(("users", "aliases", "rules"), 1), [])
    assert plan.changed == {"public.aliases": 1}


def test_where_only_edited_rows_differ_nothing_is_missing(mail: Pair) -> None:
    mail.change(SWAPPED)
    mail.change("update users set mail = 'new' where id = 1")
    plan = mail.plan("users", "rules")
    assert plan.nothing_missing
    assert plan.changed == {"public.rules": 2, "public.users": 1}
    assert import_rows(mail.backup, mail.live, items(["users", "rules"]), plan.digest).nothing_missing


def test_an_export_leaves_out_rows_that_were_merely_edited(mail: Pair) -> None:
    mail.change(SWAPPED)
    mail.change("delete from rules where id = 300")
    files = {table.name: b"".join(blocks) for table, blocks in export_rows(mail.backup, mail.live, items(["rules"]))}
    assert files == {"rules": b"id,alias_id,rank\n300,30,3\n"}


# --- something missing hangs on it ------------------------------------------------------------------------


def test_a_user_with_a_new_address_is_a_conflict_where_an_alias_of_theirs_is_missing(mail: Pair) -> None:
    mail.change("update users set mail = mail || '!' where id in (1, 3); delete from aliases where id = 10")
    plan = mail.plan("users")
    one = {"id": "1"}
    assert plan.conflicts == [
        Conflict("public.users", one, KEY_TAKEN, "users_pkey", ["mail"], one),
        Conflict("public.aliases", {"id": "10"}, "depends on one left out", "aliases_user_id_fkey", ["user_id"]),
        Conflict("public.rules", {"id": "100"}, "depends on one left out", "rules_alias_id_fkey", ["alias_id"]),
    ]
    assert (plan.conflict_count, plan.changed) == (3, {"public.users": 1})
    with pytest.raises(RecoveryConflicts):
        import_rows(mail.backup, mail.live, items(["users"]), plan.digest)


def test_what_hangs_on_it_over_a_live_row_in_between_counts_too(mail: Pair) -> None:
    mail.change("update users set mail = mail || '!' where id in (1, 3); delete from rules where id = 100")
    plan = mail.plan("rules", "users")
    one, ten = {"id": "1"}, {"id": "10"}
    assert plan.conflicts == [
        Conflict("public.users", one, KEY_TAKEN, "users_pkey", ["mail"], one),
        Conflict("public.aliases", ten, PARENT_TAKEN, "aliases_user_id_fkey", ["user_id"], ten),
        Conflict("public.rules", {"id": "100"}, "depends on one left out", "rules_alias_id_fkey", ["alias_id"]),
    ]
    assert plan.changed == {"public.users": 1}


def test_a_tree_in_one_table_keeps_its_conflict_where_a_missing_row_is_below_it(server: PostgresServer) -> None:
    pair = Pair(
        server,
        "create table nodes (id int primary key, above int references nodes on delete cascade, name text unique);"
        "insert into nodes values (1, null, 'a'), (2, 1, 'b'), (3, 2, 'c'), (4, 1, 'd'), (5, null, 'e')",
    )
    pair.change("update nodes set name = name || '!' where id in (2, 4); delete from nodes where id = 3")
    plan = pair.plan("nodes")
    assert [(each.key["id"], each.problem) for each in plan.conflicts] == [
        ("2", KEY_TAKEN),
        ("3", "depends on one left out"),
    ]
    assert plan.changed == {"public.nodes": 1}


# --- made at the same time --------------------------------------------------------------------------------


@pytest.mark.parametrize("change", ["mail = 'new'", "org_id = 2", "mail = null", "org_id = 2, mail = 'new'"])
@pytest.mark.parametrize("scope", ["aliases", "rules", "users where id = 1"])
def test_a_user_made_at_the_same_time_is_the_same_whatever_else_differs(
    server: PostgresServer, change: str, scope: str
) -> None:
    pair = Pair(server, DATED)
    pair.change(f"update users set {change} where id = 1; delete from aliases where id = 10")  # noqa: S608  # ours
    plan = pair.plan(scope)
    assert (plan.conflicts, plan.changed) == ([], {"public.users": 1})
    assert pair.bring_back(scope).rows == {"public.aliases": 1, "public.rules": 1}
    assert pair.ask("select id from aliases where user_id = 1") == [(10,)]


def test_a_user_made_at_another_time_is_another_though_all_else_is_the_same(server: PostgresServer) -> None:
    pair = Pair(server, DATED)
    pair.change("delete from users where id = 1; insert into users values (1, 1, 'a')")
    (conflict, *_) = pair.plan("users where id = 1").conflicts
    one = {"id": "1"}
    assert conflict == Conflict("public.users", one, KEY_TAKEN, "users_pkey", ["created_at"], one)


@pytest.mark.parametrize("value", ["null", "'2026-01-01'"])
def test_a_time_that_one_side_lacks_and_a_mere_day_decide_nothing(server: PostgresServer, value: str) -> None:
    kind = "timestamptz" if value == "null" else "date"
    pair = Pair(server, MAIL.format(made=f", created_at {kind} default {value}"))
    pair.change("delete from users where id = 1; insert into users (id, org_id, mail) values (1, 2, 'other')")
    (conflict, *_) = pair.plan("users where id = 1").conflicts
    assert (conflict.problem, conflict.columns) == (KEY_TAKEN, ["org_id", "mail"])


def test_an_organization_that_a_live_user_has_left_does_not_come_back_for_what_the_user_lacks(
    server: PostgresServer,
) -> None:
    pair = Pair(server, DATED)
    pair.change("update users set org_id = 2 where id = 1; delete from orgs where id = 1; delete from rules")
    plan = pair.plan("rules where id = 100")
    assert (counts(plan), plan.conflicts) == ({"rules": 1}, [])
    pair.bring_back("rules where id = 100")
    assert pair.ask("select id from orgs") == [(2,)]


def test_nor_does_a_row_come_back_that_only_an_emptied_reference_led_to(server: PostgresServer) -> None:
    pair = Pair(
        server,
        "create table users (id int primary key, boss int references users on delete set null);"
        "create table visits (id int primary key, user_id int not null references users on delete cascade);"
        "insert into users values (1, null), (2, 1); insert into visits values (20, 2)",
    )
    pair.change("delete from users where id = 1; delete from visits")
    assert counts(pair.plan("visits")) == {"visits": 1}
    assert counts(pair.plan("visits", "users where id = 1")) == {"visits": 1, "users": 1}
