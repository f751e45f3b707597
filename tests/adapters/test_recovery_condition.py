"""A condition may read the backup's tables, and reaches nothing else of the staging server, whose superuser asks."""

from collections.abc import Iterator

import pytest

from lab.postgres import PostgresServer
from lambdas.adapters.row_recovery import export_rows, import_rows, plan_recovery
from lambdas.domain.database_errors import DatabaseRequestFailed
from lambdas.domain.recovery_errors import RecoveryConditionInvalid
from tests.adapters.recovery_world import Pair, counts, items, login_to
from tests.servers.postgres import PostgresServers

SCHEMA = """
create table "Ünït ""x"" y" (id int primary key, "Näme" text, born timestamptz default now() - interval '1 day');
insert into "Ünït ""x"" y" values (1, 'Größe'), (2, 'it''s $$ \\ ok'), (3, null);
create table other (unit int); insert into other values (2);
create table hidden (id int primary key); insert into hidden values (1), (2);
alter table hidden enable row level security; alter table hidden force row level security;
create table log (line varchar(10), mood char(3)); insert into log values ('a', 'x'), ('a', 'x'), ('b', 'y');
create table parts (day date, n numeric(6, 2), primary key (day, n)) partition by range (day);
create table parts_1 partition of parts for values from ('2026-01-01') to ('2026-02-01');
insert into parts values ('2026-01-02', 1.5), ('2026-01-03', 2);
select lo_from_bytea(4242, 'stolen');
create schema "Büro 2"; create table "Büro 2".far (unit int); insert into "Büro 2".far values (3);
create view seen as select unit from "Büro 2".far; create view "Büro 2".seen_twice as select * from public.seen;
create materialized view kept as select unit from other;
create view roles_seen as select rolname from pg_roles;
create view verifiers as select rolname, rolpassword from pg_authid; create view more_verifiers as table verifiers;
create materialized view kept_verifiers as select passwd from pg_shadow;
"""
PATHS = """
create schema postgres; create table postgres.wanted (id int); insert into postgres.wanted values (2);
create schema extra; create table extra.more (id int); create table public.wanted (id int);
create table public.unit (id int primary key); insert into public.unit values (1), (2);
"""
UNIT = '"Ünït ""x"" y"'


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServers]:
    servers = PostgresServers(tmp_path_factory.mktemp("postgres"))
    yield servers
    servers.stop()


@pytest.fixture(scope="module", params=["17", "14", "18"])
def server(request: pytest.FixtureRequest, servers: PostgresServers) -> PostgresServer:
    return servers.shared(request.param)


@pytest.fixture(scope="module")
def pair(server: PostgresServer) -> Pair:
    """Everything was deleted from it; no test of this module changes it."""
    pair = Pair(server, SCHEMA)
    pair.change(f"delete from {UNIT}; delete from hidden; delete from log; delete from parts")  # noqa: S608  # no input
    return pair


@pytest.mark.parametrize(
    ("scope", "rows"),
    [
        (f"{UNIT} where \"Näme\" = 'Größe'", 1),
        (f"{UNIT} where {UNIT}.\"Näme\" = 'it''s $$ \\ ok'", 1),
        (f"{UNIT} where lower(\"Näme\") like E'gr\\u00f6%'", 1),
        (f'{UNIT} where id in (select unit from other where unit = "Ünït ""x"" y".id)', 1),  # noqa: S608  # no input
        (f"{UNIT} where born < now() and born::date > '2000-01-01' and id::text ~ '[12]'", 2),
        (f"{UNIT} where \"Näme\" is null or $body$ ' $body$ = 'x'", 1),
        (f"{UNIT} where false", 0),
        (f'{UNIT} where id in (select unit from "Büro 2".far union select unit from kept)', 2),  # noqa: S608  # no input
        (f'{UNIT} where id in (select unit from seen join "Büro 2".seen_twice using (unit))', 1),  # noqa: S608
        (f"{UNIT} where id in (select n::int from parts_1 union select id from hidden)", 2),  # noqa: S608  # no input
        (f"{UNIT} where id = 1 and 'postgres' in (select rolname from roles_seen)", 1),  # noqa: S608  # no input
        ("hidden where id = 2", 1),
        ("log where line = 'a'", 2),
        ("parts where n::int = 2 and day > '2026-01-02'", 1),
    ],
)
def test_a_condition_reads_what_it_names(pair: Pair, scope: str, rows: int) -> None:
    assert sum(counts(pair.plan(scope)).values()) == rows


