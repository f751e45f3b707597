"""What real databases hold comes back whole: dumped, restored beside, and proved to the last byte."""

from typing import Any

import pytest

from lab.postgres import PostgresServer
from tests.adapters import rich_database as rich
from tests.adapters.database_house import RESTORED, Taken, forget_roles, login_to, made, prove, restored, taken
from tests.servers.postgres import PostgresServers


@pytest.fixture(scope="module", params=["17", "14", "18"])
def server(request: pytest.FixtureRequest, postgres_servers: PostgresServers) -> PostgresServer:
    return postgres_servers.shared(request.param)


@pytest.fixture(scope="module")
def everything(server: PostgresServer) -> Taken:
    """A dump of a database with something of everything, which has been restored."""
    forget_roles(server, rich.ROLES)
    dump = taken(made(server, *rich.EVERYTHING))
    restored(dump, server)
    return dump


def both(server: PostgresServer, query: str) -> list[tuple[Any, ...]]:
    """What the restored database answers, which the original must answer as well."""
    found = server.query(query, RESTORED)
    assert found == server.query(query, "smtpy")
    return found


def test_a_database_with_something_of_everything_comes_back_to_the_last_byte(
    server: PostgresServer, everything: Taken
) -> None:
    prove(login_to(server, RESTORED), everything)


def test_names_with_capitals_quotes_spaces_and_unicode_are_names_like_any_other(
    server: PostgresServer, everything: Taken
) -> None:
    assert everything.rows['Größe & Co.T ä"q 😀'] == 50
    query = """select "a b", "ab'c" from "Größe & Co"."T ä""q 😀" where "Id" = 7"""
    assert both(server, query) == [("ü7", "x")]


def test_two_tables_whose_names_look_alike_on_paper_are_two(everything: Taken) -> None:
    alike = [table for table in everything.dump.contents.tables if table.title == "Größe & Co.a.b"]
    assert [table.rows for table in alike] == [0, 1]


def test_identities_serials_and_generated_columns_go_on_where_they_were(
    server: PostgresServer, everything: Taken
) -> None:
    both(server, "select sum(twice), min(other), max(old) from made")
    for name in ("smtpy", RESTORED):
        with server.connect(name) as session, session.transaction(force_rollback=True):
            row = session.execute("insert into made (price) values (2) returning id, other, old, twice").fetchone()
        assert row == (101, -301, 101, 4)


def test_the_manifest_has_each_partition_by_itself_and_no_row_twice(everything: Taken) -> None:
    rows = everything.rows
    assert {name: rows[f"public.{name}"] for name in ("parts_a", "parts_b1", "parts_rest")} == {
        "parts_a": 30,
        "parts_b1": 30,
        "parts_rest": 30,
    }
    assert (rows["public.parent"], rows["public.child"]) == (1, 2)
    assert "public.parts" not in rows


def test_foreign_keys_in_a_circle_and_to_themselves_hold_again(server: PostgresServer, everything: Taken) -> None:
    names = both(server, "select conname from pg_constraint where contype = 'f' and convalidated order by 1")
    assert [name for (name,) in names] == ["one_two_id_fkey", "tree_parent_id_fkey", "two_one_id_fkey"]


def test_a_restore_does_not_fire_the_triggers_that_have_fired_before(server: PostgresServer, everything: Taken) -> None:
    assert both(server, "select count(*), (select max(seen) from watched) from log") == [(10, 1)]
    assert both(server, "select n, total from seen, summed") == [(10, 55)]


def test_values_that_are_hard_to_write_down_are_the_same(server: PostgresServer, everything: Taken) -> None:
    found = both(
        server, "select f8::text, n::text, f4::text from kinds where m is not null or n is not null order by p"
    )
    assert ("-0", "NaN", "NaN") in found
    both(server, "select md5(string_agg(k::text, '|' order by k::text)) from kinds k")


def test_a_table_without_rows_or_without_columns_is_a_table(server: PostgresServer, everything: Taken) -> None:
    assert (everything.rows["public.empty"], everything.rows["public.nothing"]) == (0, 2)
    assert both(server, "select count(*) from nothing") == [(2,)]
    assert both(server, "select * from dropped") == [(1, 3)]


def test_large_objects_have_their_content_their_owner_and_their_rights(
    server: PostgresServer, everything: Taken
) -> None:
    assert everything.dump.contents.large_objects.rows == 3
    assert both(server, "select length(lo_get(50003)), lo_get(50001)") == [(60000, b"\xde\xad\xbe\xef")]
    both(server, "select oid, pg_get_userbyid(lomowner), lomacl::text from pg_largeobject_metadata order by 1")


def test_policies_grants_and_owners_are_the_same(server: PostgresServer, everything: Taken) -> None:
    both(
        server,
        "select relowner::regrole::text, relacl::text, relforcerowsecurity from pg_class where relname = 'owned'",
    )
    both(server, "select polname, pg_get_expr(polqual, polrelid) from pg_policy")
    assert everything.dump.contents.roles == sorted(["postgres", *rich.ROLES])


def test_the_manifest_knows_the_extensions(everything: Taken) -> None:
    assert set(everything.dump.contents.extensions) == {"plpgsql", "citext", "hstore"}


def test_code_that_looks_like_the_end_of_a_dump_ends_none(server: PostgresServer, everything: Taken) -> None:
    assert "dump complete" in both(server, "select evil(1)")[0][0]


def test_a_dump_of_the_restored_database_can_be_restored_in_its_turn(server: PostgresServer, everything: Taken) -> None:
    again = taken(login_to(server, RESTORED))
    assert again.dump.contents.tables == everything.dump.contents.tables
    assert again.dump.contents.large_objects == everything.dump.contents.large_objects
