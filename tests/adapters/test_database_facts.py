"""Whatever is changed in a restored database is seen: by its rows, by its sequences, or by its own dump."""

from collections.abc import Iterator
from unittest.mock import patch

import msgspec
import pytest

from lab.postgres import PostgresServer
from lambdas.adapters import database_facts
from lambdas.adapters.database_facts import fix_settings, large_object_facts, roles_used, source_of, table_facts
from lambdas.adapters.database_proof import prove_restored, run_checks
from lambdas.adapters.postgres import connected
from lambdas.domain.database_errors import DatabaseCheckFailed, DatabaseNotProved, DatabaseVersionDiffers
from lambdas.domain.database_manifest import TableFacts
from lambdas.domain.estate_database import DatabaseCheck
from tests.adapters.database_house import (
    RESTORED,
    SECONDS,
    Taken,
    forget_roles,
    login_to,
    made,
    prove,
    restored,
    round_trip,
    taken,
)
from tests.servers.postgres import PostgresServers

SOURCE = """
create table users (id int primary key, name text, email text, seen float8, score numeric, extra jsonb);
insert into users select i, 'n' || i, 'e' || i, 0, 1.0, '{"a": 1.0}' from generate_series(1, 100) i;
create index by_name on users (name); create sequence counted; select nextval('counted') from generate_series(1, 5);
create function says() returns text language sql as $$select 'one'$$;
create view short as select id from users; create table parts (id int) partition by range (id);
create table parts_1 partition of parts for values from (0) to (10); insert into parts values (1), (2);
create table parts_2 partition of parts for values from (10) to (20); insert into parts values (11);
select lo_from_bytea(60001, '\\xdeadbeef'); grant select on users to reader; comment on table users is 'people';
create table bodies (id int, body text); insert into bodies values (1, 'x'); alter table bodies add check (id > 0);
"""


@pytest.fixture(scope="module", params=["17", "16"])
def server(request: pytest.FixtureRequest, postgres_servers: PostgresServers) -> PostgresServer:
    return postgres_servers.shared(request.param)


@pytest.fixture(scope="module")
def dump(server: PostgresServer) -> Iterator[Taken]:
    forget_roles(server, ["reader", "other"])
    server.create_role("reader")
    server.create_role("other")
    dump = round_trip(server, SOURCE)
    yield dump
    forget_roles(server, ["reader", "other"])


ROWS = {
    "a row added": (
        "insert into users (id) values (101)",
        "the table public.users has 101 rows, and 100 were recorded",
    ),
    "a row removed": ("delete from users where id = 7", "the table public.users has 99 rows, and 100 were recorded"),
    "a value changed": ("update users set name = 'N7' where id = 7", "rows of the table public.users differ"),
    "a value made null": ("update users set name = null where id = 7", "rows of the table public.users differ"),
    "two rows swapped in a column": (
        "update users set name = case id when 1 then 'n2' else 'n1' end where id in (1, 2)",
        "rows of the table public.users differ",
    ),
    "two columns swapped": ("update users set name = email, email = name", "rows of the table public.users differ"),
    "a row in another partition": ("update parts set id = 12 where id = 1", "the table public.parts_1 has 1 rows"),
    "a row twice and another missing": (
        "delete from parts where id = 1; insert into parts values (2)",
        "rows of the table public.parts_1 differ",
    ),
    "a large object changed": (
        "select lo_put(60001, 1, '\\x00')",
        "rows of the table pg_catalog.pg_largeobject differ",
    ),
    "a large object removed": ("select lo_unlink(60001)", "the table pg_catalog.pg_largeobject has 0 rows"),
    "a table removed": ("drop table bodies", "the table public.bodies is missing"),
    "a table added": ("create table more (id int)", "the table public.more was not in the dump"),
    "a sequence behind": ("select setval('counted', 4)", "the sequence public.counted is behind what was recorded"),
    "a sequence anew": ("alter sequence counted restart", "the sequence public.counted is behind what was recorded"),
}
SHAPES = {
    "a function changed": "create or replace function says() returns text language sql as $$select 'two'$$",
    "an index dropped": "drop index by_name",
    "an owner changed": "alter table users owner to other",
    "the owner of a large object": "alter large object 60001 owner to other",
    "a right given": "grant delete on users to other",
    "a right taken": "revoke select on users from reader",
    "a view changed": "create or replace view short as select id from users where id > 0",
    "a check dropped": "alter table bodies drop constraint bodies_id_check",
    "a default set": "alter table users alter name set default 'x'",
    "a trigger added": "create function f() returns trigger language plpgsql as 'begin return null; end';"
    "create trigger t before insert on users for each row execute function f()",
    "a comment changed": "comment on table users is 'nobody'",
    "a policy set": "alter table users enable row level security",
    "zero made negative": "update users set seen = '-0' where id = 100",
    "digits added": "update users set score = 1.00 where id = 100",
    "digits added in json": "update users set extra = '{\"a\": 1.00}' where id = 100",
    "a sequence ahead": "select nextval('counted')",
    "the order of rows": "update users set name = name where id = 7",
}