@pytest.mark.parametrize(
    ("condition", "problem"),
    [
        ("lo_export(4242, '{file}') = 1", "permission denied for function lo_export"),
        ("pg_read_file('/etc/passwd') <> ''", "permission denied for function pg_read_file"),
        ("pg_stat_file('/') is not null", "permission denied for function pg_stat_file"),
        ("lo_import('/etc/passwd') > 0", "permission denied for function lo_import"),
        ("pg_reload_conf()", "permission denied for function pg_reload_conf"),
        ("exists (select from pg_authid where rolpassword like 'SCRAM%')", "permission denied for table pg_authid"),
        ("(select max(passwd) from pg_shadow) > ''", "permission denied for view pg_shadow"),
        ("exists (table more_verifiers)", "permission denied for view more_verifiers"),
        ("exists (table kept_verifiers)", "permission denied for materialized view kept_verifiers"),
        ("exists (select from pg_largeobject)", "permission denied for table pg_largeobject"),
        ("exists (select from pg_temp.mailark_found_0)", "permission denied for table mailark_found_0"),
        ("set_config('role', 'postgres', false) <> ''", 'cannot set parameter "role" within security-definer function'),
        (
            "set_config('session_authorization', 'postgres', false) <> ''",
            'cannot set parameter "session_authorization" within security-definer function',
        ),
        (
            "query_to_xml('reset role', true, true, '') is not null",
            "FeatureNotSupported, 0A000",
        ),
        ("set_config('statement_timeout', '0', false) <> ''", "it would change a setting"),
        ("set_config('search_path', 'evil', false) <> ''", "it would change a setting"),
    ],
)
def test_a_condition_reaches_nothing_but_tables(pair: Pair, condition: str, problem: str) -> None:
    file = pair.server.data / "stolen"
    scope = items([f"{UNIT} where {condition.format(file=file)}"])
    for search in (
        lambda: plan_recovery(pair.backup, pair.live, scope),
        lambda: import_rows(pair.backup, pair.live, scope, "approved"),
        lambda: list(export_rows(pair.backup, pair.live, scope)),
    ):
        with pytest.raises(RecoveryConditionInvalid) as raised:
            search()
        assert str(raised.value) == (
            f'recovery-condition-invalid: The condition on public."Ünït ""x"" y" cannot be used: {problem}.\n'
            "Next: Write one SQL expression as it would stand after WHERE, such as id = 42; nothing was changed."
        )
    assert not file.exists()


def test_names_without_schema_mean_what_they_mean_to_the_login(server: PostgresServer) -> None:
    pair = Pair(server, PATHS)
    pair.change(f'alter database {pair.backup.database} set search_path = "$user", extra, public')
    pair.change("delete from public.unit")
    plan = pair.plan("unit where id in (select id from wanted) and not exists (select from more)")
    assert counts(plan) == {"unit": 1}


def test_every_condition_of_a_scope_is_its_own(pair: Pair) -> None:
    plan = pair.plan(f"{UNIT} where id = 1", "log where line = 'b'", f"{UNIT} where id = 2", f"{UNIT} where id = 2")
    assert plan.rows == 3


def test_the_reader_is_made_once_and_may_do_no_more_than_it_should(pair: Pair) -> None:
    wanted = [(False, False, False, False, False, True)]
    asked = (
        "select rolcanlogin, rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls from pg_roles"
        " where rolname = 'mailark_reader'"
    )
    pair.plan("log where line = 'a'")
    assert pair.server.query(asked) == wanted
    pair.server.query("alter role mailark_reader superuser login createrole nobypassrls")
    pair.plan("log where line = 'a'")
    assert pair.server.query(asked) == wanted


def test_a_reader_of_before_loses_what_it_could_read_of_the_whole_server(pair: Pair) -> None:
    asked = "select has_table_privilege('mailark_reader', 'pg_authid', 'select')"
    admin = f"admin_{pair.backup.database}"
    pair.plan("log where line = 'a'")
    pair.server.query(f"create role {admin}; grant pg_read_all_data to {admin} with admin option")
    pair.server.query(f"grant pg_read_all_data to mailark_reader; grant {admin} to mailark_reader")
    pair.server.query(f"set role {admin}; grant pg_read_all_data to mailark_reader")
    assert pair.server.query(asked) == [(True,)]
    assert counts(pair.plan("log where line = 'a'")) == {"log": 2}
    assert pair.server.query(asked) == [(False,)]
    assert pair.server.query("select from pg_auth_members where member = 'mailark_reader'::regrole") == []


def test_a_login_that_may_not_make_the_reader_is_told(pair: Pair) -> None:
    name = f"modest_{pair.backup.database}"
    password = pair.server.create_role(name)
    pair.server.query(f"grant pg_read_all_data to {name}")
    backup = login_to(pair.server, pair.backup.database, name, password)
    assert plan_recovery(backup, pair.live, items(["parts"])).rows == 2
    with pytest.raises(DatabaseRequestFailed, match=r"42501, InsufficientPrivilege.*\n.*may lack a right"):
        plan_recovery(backup, pair.live, items(["parts where true"]))
