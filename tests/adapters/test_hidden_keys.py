"""A key that is a secret itself: whoever reads the preview or the list of conflicts could log in with it."""

from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import sha256

import pytest

from lab.postgres import PostgresServer
from lambdas.domain.recovery_plan import conflicts_csv
from lambdas.domain.recovery_text import preview_text
from tests.adapters.recovery_world import Pair
from tests.servers.postgres import PostgresServers

SCHEMA = """
create table users (id int primary key, name text unique);
create table sessions (session_key text primary key, user_id int references users on delete cascade, seat int unique);
create table visits (id int primary key, by_whom text not null references sessions on delete cascade);
create table pages (whose text primary key references sessions on delete cascade);
create table letters (raw text primary key, eml bytea, author int references users on delete cascade);
insert into users values (1, 'a'), (2, 'b');
insert into sessions values ('s3cret-one', 1, 1), ('s3cret-two', 1, 2), ('s3cret-three', 1, 3), ('s3cret-four', 2, 4);
insert into visits values (10, 's3cret-one'), (20, 's3cret-two'), (30, 's3cret-three');
insert into pages values ('s3cret-one'), ('s3cret-two'), ('s3cret-three');
insert into letters values ('Dear s3cret', 's3cret', 1);
"""

FROM, DELETED_AT = "2026-11-22T03:00:00+00:00", datetime(2026, 11, 22, 9, 15, tzinfo=UTC)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    servers = PostgresServers(tmp_path_factory.mktemp("postgres"))
    yield servers.shared()
    servers.stop()


def short(secret: str) -> str:
    return f"hash {sha256(secret.encode()).hexdigest()[:12]}"


def test_of_a_key_that_is_a_secret_nothing_but_a_short_hash_is_shown(server: PostgresServer) -> None:
    pair = Pair(server, SCHEMA)
    pair.change("delete from users where id = 1")
    plan = pair.plan("users where id = 1")
    sample = {table.table: table.sample for table in plan.tables}
    shown = {row["session_key"] for row in sample["public.sessions"]}
    assert shown == {short("s3cret-one"), short("s3cret-two"), short("s3cret-three")}
    assert sample["public.letters"] == [{"raw": short("Dear s3cret"), "eml": "(hidden)", "author": "1"}]
    text = preview_text(plan, "smtpy", "dump", FROM, DELETED_AT)
    assert f"session_key={short('s3cret-one')}, user_id=1, seat=1" in text
    assert "s3cret" not in text


def test_nor_is_it_shown_where_another_table_refers_to_it(server: PostgresServer) -> None:
    pair = Pair(server, SCHEMA)
    pair.change("delete from users where id = 1")
    tables = {table.table: table.sample for table in pair.plan("users where id = 1").tables}
    assert tables["public.visits"][0] == {"id": "10", "by_whom": "(hidden)"}
    assert {row["whose"] for row in tables["public.pages"]} >= {short("s3cret-one")}


def test_no_conflict_tells_it_either(server: PostgresServer) -> None:
    pair = Pair(server, SCHEMA)
    pair.change("delete from users where id = 1; insert into sessions values ('s3cret-one', 2, 1)")
    pair.change("insert into sessions values ('s3cret-new', 2, 2)")
    plan = pair.plan("users where id = 1")
    assert {each.problem for each in plan.conflicts} == {
        "taken",
        "depends on one left out",
        "its key is taken by another row since",
    }
    (taken,) = (each for each in plan.conflicts if each.problem == "taken")
    assert (taken.key, taken.live_key) == (
        {"session_key": short("s3cret-two")},
        {"session_key": short("s3cret-new")},
    )
    assert "s3cret" not in conflicts_csv(plan.conflicts)
    assert "s3cret" not in preview_text(plan, "smtpy", "dump", FROM, DELETED_AT)