@pytest.mark.parametrize("change", ROWS)
def test_a_changed_row_is_seen_and_named(server: PostgresServer, dump: Taken, change: str) -> None:
    statement, says = ROWS[change]
    login = restored(dump, server)
    server.query(statement, RESTORED)
    with pytest.raises(DatabaseNotProved) as told:
        prove(login, dump)
    assert says in str(told.value)


@pytest.mark.parametrize("change", SHAPES)
def test_any_other_change_is_seen_by_the_databases_own_dump(server: PostgresServer, dump: Taken, change: str) -> None:
    login = restored(dump, server)
    server.query(SHAPES[change], RESTORED)
    with pytest.raises(DatabaseNotProved, match="its own dump is not the one that it was restored from"):
        prove(login, dump)


def test_a_manifest_of_another_major_version_is_told_so(server: PostgresServer, dump: Taken) -> None:
    other = msgspec.structs.replace(dump.manifest.source, major=13)
    with pytest.raises(DatabaseVersionDiffers):
        prove_restored(restored(dump, server), msgspec.structs.replace(dump.manifest, source=other), "", SECONDS)


# --- what is counted and summed ---------------------------------------------------------------------------


def facts_of(server: PostgresServer, *statements: str) -> list[TableFacts]:
    with connected(made(server, *statements)) as session:
        fix_settings(session)
        return list(table_facts(session))


def test_a_checksum_depends_on_no_order_of_rows(server: PostgresServer) -> None:
    rows = "insert into t select i, i::text from generate_series(1, 50) n (i) order by {}"
    table = "create table t (id int, word text)"
    assert facts_of(server, table, rows.format("n.i")) == facts_of(server, table, rows.format("-n.i"))


def test_a_checksum_depends_on_no_number_that_a_server_has_given(server: PostgresServer) -> None:
    mood, other = "create type mood as enum ('a', 'b')", "create type other as enum ('x', 'y')"
    table = "create table t (m mood, ms mood[], c mood_row); insert into t values ('b', '{a,b}', row('a'))"
    one = facts_of(server, other, mood, "create type mood_row as (m mood)", table)
    assert one == facts_of(server, mood, "create type mood_row as (m mood)", other, table)


def test_nothing_and_an_empty_text_are_two_things(server: PostgresServer) -> None:
    table = "create type pair as (a int, b int); create table t (j json, p pair, d text); insert into t values ({})"
    values = ("null, null, null", "null, row(null, null), null", "null, null, ''", "'null', null, null")
    assert len({facts_of(server, table.format(each))[0].checksum for each in values}) == 4


def test_letters_that_a_collation_takes_for_equal_differ(server: PostgresServer) -> None:
    collation = "create collation any_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false)"
    try:
        one = facts_of(server, collation, "create table t (w text collate any_case); insert into t values ('a')")
    except Exception as error:  # noqa: BLE001  # whatever a server without ICU says
        pytest.skip(f"no ICU in this server: {type(error).__name__}")
    assert one != facts_of(server, collation, "create table t (w text collate any_case); insert into t values ('A')")


def test_a_generated_column_is_computed_anew_and_not_compared(server: PostgresServer) -> None:
    dump = taken(
        made(
            server,
            "create function f(int) returns int language sql immutable as 'select 1'",
            "create table t (a int, b int generated always as (f(a)) stored); insert into t values (1)",
            "create or replace function f(int) returns int language sql immutable as 'select 2'",
        )
    )
    login = restored(dump, server)
    prove(login, dump)
    assert server.query("select b from t", RESTORED) == [(2,)]


def test_tables_of_extensions_and_temporary_ones_are_left_out(server: PostgresServer) -> None:
    made(server, "create table own (id int)", "create table theirs (id int)", "create extension citext")
    server.query("alter extension citext add table theirs", "smtpy")
    with server.connect("smtpy") as other:
        other.execute("create temporary table t (id int); create temporary table alembic_version (version_num text)")
        dump = taken(login_to(server, "smtpy"))
    assert dump.rows == {"public.own": 0}


