"""A key that another row has taken since the backup: nobody gets rows back that would hang on somebody else's."""

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from lab.postgres import PostgresServer
from lambdas.adapters.row_recovery import Imported, export_rows, import_rows
from lambdas.domain.recovery_errors import RecoveryConflicts
from lambdas.domain.recovery_plan import KEY_TAKEN, PARENT_TAKEN, Conflict, conflicts_csv
from lambdas.domain.recovery_text import preview_text
from tests.adapters.recovery_world import Pair, counts, items
from tests.servers.postgres import PostgresServers

MAIL = """
create table orgs (id serial primary key, name text);
create table domains (name text primary key, org_id int not null references orgs on delete cascade);
create table aliases (id int primary key, domain text not null references domains on delete cascade, target text);
create table rules (id int primary key, alias int not null references aliases on delete cascade, action text);
insert into orgs (name) values ('old'), ('other');
insert into domains values ('ex.org', 1), ('two.org', 1);
insert into aliases values (10, 'ex.org', 'of the old one'), (20, 'two.org', 'of the old one');
insert into rules values (100, 10, 'forward'), (200, 20, 'forward');
"""
TAKEN = Conflict("public.domains", {"name": "ex.org"}, KEY_TAKEN, "domains_pkey", ["org_id"], {"name": "ex.org"})

FROM, DELETED_AT = "2026-11-22T03:00:00+00:00", datetime(2026, 11, 22, 9, 15, tzinfo=UTC)


