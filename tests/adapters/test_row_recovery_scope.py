"""What is to be brought back: conditions that a person types, and where rows were lost when nobody knows."""

from collections.abc import Iterator
from unittest.mock import patch

import pytest

from lab import forwarding_service
from lambdas.adapters import recovery_condition
from lambdas.adapters.lost_rows import find_scope, recent_activity
from lambdas.domain.recovery_errors import RecoveryConditionInvalid
from lambdas.domain.recovery_plan import TableLoss
from tests.adapters.recovery_world import Pair, counts
from tests.servers.postgres import PostgresServers, fresh_database
from tests.servers.vault import until


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServers]:
    servers = PostgresServers(tmp_path_factory.mktemp("postgres"))
    with servers.shared().connect(fresh_database(servers.shared(), "service")) as connection:
        forwarding_service.load(connection, megabytes=2)
    yield servers
    servers.stop()


@pytest.fixture(scope="module")
def pair(servers: PostgresServers) -> Pair:
    """A database without any organization: no test of this module changes it."""
    pair = Pair(servers.shared(), "service")
    pair.change("delete from organizations")
    return pair


# --- conditions -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "condition",
    [
        "id = 2",
        "organizations.id = 2 or false",
        "name <> ';' and id = 2",
        "name <> $$;)$$ and name <> $tag$ $$ ) -- $tag$ and id in (2)",
        "name <> E'\\';)' and id = 2",
        "name <> 'it''s ;--' and \"id\" = 2",
        "id = (select organization_id from domains where id = (select min(id) from domains where organization_id = 2))",
        "name like '%' and id % 4 = 2 and id < 5",
    ],
)
def test_a_condition_is_any_expression_of_sql(pair: Pair, condition: str) -> None:
    assert counts(pair.plan(f"organizations where {condition}"))["organizations"] == 1


@pytest.mark.parametrize(
    ("condition", "problem"),
    [
        ("id = 2; drop table users", "it goes on after a semicolon"),
        ("id = 2) or (true", "it closes a parenthesis that it has not opened"),
        ("id = 2 -- and so on", "it holds a comment"),
        ("id = (2", "a parenthesis in it is not closed"),
        ("name = 'x", "a quote in it is not closed"),
        ("id == 2", "operator does not exist: integer == integer"),
        ("idd = 2", 'column "idd" does not exist'),
        ("id = 2 id", 'syntax error at or near "id"'),
        ("id", "argument of WHERE must be type boolean, not type integer"),
        ("name::int = 1", "InvalidTextRepresentation, 22P02"),
        ("setval('organizations_id_seq', 1) > 0", "permission denied for sequence organizations_id_seq"),
        ("lo_creat(1) > 0", "it would change something"),
    ],
)
def test_what_is_wrong_with_a_condition_is_said_and_nothing_is_changed(
    pair: Pair, condition: str, problem: str
) -> None:
    before = pair.contents(), pair.contents(pair.backup.database)
    with pytest.raises(RecoveryConditionInvalid) as raised:
        pair.plan(f"organizations where {condition}")
    assert f"The condition on public.organizations cannot be used: {problem}." in str(raised.value)
    assert (pair.contents(), pair.contents(pair.backup.database)) == before


def test_a_condition_that_runs_too_long_is_stopped(pair: Pair) -> None:
    with (
        patch.object(recovery_condition, "CONDITION_SECONDS", 1),
        pytest.raises(RecoveryConditionInvalid, match="it ran for longer than 1 s"),
    ):
        pair.plan("organizations where pg_sleep(30) is not null")


def test_what_postgresql_would_quote_of_a_row_is_not_in_the_error(pair: Pair) -> None:
    with pytest.raises(RecoveryConditionInvalid) as raised:
        pair.plan("users where password_hash::int = 1")
    assert "argon2" not in str(raised.value)


# --- where rows were lost ---------------------------------------------------------------------------------


def test_the_tables_that_have_lost_rows_are_found_worst_first(servers: PostgresServers) -> None:
    pair = Pair(servers.shared(), "service")
    assert find_scope(pair.backup, pair.live) == []
    pair.change("delete from organizations where id = 3")
    pair.change("insert into organizations (name, billing_email) values ('n1', 'a'), ('n2', 'b'), ('n3', 'c')")
    found = {loss.table: loss for loss in find_scope(pair.backup, pair.live)}
    now, then = pair.contents(), pair.contents(pair.backup.database)
    assert found["public.organizations"] == TableLoss("public.organizations", 4, 6, 1)
    assert found["public.messages"].missing == len(set(then["messages"]) - set(now["messages"]))
    lost = [loss.missing for loss in found.values()]
    assert lost == sorted(lost, key=lambda number: -(number or 0))
    assert "public.alembic_version" not in found


def test_too_many_rows_are_compared_by_their_number(servers: PostgresServers) -> None:
    pair = Pair(servers.shared(), "service")
    pair.change("delete from messages")
    with patch("lambdas.adapters.lost_rows.COMPARED_ROWS", 3):
        found = {loss.table: loss for loss in find_scope(pair.backup, pair.live)}
    assert found["public.messages"].missing is None
    assert found["public.messages"].live == 0
    assert "public.users" not in found


def test_tables_without_a_primary_key_and_those_that_have_changed_are_compared_too(servers: PostgresServers) -> None:
    pair = Pair(servers.shared(), "create table log (a int); insert into log values (1), (1), (2);"
        " create table gone (); create table rekeyed (id int primary key, b int);"
        " insert into rekeyed values (1, 1), (2, 2)")  # fmt: skip
    pair.change("delete from log where a = 2; drop table gone; alter table rekeyed drop constraint rekeyed_pkey;"
                " delete from rekeyed where id = 1")  # fmt: skip
    assert find_scope(pair.backup, pair.live) == [
        TableLoss("public.log", 3, 2, 1),
        TableLoss("public.rekeyed", 2, 1, None),
    ]


def test_tables_whose_names_hold_points_are_told_apart(servers: PostgresServers) -> None:
    names = ('"s.t"."u"', '"s"."t.u"', '"public"."a.b"')
    made = "".join(f"create table {name} (id int primary key);" for name in names)
    filled = "".join(f"insert into {name} values (1), (2);" for name in names)  # noqa: S608  # no input
    pair = Pair(servers.shared(), f'create schema "s.t"; create schema s; {made} {filled}')
    pair.change('delete from "s.t"."u"; delete from public."a.b" where id = 1')
    assert find_scope(pair.backup, pair.live) == [
        TableLoss('"s.t".u', 2, 0, 2),
        TableLoss('public."a.b"', 2, 1, 1),
    ]


def test_recent_activity_is_what_the_server_has_counted_and_no_query_is_quoted(servers: PostgresServers) -> None:
    pair = Pair(servers.shared(), "create table log (a int); insert into log select generate_series(1, 50);")
    pair.change("delete from log where a <= 40")
    until(lambda: any(each.deleted for each in recent_activity(pair.live)[0]), "the deletion is counted")
    (deletions,), _ = recent_activity(pair.live)
    assert (deletions.table, deletions.deleted) == ("public.log", 40)
    with servers.shared().connect(pair.live.database) as other, other.transaction():
        other.execute("set local application_name = 'admin tool'")
        other.execute("delete from log where a = 4711")
        _, (session,) = recent_activity(pair.live)
    assert (session.user, session.application, session.verb) == ("postgres", "admin tool", "DELETE")
    assert "4711" not in repr(session)
