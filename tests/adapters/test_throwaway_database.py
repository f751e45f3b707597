"""A restored dump gets a database of its own, like the one it comes from; what a server lacks is told before."""

import os

import msgspec
import psycopg
import pytest

from lab.postgres import PostgresServer
from lambdas.adapters.database_dump import Dump
from lambdas.adapters.throwaway_database import drop_database, make_database, require_what_it_needs
from lambdas.domain.database_errors import DatabaseLoginRefused, TargetLacks
from lambdas.domain.database_manifest import DatabaseManifest, DatabaseSource
from tests.adapters.database_house import RESTORED, Taken, forget_roles, login_to, made, prove, restored, taken
from tests.servers.postgres import PostgresServers


@pytest.fixture(scope="module", params=["17", "15"])
def server(request: pytest.FixtureRequest, postgres_servers: PostgresServers) -> PostgresServer:
    return postgres_servers.shared(request.param)


def source_with(server: PostgresServer, encoding: str = "UTF8", **locale: str) -> DatabaseSource:
    wanted = {"provider": "libc", "collate": "C", "ctype": "C"} | locale
    return DatabaseSource("smtpy", "1", "17.1", int(server.major), encoding, wanted)


def databases(server: PostgresServer) -> set[str]:
    return {name for (name,) in server.query("select datname from pg_database")}


# --- making and dropping ----------------------------------------------------------------------------------


def test_what_an_earlier_run_has_left_goes_though_somebody_uses_it(server: PostgresServer) -> None:
    login = made(server, "create table left_over (id int)", name=RESTORED)
    with server.connect(RESTORED) as session:
        make_database(login, source_with(server))
        with pytest.raises(psycopg.OperationalError):
            session.execute("select 1")
    assert server.query("select count(*) from pg_class where relname = 'left_over'", RESTORED) == [(0,)]


def test_it_is_dropped_as_often_as_one_likes(server: PostgresServer) -> None:
    login = made(server, name=RESTORED)
    drop_database(login)
    drop_database(login)
    assert RESTORED not in databases(server)


def test_a_role_whose_transactions_are_read_only_makes_and_drops_it_all_the_same(server: PostgresServer) -> None:
    forget_roles(server, ["careful"])
    login = login_to(server, RESTORED, "careful", server.create_role("careful"))
    server.query("alter role careful createdb; alter role careful set default_transaction_read_only = on")
    make_database(login, source_with(server))
    drop_database(login)
    assert RESTORED not in databases(server)


def test_who_may_not_log_in_changes_nothing(server: PostgresServer) -> None:
    made(server, name=RESTORED)
    with pytest.raises(DatabaseLoginRefused):
        make_database(login_to(server, RESTORED, "postgres", "wrong"), source_with(server))
    assert RESTORED in databases(server)


# --- encodings and locales --------------------------------------------------------------------------------


def dumped_in(server: PostgresServer, encoding: str, locale: str, *statements: bytes) -> Taken:
    server.drop_database("smtpy")
    server.query(f"create database smtpy template template0 encoding '{encoding}' {locale}")
    with server.connect("smtpy") as session:
        session.execute(f"set client_encoding = '{encoding}'".encode())
        for statement in statements:
            session.pgconn.exec_(statement)
    return taken(login_to(server, "smtpy"))


@pytest.mark.parametrize(
    ("encoding", "word"),
    [
        ("LATIN1", "größe".encode("latin-1")),
        ("WIN1252", "€ größe".encode("cp1252")),
        ("UTF8", "größe 😀".encode()),
        ("SQL_ASCII", b"\xff\xfe gr\xf6\xdfe"),
        ("EUC_JP", "漢字".encode("euc_jp")),
    ],
)
def test_a_database_in_another_encoding_comes_back_in_it(server: PostgresServer, encoding: str, word: bytes) -> None:
    statements = (
        b'create table "' + word + b'" (a text, "' + word + b'" text)',
        b'insert into "' + word + b"\" values ('" + word + b"')",
    )
    dump = dumped_in(server, encoding, "lc_collate 'C' lc_ctype 'C'", *statements)
    assert [table.rows for table in dump.dump.contents.tables] == [1]
    assert word in dump.sql
    prove(restored(dump, server), dump)
    query = "select pg_encoding_to_char(encoding) from pg_database where datname = %s"
    assert server.query(query, parameters=[RESTORED]) == [(encoding,)]