@pytest.fixture(scope="module", params=["17", "14"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    servers = PostgresServers(tmp_path_factory.mktemp("postgres"))
    yield servers.shared(request.param)
    servers.stop()


@pytest.fixture
def mail(server: PostgresServer) -> Pair:
    """A domain whose organization was deleted, and that another has registered since."""
    pair = Pair(server, MAIL)
    pair.change("delete from orgs where id = 1; insert into domains values ('ex.org', 2)")
    return pair


def left_out(pair: Pair, scope: str) -> Imported:
    """What `skip` brings back, after `stop` was seen to bring nothing."""
    before, plan = pair.contents(), pair.plan(scope)
    assert not plan.importable
    with pytest.raises(RecoveryConflicts):
        import_rows(pair.backup, pair.live, items([scope]), plan.digest)
    assert pair.contents() == before
    return pair.bring_back(scope, on_conflict="skip")


# --- somebody else's --------------------------------------------------------------------------------------


def test_a_domain_that_another_organization_has_registered_is_a_conflict_with_all_that_hangs_on_it(mail: Pair) -> None:
    plan = mail.plan("orgs where id = 1")
    assert plan.conflicts == [
        TAKEN,
        Conflict("public.aliases", {"id": "10"}, "depends on one left out", "aliases_domain_fkey", ["domain"]),
        Conflict("public.rules", {"id": "100"}, "depends on one left out", "rules_alias_fkey", ["alias"]),
    ]
    assert plan.conflict_count == 3
    (row,) = (row for row in csv.DictReader(io.StringIO(conflicts_csv(plan.conflicts))) if row["table"].endswith("ins"))
    assert (row["problem"], row["columns"]) == ("its key is taken by another row since", "org_id")
    told = "  public.domains name ex.org (its key is taken by another row since: domains_pkey)\n"
    assert told in preview_text(plan, "smtpy", "dump", FROM, DELETED_AT)


def test_skip_leaves_it_out_with_its_aliases_and_brings_the_rest(mail: Pair) -> None:
    done = left_out(mail, "orgs where id = 1")
    assert done.rows == dict.fromkeys(("public.orgs", "public.domains", "public.aliases", "public.rules"), 1)
    assert done.left_out == 3
    assert mail.ask("select * from domains order by name") == [("ex.org", 2), ("two.org", 1)]
    assert mail.ask("select id from aliases") == [(20,)]
    again = mail.bring_back("orgs where id = 1", on_conflict="skip")
    assert (again.nothing_missing, again.left_out) == (True, 3)


@pytest.mark.parametrize("scope", ["domains where name = 'ex.org'", "aliases where id = 10", "rules where id = 100"])
def test_no_row_of_the_old_owner_comes_to_hang_on_the_new_ones(mail: Pair, scope: str) -> None:
    assert TAKEN in mail.plan(scope).conflicts
    before = mail.contents()["aliases"], mail.contents()["rules"]
    left_out(mail, scope)
    assert (mail.contents()["aliases"], mail.contents()["rules"]) == before


def test_a_live_row_that_hangs_on_somebody_elses_takes_back_nothing_either(server: PostgresServer) -> None:
    pair = Pair(server, MAIL)
    pair.change("update domains set org_id = 2 where name = 'ex.org'; delete from rules")
    plan = pair.plan("rules")
    assert TAKEN in plan.conflicts
    live = Conflict("public.aliases", {"id": "10"}, PARENT_TAKEN, "aliases_domain_fkey", ["domain"], {"id": "10"})
    assert live in plan.conflicts
    assert left_out(pair, "rules").rows == {"public.rules": 1}
    assert pair.ask("select id from rules") == [(200,)]


def test_the_export_has_the_old_row_all_the_same(mail: Pair) -> None:
    scope = items(["orgs where id = 1"])
    files = {table.name: b"".join(blocks) for table, blocks in export_rows(mail.backup, mail.live, scope)}
    assert files["domains"] == b"name,org_id\nex.org,1\ntwo.org,1\n"


# --- numbers that were issued anew ------------------------------------------------------------------------

NUMBERS = """
create table orgs (id serial primary key, name text, {identity});
create table users (id serial primary key, org_id int not null references orgs on delete cascade, mail text);
create table keys (id int primary key, user_id int not null references users on delete cascade);
insert into orgs (name) values ('one'), ('two');
insert into users (org_id, mail) values (1, 'a'), (2, 'b'), (2, 'c');
insert into keys values (1, 1), (2, 2), (3, 3);
update orgs set {value};
"""


@pytest.mark.parametrize(
    ("identity", "value", "columns"),
    [
        ("created_at timestamptz default now()", "created_at = '2026-01-01'", ["created_at"]),
        ("slug text unique default gen_random_uuid()::text", "slug = 'slug ' || id", ["slug"]),
    ],
)
@pytest.mark.parametrize("scope", ["orgs where id = 2", "users where id = 2", "keys where user_id = 2"])
def test_what_hung_on_a_number_never_comes_to_hang_on_the_one_who_has_it_now(
    server: PostgresServer, identity: str, value: str, columns: list[str], scope: str
) -> None:
    pair = Pair(server, NUMBERS.format(identity=identity, value=value))
    pair.change("delete from orgs where id = 2; select setval('orgs_id_seq', 1), setval('users_id_seq', 1)")
    pair.change("insert into orgs (name) values ('new'); insert into users (org_id, mail) values (2, 'new')")
    before, plan = pair.contents(), pair.plan(scope)
    key = {"id": "2"}
    assert Conflict("public.orgs", key, KEY_TAKEN, "orgs_pkey", columns, key) in plan.conflicts
    left_out(pair, scope)
    assert pair.contents() == before


def test_in_a_table_that_refers_to_nothing_a_row_in_scope_is_compared_whole(server: PostgresServer) -> None:
    pair = Pair(server, NUMBERS.format(identity="seats int", value="seats = 3"))
    pair.change("delete from orgs where id = 2; insert into orgs (id, name, seats) values (2, 'new', 3)")
    (conflict, *_) = pair.plan("orgs where id = 2").conflicts
    assert conflict == Conflict("public.orgs", {"id": "2"}, KEY_TAKEN, "orgs_pkey", ["name", "seats"], {"id": "2"})
    left_out(pair, "orgs where id = 2")
    assert pair.ask("select id from users where org_id = 2") == []


# --- the same row, changed --------------------------------------------------------------------------------


def test_one_that_others_merely_refer_to_may_have_changed_and_is_told(server: PostgresServer) -> None:
    pair = Pair(server, NUMBERS.format(identity="seats int", value="seats = 3"))
    pair.change("delete from users where id = 2; update orgs set seats = 2 where id = 2")
    plan = pair.plan("users where id = 2")
    assert (counts(plan), plan.conflicts, plan.changed) == ({"users": 1, "keys": 1}, [], {"public.orgs": 1})
    pair.bring_back("users where id = 2")
    assert pair.ask("select seats from orgs where id = 2") == [(2,)]
    told = "Live rows in scope or referred to, changed since the backup, not touched:\n  public.orgs: 1\n"
    assert told in preview_text(plan, "smtpy", "dump", FROM, DELETED_AT)


CHANGED = """
create table users (id int primary key, mail text unique, token text unique, boss int references users
    on delete set null, seen int, updated_at timestamptz default now(), created_at timestamptz default now());
create unique index on users (lower(mail)) where seen > 0;
insert into users values (1, 'a', null, null, 1), (2, 'b', 'x', 1, 1), (3, 'c', null, 1, 1);
create table visits (id int primary key, user_id int not null references users on delete cascade);
insert into visits values (1, 1), (2, 2), (3, 3);
"""
UNDATED = CHANGED.replace(", created_at timestamptz default now()", "")


@pytest.mark.parametrize(
    "change",
    [
        "update users set seen = 7, updated_at = now() + '1 day' where id = 2",
        "update users set token = 'given' where id = 3",
        "update users set boss = null where id = 2",
        "update users set seen = 0 where id = 2",
    ],
)
def test_a_row_is_the_same_whatever_else_it_holds_now(server: PostgresServer, change: str) -> None:
    pair = Pair(server, UNDATED)
    pair.change(change)
    pair.change("delete from visits")
    for scope in ("users where id > 1", "users", "visits"):
        plan = pair.plan(scope)
        assert (plan.conflicts, plan.changed) == ([], {"public.users": 1})
    assert pair.bring_back("visits").rows == {"public.visits": 3}


@pytest.mark.parametrize(
    ("schema", "change", "columns"),
    [
        (UNDATED, "mail = 'other'", ["mail", "seen"]),
        (UNDATED, "token = 'other'", ["token"]),
        (UNDATED, "token = null", ["token"]),
        (UNDATED, "boss = 3", ["boss"]),
        (CHANGED, "created_at = now() + '1 day'", ["created_at"]),
    ],
)
def test_a_row_is_another_as_soon_as_one_of_the_things_that_it_keeps_is_another(
    server: PostgresServer, schema: str, change: str, columns: list[str]
) -> None:
    pair = Pair(server, schema)
    pair.change(f"update users set {change} where id = 2; delete from visits")  # noqa: S608  # ours
    first, *_ = pair.plan("visits").conflicts
    assert (first.problem, first.key, first.columns) == (KEY_TAKEN, {"id": "2"}, columns)
    assert left_out(pair, "visits").rows == {"public.visits": 2}


def test_a_table_of_pairs_has_its_identity_in_its_key(server: PostgresServer) -> None:
    pair = Pair(server, MAIL)
    made = "create table members (org int references orgs on delete cascade, id int, role text, primary key (org, id))"
    for database in (pair.live.database, pair.backup.database):
        server.query(made, database)
        server.query("insert into members values (1, 1, 'admin'), (2, 2, 'admin')", database)
    pair.change("update members set role = 'none' where org = 2; delete from members where org = 1")
    plan = pair.plan("members")
    assert (counts(plan), plan.conflicts, plan.changed) == ({"members": 1}, [], {"public.members": 1})
