"""Databases that are really damaged, byte by byte in their files, and what an assessment says of them."""

import contextlib
import json
import os
import signal
import threading
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import psycopg
import pytest
from psycopg import sql

from lab.certificates import CertificateAuthority
from lab.postgres import PostgresServer
from lambdas.adapters import database_assessment
from lambdas.adapters.database_assessment import assess_database
from lambdas.adapters.postgres import Login
from lambdas.domain.damage import Assessment, Check, Status
from lambdas.domain.database_errors import DatabaseCertificateRefused, DatabaseLoginRefused
from tests.servers.postgres import PostgresServers, fresh_database
from tests.servers.vault import until

PAGE = 8192
GARBAGE = b"\xde\xad\xbe\xef"
TABLES = """
create table users (id int primary key, name text);
create table messages (id int, body text);
create table empty ();
create sequence ids;
insert into users select g, 'ada-' || g from generate_series(1, 2000) g;
alter table messages alter body set storage external;
insert into messages select g, repeat('PRIVATE', 2000) from generate_series(1, 20) g;
create materialized view names as select name from users;
create materialized view later as select name from users with no data
"""


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServers]:
    servers = PostgresServers(tmp_path_factory.mktemp("postgres"))
    yield servers
    servers.stop()


@pytest.fixture(scope="module", params=["17 with checksums", "14 without"])
def server(request: pytest.FixtureRequest, servers: PostgresServers) -> PostgresServer:
    """A server for databases that are damaged."""
    major, _, checksums = request.param.partition(" ")
    settings = {"max_prepared_transactions": "2", "autovacuum": "off"}
    return servers.start(major, settings, checksums == "with checksums")


@pytest.fixture
def login(server: PostgresServer) -> Iterator[Login]:
    """A sound database of its own for each test."""
    fresh_database(server, "smtpy")
    server.query(TABLES, "smtpy")
    yield Login(server.host, server.port, "smtpy", "postgres", server.superuser_password, server.authority.pem)
    server.drop_database("smtpy")


def found(assessment: Assessment, status: Status = "damaged") -> set[tuple[Check, str | None]]:
    return {(finding.check, finding.relation) for finding in assessment.findings if finding.status == status}


def problem(assessment: Assessment, check: Check, relation: str | None = None) -> str:
    (told,) = [each.problem for each in assessment.findings if (each.check, each.relation) == (check, relation)]
    return told


def file_of(server: PostgresServer, relation: str) -> Path:
    return server.data / str(server.query("select pg_relation_filepath(%s::regclass)", "smtpy", [relation])[0][0])


def toast_of(server: PostgresServer, table: str) -> str:
    statement = "select reltoastrelid::regclass::text from pg_class where oid = %s::regclass"
    return str(server.query(statement, "smtpy", [table])[0][0])


@contextlib.contextmanager
def stopped(server: PostgresServer) -> Iterator[None]:
    """All pages are on the disk, and none in memory."""
    server.stop()
    yield
    server.start()
    server.wait_until_ready()


def overwrite(file: Path, offset: int, data: bytes) -> None:
    with file.open("r+b") as opened:
        opened.seek(offset)
        opened.write(data)