@pytest.mark.parametrize(("schema", "name"), [("s", 'B"ad'), ("s", "a.b"), ("s.t", "bad"), ("S.t", 'a..b"c')])
def test_a_table_that_nobody_can_read_is_left_out_of_dump_and_proof(
    schema: str, name: str, server: PostgresServer
) -> None:
    quoted = ".".join('"' + part.replace('"', '""') + '"' for part in (schema, name))
    login = made(
        server, f'create table ok (id int); create schema "{schema}"; create table {quoted} as select 70001 as id'
    )
    dump = taken(login, unreadable=[f"{schema}.{name}"])
    assert dump.rows == {"public.ok": 0}
    assert b"70001" not in dump.sql
    assert dump.dump.contents.left_out == [f"{schema}.{name}"]
    prove(restored(dump, server), dump)


def test_large_objects_of_any_size_are_summed_in_pieces(server: PostgresServer) -> None:
    content = "select lo_from_bytea({}, decode(repeat('0a', {}), 'hex'))"
    sums = set()
    with patch.object(database_facts, "_PIECE", 16):
        for sizes in ([0], [16], [17], [32, 1], [31, 2]):
            orders = [content.format(70001 + number, size) for number, size in enumerate(sizes)]
            with connected(made(server, *orders)) as session:
                facts = large_object_facts(session)
            assert facts.rows == len(sizes)
            sums.add(facts.checksum)
    assert len(sums) == 5


# --- what a dump needs ------------------------------------------------------------------------------------


def test_the_roles_that_own_something_or_hold_a_right_are_needed_and_no_others(server: PostgresServer) -> None:
    roles = ["owner of f", "owner of s", "granted", "in policy", "by default", "of extension", "of nothing"]
    roles += ["of all", "let in", "with a setting", "elsewhere"]
    forget_roles(server, roles)
    for role in roles:
        server.create_role(role)
    login = made(
        server,
        "create function f() returns int language sql as 'select 1'; alter function f() owner to \"owner of f\"",
        'create schema s authorization "owner of s"; create table t (id int); grant select (id) on t to granted',
        'create policy p on t to "in policy" using (true)',
        'alter default privileges for role "by default" grant select on tables to public',
        'alter role "of extension" superuser',
        'set role "of extension"; create extension citext; reset role',
        'alter database smtpy owner to "of all"; grant connect on database smtpy to "let in"',
        'alter role "with a setting" in database smtpy set work_mem = 1000',
        "alter role elsewhere set work_mem = 1000; grant connect on database postgres to elsewhere",
    )
    with connected(login) as session:
        used = roles_used(session)
    outside = ["let in", "of all", "with a setting"]
    assert used == sorted([*outside, "by default", "granted", "in policy", "owner of f", "owner of s", "postgres"])
    server.query("revoke connect on database postgres from elsewhere")
    forget_roles(server, roles)


def test_what_only_the_first_superuser_owns_needs_that_superuser(server: PostgresServer) -> None:
    forget_roles(server, ["of all"])
    server.create_role("of all")
    of_another = 'alter database smtpy owner to "of all"'
    with connected(made(server, of_another)) as session:
        assert roles_used(session) == ["of all"]
    for owned in ("create type e as enum ()", "select lo_create(0)", "create publication p"):
        with connected(made(server, of_another, owned)) as session:
            assert roles_used(session) == ["of all", "postgres"]
    forget_roles(server, ["of all"])


def test_the_source_is_described_so_that_another_can_be_made(server: PostgresServer) -> None:
    with connected(made(server)) as session:
        source, size = source_of(session, "smtpy")
    assert (source.major, source.encoding, source.locale["collate"]) == (int(server.major), "UTF8", "C")
    assert size > 1_000_000


# --- the estate's own questions ---------------------------------------------------------------------------


def test_a_check_passes_when_its_answer_is_the_expected_one(server: PostgresServer) -> None:
    login = made(server, "create table t as select 1 as id")
    checks = [
        DatabaseCheck("rows", "select count(*) from t", "1"),
        DatabaseCheck("true", "select id = 1 from t", "True"),
    ]
    assert run_checks(login, checks) == 2


@pytest.mark.parametrize(("query", "expect"), [("select 2", "1"), ("select 1 where false", "1"), ("select null", "1")])
def test_a_check_with_another_answer_or_none_fails(server: PostgresServer, query: str, expect: str) -> None:
    with pytest.raises(DatabaseCheckFailed, match="The check 'one' on smtpy"):
        run_checks(made(server), [DatabaseCheck("one", query, expect)])


def test_a_check_changes_nothing(server: PostgresServer) -> None:
    login = made(server, "create table t as select 1 as id")
    with pytest.raises(Exception, match="25006, ReadOnlySqlTransaction"):
        run_checks(login, [DatabaseCheck("one", "delete from t returning 1", "1")])
    assert server.query("select count(*) from t", "smtpy") == [(1,)]
