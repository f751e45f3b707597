"""A dump depends on no setting of its source, runs none of its code, and shows nobody a secret."""

import contextlib
from pathlib import Path

import psutil
import pytest

from lab.postgres import PostgresServer
from lambdas.adapters.database_dump import new_restrict_key
from lambdas.adapters.postgres_programs import client_program, roles_of
from lambdas.domain.database_errors import DatabaseClientMissing, DatabaseRequestFailed, DumpFailed
from tests.adapters.database_house import (
    BIG,
    SMALL,
    forget_roles,
    login_to,
    made,
    programs_of,
    prove,
    restored,
    round_trip,
    taken,
)
from tests.servers.postgres import PostgresServers


@pytest.fixture(scope="module", params=["17", "15"])
def server(request: pytest.FixtureRequest, postgres_servers: PostgresServers) -> PostgresServer:
    return postgres_servers.shared(request.param)


# --- whom it lets in --------------------------------------------------------------------------------------


def test_a_role_whose_view_a_policy_would_limit_gets_an_error_and_never_half_a_table(server: PostgresServer) -> None:
    forget_roles(server, ["limited"])
    password = server.create_role("limited")
    made(
        server,
        SMALL,
        "alter table rows enable row level security; grant select on rows to limited",
        "create policy half on rows using (id > 5)",
    )
    with pytest.raises((DumpFailed, DatabaseRequestFailed)) as told:
        taken(login_to(server, "smtpy", "limited", password))
    assert "id > 5" not in str(told.value)


def test_a_role_that_may_only_read_can_dump(server: PostgresServer) -> None:
    forget_roles(server, ["reader"])
    password = server.create_role("reader")
    made(server, SMALL, "grant select on rows to reader; create sequence s; grant select on s to reader")
    dump = taken(login_to(server, "smtpy", "reader", password))
    prove(restored(dump, server), dump)
    roles = roles_of(
        login_to(server, "smtpy", "reader", password), int(server.major), "k1", passwords=False, seconds=20
    )
    assert b"CREATE ROLE reader" in roles


def test_hashes_of_passwords_are_dumped_only_when_asked_for(server: PostgresServer) -> None:
    login, major = made(server), int(server.major)
    assert b"SCRAM-SHA-256" not in roles_of(login, major, "k1", passwords=False, seconds=20)
    assert b"SCRAM-SHA-256" in roles_of(login, major, "k1", passwords=True, seconds=20)


# --- what it must not depend on ---------------------------------------------------------------------------


SETTINGS = (
    "default_transaction_read_only = on",
    "search_path = 'evil, pg_catalog'",
    "statement_timeout = '50ms'",
    "lock_timeout = '1ms'",
    "client_encoding = 'LATIN1'",
    "datestyle = 'German'",
    "intervalstyle = 'iso_8601'",
    "timezone = 'Asia/Kolkata'",
    "extra_float_digits = -5",
    "bytea_output = 'escape'",
    "default_transaction_isolation = 'serializable'",
    "idle_in_transaction_session_timeout = '20ms'",
    "idle_session_timeout = '20ms'",
    "standard_conforming_strings = off",
    "row_security = on",
    "xmloption = 'document'",
    "xmlbinary = 'hex'",
    "quote_all_identifiers = on",
    "default_tablespace = ''",
    "client_min_messages = 'debug1'",
    "session_replication_role = 'replica'",
)


def test_the_settings_of_the_source_and_of_its_role_change_nothing(server: PostgresServer) -> None:
    login = made(
        server,
        BIG,
        "create table kinds (t timestamptz, i interval, f float8, b bytea, m money, w text)",
        "insert into kinds values (now(), '1 day 2 s', 0.1 + 0.2, '\\x005c', 12.5, 'ü€')",
    )
    plain = taken(login)
    later = ("transaction_timeout = '50ms'",) if server.major >= "17" else ()
    for setting in (*SETTINGS, *later):
        server.query(f"alter database smtpy set {setting}")
    dump = taken(login)
    assert dump.dump.contents.tables == plain.dump.contents.tables
    prove(restored(dump, server), dump)


HOSTILE = """
create schema evil; create table evil.done (what text);
create function evil.count() returns bigint language sql as $$insert into evil.done values ('count'); select 1$$;
create function evil.set_config(text, text, boolean) returns text language sql as
    $$insert into evil.done values ('set_config'); select ''$$;
create function evil.pg_export_snapshot() returns text language sql as $$select 'x'$$;
create type evil.thing as (a int);
create function evil.told(evil.thing) returns text language plpgsql as $$begin raise exception 'cast'; end$$;
create cast (evil.thing as text) with function evil.told(evil.thing) as assignment;
create table things (t evil.thing); insert into things values ('(1)'), (null), ('()');
create table "x
-- PostgreSQL database dump complete
\\! touch {path}
" (id int);
create table "\\unrestrict k" ("a
b" text default E'\\n\\\\! touch {path}\\n'); insert into "\\unrestrict k" values (E'\\\\.\\n\\\\! touch {path}');
comment on table things is E'x\\n\\\\! touch {path}\\n';
"""


def test_a_hostile_source_runs_nothing_with_our_rights(server: PostgresServer, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    login = made(server, HOSTILE.replace("{path}", str(mark)))
    server.query("alter database smtpy set search_path = evil, pg_catalog")
    dump = taken(login)
    prove(restored(dump, server), dump)
    assert not mark.exists()
    assert server.query("select what from evil.done", "smtpy") == []


def test_two_dumps_have_two_keys_that_nobody_can_guess() -> None:
    one, other = new_restrict_key(), new_restrict_key()
    assert one != other
    assert len(one) == 32


def test_a_table_of_somebody_elses_that_is_called_like_alembics_is_no_revision(server: PostgresServer) -> None:
    login = made(server, "create table alembic_version (other int)", "create schema a")
    assert taken(login).dump.contents.alembic is None
    server.query(
        "create table a.alembic_version (version_num varchar(32)); insert into a.alembic_version values ('b1')", "smtpy"
    )
    assert taken(login).dump.contents.alembic == "b1"


# --- what nobody may read ---------------------------------------------------------------------------------


def test_a_password_stands_in_no_argument_no_text_and_no_repr(server: PostgresServer) -> None:
    login = made(server, BIG)
    seen: list[str] = []

    def look(_: bytes) -> None:
        for program in programs_of():
            with contextlib.suppress(psutil.NoSuchProcess):  # it may end between the list and the look
                seen.append(" ".join(program.cmdline()))

    taken(login, look)
    assert seen
    assert not [line for line in seen if login.password in line]
    assert login.password not in repr(login)


def test_a_client_of_another_major_version_is_not_used(server: PostgresServer) -> None:
    with pytest.raises(DatabaseClientMissing):
        client_program(13, "pg_dump")
    assert f"/{server.major}/" in client_program(int(server.major), "pg_dump")


def test_extensions_come_with_the_dump(server: PostgresServer) -> None:
    dump = round_trip(
        server, "create extension pg_trgm; create table w (t text); create index on w using gin (t gin_trgm_ops)"
    )
    assert "pg_trgm" in dump.dump.contents.extensions