def damage(server: PostgresServer, relation: str, page: int = 0, start: int = 0, end: int = PAGE) -> None:
    """Fill a part of a relation's page with garbage, as a dying disk would."""
    file = file_of(server, relation)
    with stopped(server):
        overwrite(file, page * PAGE + start, GARBAGE * ((end - start) // len(GARBAGE)))


# --- sound ------------------------------------------------------------------------------------------------


def test_a_sound_database_is_sound(login: Login, server: PostgresServer) -> None:
    assessment = assess_database(login)
    assert assessment.verdict == "sound"
    assert not found(assessment) | found(assessment, "not assessed")
    assert problem(assessment, "table pages") == "the extension amcheck is not installed in it"
    checksums: Status = "skipped" if server.major == "14" else "sound"
    assert ("checksums", None) in found(assessment, checksums)


def test_amcheck_looks_at_every_page_where_it_is_installed(login: Login, server: PostgresServer) -> None:
    server.query("create schema tools; create extension amcheck schema tools", "smtpy")
    server.query("create index by_name on users using gin (to_tsvector('simple', name))", "smtpy")
    assessment = assess_database(login, heapallindexed=True)
    assert assessment.verdict == "sound"
    assert {("table pages", None), ("index pages", None)} <= found(assessment, "sound")
    assert [finding.problem for finding in assessment.findings if finding.status == "skipped"][-1] == (
        "1 indexes are of kinds that amcheck does not know here"
    )


def test_names_and_columns_that_sql_has_to_quote_are_read(login: Login, server: PostgresServer) -> None:
    server.query('create schema "Größe ""x"""; create table "Größe ""x"""."t %s" (t text, "T" int[])', "smtpy")
    server.query("""insert into "Größe ""x\"""."t %s" values ('a', '{1}')""", "smtpy")
    assert assess_database(login).verdict == "sound"


def test_the_session_can_write_nothing(login: Login) -> None:
    seen: list[str] = []
    read = database_assessment._read

    def listen(session: database_assessment._Session, *rest: Any) -> object:
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            session.ask(sql.SQL("create table written ()"))
        seen.append("asked")
        return read(session, *rest)

    with patch.object(database_assessment, "_read", listen):
        assert assess_database(login).verdict == "sound"
    assert seen


# --- damaged ----------------------------------------------------------------------------------------------


def test_a_page_whose_header_is_garbage_is_found_and_hides_no_other(login: Login, server: PostgresServer) -> None:
    damage(server, "users", page=3, end=24)
    damage(server, "names")
    assessment = assess_database(login)
    assert assessment.verdict == "damaged"
    assert not assessment.only_indexes
    assert found(assessment) - {("checksums", None)} == {("tables", "public.users"), ("tables", "public.names")}
    path = file_of(server, "users").relative_to(server.data)
    assert problem(assessment, "tables", "public.users") == f"XX001: invalid page in block 3 of relation {path}"


def test_a_page_whose_rows_are_garbage_is_found(login: Login, server: PostgresServer) -> None:
    damage(server, "users", page=2, start=4096)
    assessment = assess_database(login)
    assert assessment.verdict == "damaged"
    assert ("tables", "public.users") in found(assessment)
    assert ("tables", "public.messages") not in found(assessment)


def test_damage_among_the_long_values_is_found(login: Login, server: PostgresServer) -> None:
    damage(server, toast_of(server, "messages"), page=1)
    assessment = assess_database(login)
    assert assessment.verdict == "damaged"
    assert found(assessment) - {("checksums", None)} == {("tables", "public.messages")}


def test_a_long_value_that_was_lost_to_zeros_is_found(login: Login, server: PostgresServer) -> None:
    file = file_of(server, toast_of(server, "messages"))
    with stopped(server):
        overwrite(file, PAGE, bytes(PAGE))
    assert "missing chunk number" in problem(assess_database(login), "tables", "public.messages")


def test_a_missing_file_is_found_and_named(login: Login, server: PostgresServer) -> None:
    files = [file_of(server, relation) for relation in ("users", "users_pkey", toast_of(server, "messages"))]
    with stopped(server):
        for file in files:
            file.unlink()
    assessment = assess_database(login)
    missing: set[tuple[Check, str | None]] = {("files", "users"), ("files", "long values of messages")}
    assert missing | {("index files", "users_pkey")} <= found(assessment)
    assert problem(assessment, "files", "users") == f"its file {files[0].relative_to(server.data)} is missing"
    assert ("tables", "public.users") in found(assessment)


def test_a_damaged_catalog_is_found_like_any_table(login: Login, server: PostgresServer) -> None:
    damage(server, "pg_description", page=1)
    assert ("tables", "pg_catalog.pg_description") in found(assess_database(login))


def test_an_index_that_is_not_valid_is_found_and_needs_no_backup(login: Login, server: PostgresServer) -> None:
    server.query("insert into messages values (1, 'again')", "smtpy")
    with pytest.raises(psycopg.errors.UniqueViolation):
        server.query("create unique index concurrently once on messages (id)", "smtpy")
    assessment = assess_database(login)
    assert (assessment.verdict, assessment.only_indexes) == ("damaged", True)
    assert found(assessment) == {("indexes", "public.once")}


def test_a_damaged_page_of_an_index_is_found_by_amcheck(login: Login, server: PostgresServer) -> None:
    server.query("create extension amcheck", "smtpy")
    damage(server, "users_pkey", page=1)
    assessment = assess_database(login)
    assert found(assessment) - {("checksums", None)} == {("index pages", "public.users_pkey")}
    if server.major == "14":  # page checksums are counted for the database, not for an index
        assert assessment.only_indexes


def test_a_row_that_an_index_lacks_is_found_when_every_row_is_looked_for(login: Login, server: PostgresServer) -> None:
    server.query("create extension amcheck; create table copies (like users including all)", "smtpy")
    server.query("set allow_system_table_mods = on; update pg_index set indisready = false, indisvalid = false "
                 "where indexrelid = 'copies_pkey'::regclass", "smtpy")  # fmt: skip
    server.query("insert into copies select * from users limit 5", "smtpy")
    server.query("set allow_system_table_mods = on; update pg_index set indisready = true, indisvalid = true "
                 "where indexrelid = 'copies_pkey'::regclass", "smtpy")  # fmt: skip
    assert found(assess_database(login)) == set()
    assert found(assess_database(login, heapallindexed=True)) == {("index pages", "public.copies_pkey")}


def test_a_row_that_only_amcheck_sees_to_be_wrong_is_found(login: Login, server: PostgresServer) -> None:
    if server.major != "14":
        pytest.skip("a checksum sees it before amcheck does")
    server.query("create extension amcheck; create table small as select 1 as a", "smtpy")
    server.query("vacuum freeze small", "smtpy")
    file = file_of(server, "small")
    with stopped(server):
        (place,) = [int.from_bytes(file.read_bytes()[24:26], "little") & 0x7FFF]
        overwrite(file, place + 18, b"\xff\x07")  # t_infomask2: 2047 columns instead of one
    assert ("table pages", "public.small") in found(assess_database(login))


def test_failures_of_page_checksums_are_counted(login: Login, server: PostgresServer) -> None:
    if server.major == "14":
        pytest.skip("this server keeps no checksums")
    damage(server, "users")
    assess_database(login)
    assert problem(assess_database(login), "checksums").startswith("1 pages failed, the last at 20")


def test_the_servers_log_is_read_and_what_may_be_private_stays_in_it(login: Login, server: PostgresServer) -> None:
    damage(server, "users", page=1)
    with pytest.raises(psycopg.Error):
        server.query("select 'PRIVATE' from users where name = 'PRIVATE'", "smtpy")
    assessment = assess_database(login)
    noted = [finding.problem for finding in assessment.findings if finding.check == "log"]
    assert any(each.startswith("ERROR XX001 (invalid page in block 1 of relation base/") for each in noted)
    assert "PRIVATE" not in json.dumps(asdict(assessment))


def test_where_damage_would_be_overwritten_with_zeros_nothing_is_read(login: Login, server: PostgresServer) -> None:
    server.query("alter database smtpy set zero_damaged_pages = on")
    damage(server, "users")
    assessment = assess_database(login)
    assert assessment.verdict == "not assessed"
    assert problem(assessment, "settings") == "zero_damaged_pages is on, so nothing was read: turn it off first"
    assert file_of(server, "users").read_bytes()[:4] == GARBAGE


# --- what could not be read -------------------------------------------------------------------------------


def test_a_role_without_rights_says_what_it_could_not_read(login: Login, server: PostgresServer) -> None:
    with server.connect() as connection:
        connection.execute("drop role if exists reader")
    password = server.create_role("reader")
    server.query("create extension amcheck", "smtpy")
    assessment = assess_database(replace(login, user="reader", password=password))
    assert assessment.verdict == "not assessed"
    assert ("tables", "public.users") in found(assessment, "not assessed")
    skipped = found(assessment, "skipped")
    assert {("log", None), ("files", None), ("table pages", None), ("index pages", None)} <= skipped
    assert problem(assessment, "index pages") == "the role may not call bt_index_check"


def test_what_there_is_no_time_for_is_not_assessed(login: Login) -> None:
    assessment = assess_database(login, seconds=0.5)
    assert assessment.verdict == "not assessed"
    assert problem(assessment, "tables", "public.users") == "there was no time left for it"


def test_a_table_that_takes_too_long_is_given_up_and_hides_no_other(login: Login, server: PostgresServer) -> None:
    """A lock makes it as slow as one of a terabyte."""
    with server.connect("smtpy") as holder, holder.transaction():
        holder.execute("lock table users")
        with patch.object(database_assessment, "_LOCK_SECONDS", 60):
            assessment = assess_database(login, seconds=4)
    assert problem(assessment, "tables", "public.users") == "it was not read to its end in the time that there was"
    assert found(assessment, "not assessed") == {("tables", "public.users")}
    assert (assessment.verdict, found(assessment)) == ("not assessed", set())


def test_a_table_that_somebody_has_locked_is_not_assessed(login: Login, server: PostgresServer) -> None:
    with server.connect("smtpy") as holder, holder.transaction():
        holder.execute("lock table users")
        with patch.object(database_assessment, "_LOCK_SECONDS", 0.2):
            assessment = assess_database(login)
    assert problem(assessment, "tables", "public.users") == "another session has locked it"


# --- a server's process that dies of a page ---------------------------------------------------------------


@contextlib.contextmanager
def killing(server: PostgresServer, times: int) -> Iterator[None]:
    """A lock that outlives crashes holds each reader of users, which is then killed, so many times."""
    server.query("begin; lock table users; prepare transaction 'held'", "smtpy")

    killed: set[int] = set()

    def reader_killed() -> bool:
        with contextlib.suppress(psycopg.Error):
            for (pid,) in server.query("select pid from pg_stat_activity where wait_event_type = 'Lock'"):
                if pid not in killed:
                    os.kill(pid, signal.SIGKILL)
                    killed.add(pid)
                    return True
        return False

    def lock_released() -> bool:
        with contextlib.suppress(psycopg.Error):
            server.query("rollback prepared 'held'", "smtpy")
            return True
        return False

    def kill() -> None:
        for _ in range(times):
            until(reader_killed, "a reader waits for the lock")
        until(lock_released, "the server is back")

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        yield
    finally:
        killer.join()


def test_a_table_that_ends_the_servers_process_twice_is_damaged_and_hides_no_other(
    login: Login, server: PostgresServer
) -> None:
    with killing(server, times=2):
        assessment = assess_database(login)
    assert found(assessment) == {("tables", "public.users")}
    assert problem(assessment, "tables", "public.users") == "the server's process died while it was read"
    assert not found(assessment, "not assessed")


def test_a_process_that_somebody_else_ended_blames_no_table(login: Login, server: PostgresServer) -> None:
    with killing(server, times=1):
        assert assess_database(login).verdict == "sound"


# --- no connection ----------------------------------------------------------------------------------------


def test_a_database_that_is_lost_is_a_verdict(login: Login, server: PostgresServer) -> None:
    assessment = assess_database(login.to("lost"))
    assert assessment.verdict == "unreachable"
    assert [finding.problem for finding in assessment.findings if finding.check == "connection"] == [
        f"PostgreSQL at {server.host} has no database lost.",
        "the server lets the same role into another database",
    ]


def test_a_database_that_is_too_damaged_to_connect_to_is_a_verdict(login: Login, server: PostgresServer) -> None:
    (oid,) = server.query("select oid from pg_database where datname = 'smtpy'")[0]
    with stopped(server):
        (server.data / "base" / str(oid) / "pg_filenode.map").unlink()
    assessment = assess_database(login)
    assert assessment.verdict == "unreachable"
    assert "could not open file" in assessment.findings[0].problem


def test_a_wrong_password_says_nothing_of_the_database(login: Login) -> None:
    with pytest.raises(DatabaseLoginRefused):
        assess_database(replace(login, password="wrong"))


def test_a_certificate_of_another_ca_says_nothing_of_the_database(login: Login, tmp_path: Path) -> None:
    with pytest.raises(DatabaseCertificateRefused):
        assess_database(replace(login, ca=CertificateAuthority(tmp_path).pem))