LOCALES = {
    "libc": "lc_collate 'C.utf8' lc_ctype 'C.utf8'",
    "icu": "locale_provider icu icu_locale 'de-u-co-phonebk' lc_collate 'C' lc_ctype 'C'",
    "icu with rules": "locale_provider icu icu_locale 'und' icu_rules '&V << w <<< W' lc_collate 'C' lc_ctype 'C'",
    "builtin": "locale_provider builtin builtin_locale 'C.UTF-8' lc_collate 'C' lc_ctype 'C'",
}


@pytest.mark.parametrize("locale", LOCALES)
def test_a_database_with_another_locale_comes_back_with_it(server: PostgresServer, locale: str) -> None:
    since = {"libc": 14, "icu": 15, "icu with rules": 16, "builtin": 17}[locale]
    if int(server.major) < since:
        pytest.skip(f"PostgreSQL has this since {since}")
    try:
        dump = dumped_in(server, "UTF8", LOCALES[locale], b"create table t as select 'x' as w")
    except Exception as error:
        if "ICU is not supported" not in str(error):
            raise
        pytest.skip("this server is built without ICU")
    prove(restored(dump, server), dump)
    columns = "to_jsonb(d) - 'oid' - 'datname' - 'datfrozenxid' - 'datminmxid'"
    query = f"select {columns} from pg_database d where datname in ('smtpy', '{RESTORED}')"  # noqa: S608  # our own
    ((one,), (other,)) = server.query(query)
    assert one == other


def test_a_locale_that_the_server_does_not_know_is_what_it_lacks(server: PostgresServer) -> None:
    login = login_to(server, RESTORED)
    with pytest.raises(TargetLacks) as told:
        make_database(login, source_with(server, collate="xx_YY.utf8", ctype="xx_YY.utf8"))
    assert "lacks the locale that the dump of smtpy needs: xx_YY.utf8." in str(told.value)
    assert RESTORED not in databases(server)


# --- what a dump needs ------------------------------------------------------------------------------------


def manifest_with(
    server: PostgresServer, roles: list[str], extensions: dict[str, str], **locale: str
) -> DatabaseManifest:
    dump = taken(made(server))
    contents = msgspec.structs.replace(dump.dump.contents, roles=roles, extensions=extensions)
    source = msgspec.structs.replace(dump.dump.source, locale=dump.dump.source.locale | locale)
    return Taken(Dump(source, contents, dump.dump.plaintext, dump.dump.ciphertext), b"").manifest


def test_what_a_server_lacks_is_named_before_anything_changes(server: PostgresServer) -> None:
    login, before = login_to(server, RESTORED), databases(server)
    with pytest.raises(TargetLacks) as told:
        require_what_it_needs(login, manifest_with(server, ["postgres", "Nobody", "app"], {"citext": "1.6"}))
    assert "lacks roles that smtpy_20261122_030000.sql.gz needs: Nobody, app." in str(told.value)
    with pytest.raises(TargetLacks) as told:
        require_what_it_needs(login, manifest_with(server, ["postgres"], {"citext": "1.6", "postgis": "3"}))
    assert "lacks extensions that smtpy_20261122_030000.sql.gz needs: postgis." in str(told.value)
    unknown = {"collate": "xx_YY.utf8", "ctype": "yy_XX.utf8"}
    with pytest.raises(TargetLacks) as told:
        require_what_it_needs(login, manifest_with(server, ["postgres"], {}, **unknown))
    assert "lacks the locale that smtpy_20261122_030000.sql.gz needs: xx_YY.utf8, yy_XX.utf8." in str(told.value)
    assert databases(server) - {"smtpy"} == before - {"smtpy"}


def test_a_server_that_has_everything_is_fit(server: PostgresServer) -> None:
    require_what_it_needs(login_to(server, RESTORED), manifest_with(server, ["postgres"], {"citext": "1.0"}))


@pytest.mark.parametrize("locale", ["C", "POSIX", "C.utf8"])
def test_a_locale_that_the_system_knows_is_not_lacking(server: PostgresServer, locale: str) -> None:
    manifest = manifest_with(server, ["postgres"], {}, provider="libc", collate=locale, ctype=locale)
    require_what_it_needs(login_to(server, RESTORED), manifest)


def test_a_table_on_a_disk_of_its_own_comes_back_without_it(server: PostgresServer) -> None:
    folder = server.data / "disk"
    folder.mkdir(exist_ok=True)
    folder.chmod(0o700)
    if os.geteuid() == 0:
        os.chown(folder, 65534, 65534)
    server.drop_database("smtpy")
    server.query("drop tablespace if exists disk")
    server.query(f"create tablespace disk location '{folder}'")
    dump = taken(made(server, "create table t (id int) tablespace disk; insert into t values (1)"))
    server.drop_database("smtpy")
    server.query("drop tablespace disk")
    prove(restored(dump, server), dump)
