"""Deleted rows come back from a backup, on real servers: all that was deleted with them, and nothing else."""

import csv
import io
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from unittest.mock import patch

import psycopg
import pytest

from lab import forwarding_service
from lab.postgres import PostgresServer
from lambdas.adapters.postgres import connected
from lambdas.adapters.row_conflicts import RowConflicts
from lambdas.adapters.row_import import RowImport
from lambdas.adapters.row_recovery import Imported, export_rows, import_rows, plan_recovery
from lambdas.domain.database_errors import DatabaseLocked, DatabaseUnreachable
from lambdas.domain.foreign_keys import Table
from lambdas.domain.recovery_errors import (
    RecoveryCollided,
    RecoveryConflicts,
    RecoveryPlanChanged,
    RecoveryRefused,
    RecoverySchemaDiffers,
)
from lambdas.domain.recovery_plan import Conflict
from tests.adapters.recovery_world import Pair, counts, items, login_to
from tests.servers.postgres import PostgresServers, fresh_database

SERVICE = "service"
ORGANIZATION = "organizations where id = 2"
USER = "(select min(id) from users where organization_id = 2)"


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServers]:
    servers = PostgresServers(tmp_path_factory.mktemp("postgres"))
    yield servers
    servers.stop()


def loaded(server: PostgresServer) -> PostgresServer:
    """A server with the forwarding service's database, which tests copy."""
    fresh_database(server, SERVICE)
    with server.connect(SERVICE) as connection:
        forwarding_service.load(connection, megabytes=2)
        connection.execute("delete from security_events where organization_id = 2")
    return server


@pytest.fixture(scope="module")
def server(servers: PostgresServers) -> PostgresServer:
    return loaded(servers.shared())


@pytest.fixture
def service(server: PostgresServer) -> Pair:
    """The forwarding service's database and its backup, the same."""
    return Pair(server, SERVICE)


@pytest.fixture
def deleted(service: Pair) -> Pair:
    """The same, after an organization was deleted by mistake."""
    service.change("delete from organizations where id = 2")
    return service


# --- what comes back --------------------------------------------------------------------------------------


def test_an_organization_that_was_deleted_comes_back_byte_for_byte_with_all_that_the_cascade_took(
    deleted: Pair,
) -> None:
    lost = len(deleted.contents(deleted.backup.database)["messages"]) - len(deleted.contents()["messages"])
    plan = deleted.plan(ORGANIZATION)
    assert (plan.conflicts, plan.unlinked, plan.only_in_backup) == ([], {}, [])
    assert counts(plan).keys() >= {"organizations", "users", "domains", "aliases", "messages", "events", "sessions"}
    assert counts(plan)["messages"] == lost > 0
    assert not deleted.whole
    done = deleted.bring_back(ORGANIZATION)
    assert sum(done.rows.values()) == plan.rows
    assert next(iter(done.rows)) == "public.organizations"
    assert deleted.whole


def test_what_was_written_since_the_backup_stays_as_it_is(deleted: Pair) -> None:
    deleted.change("update organizations set name = 'Renamed' where id = 1; delete from api_keys where user_id = 1")
    deleted.change("insert into organizations (name, billing_email) values ('New', 'new@example.org')")
    before = deleted.contents()
    deleted.bring_back(ORGANIZATION)
    after = deleted.contents()
    assert all(set(before[table]) <= set(after[table]) for table in before)
    assert len(after["organizations"]) == len(before["organizations"]) + 1


def test_a_missing_row_of_a_live_parent_stays_away_unless_its_table_is_in_scope(deleted: Pair) -> None:
    deleted.change("delete from events where id in (select min(id) from events)")
    assert counts(deleted.plan("events"))["events"] == counts(deleted.plan(ORGANIZATION))["events"] + 1


def test_a_message_brings_what_it_refers_to_and_not_all_else_of_its_organization(deleted: Pair) -> None:
    plan = deleted.plan("messages where id = (select min(m.id) from messages m join domains d on d.id = domain_id"
                        " where organization_id = 2 and alias_id is not null)")  # fmt: skip
    brought = counts(plan)
    assert brought.pop("events", 0) < 20
    assert brought == {"organizations": 1, "domains": 1, "aliases": 1, "messages": 1}
    assert {table.table: table.parents for table in plan.tables if table.parents} == {
        "public.organizations": 1,
        "public.domains": 1,
        "public.aliases": 1,
    }


def test_several_tables_are_one_scope(deleted: Pair) -> None:
    both, all_of_it = (
        counts(deleted.plan("users where organization_id = 2", "domains where organization_id = 2")),
        counts(deleted.plan(ORGANIZATION)),
    )
    assert both.keys() == all_of_it.keys() - {"billing_webhook_events"}
    same = ("organizations", "users", "domains", "aliases", "messages", "sessions")
    assert [both[table] for table in same] == [all_of_it[table] for table in same]


def test_a_live_row_that_a_condition_names_gets_back_what_refers_to_it(service: Pair) -> None:
    service.change("delete from domains where organization_id = 2; delete from users where organization_id = 3")
    assert service.plan("organizations").nothing_missing
    assert counts(service.plan(ORGANIZATION)).keys() == {
        *("domains", "aliases", "forwarding_rules", "messages", "events"),
    }
    service.bring_back(ORGANIZATION)
    assert service.contents()["domains"] == service.contents(service.backup.database)["domains"]


def test_live_rows_that_lost_their_reference_are_counted_and_not_touched(service: Pair) -> None:
    service.change(f"delete from users where id = {USER}")  # noqa: S608  # constants of this file
    before = service.contents()["activity_logs"]
    plan = service.plan(f"users where id = {USER}")
    assert plan.unlinked.keys() == {"public.activity_logs (user_id)"}
    logged = f"select count(*) from activity_logs where user_id = {USER}"  # noqa: S608  # constants of this file
    assert [(plan.unlinked["public.activity_logs (user_id)"],)] == service.server.query(logged, service.backup.database)
    service.bring_back(f"users where id = {USER}")
    assert service.contents()["activity_logs"] == before


def test_the_sample_shows_keys_and_no_content_of_a_message(deleted: Pair) -> None:
    plan = deleted.plan(ORGANIZATION)
    (messages,) = (table for table in plan.tables if table.table == "public.messages")
    assert len(messages.sample) == 5
    for row in messages.sample:
        assert row["id"] is not None
        assert row["id"].isdigit()
        assert {row[name] for name in ("subject", "body", "headers", "attachment")} == {"(hidden)"}
        assert "@" in str(row["recipient"])


def test_the_backup_may_be_on_a_server_of_another_major_version(servers: PostgresServers, deleted: Pair) -> None:
    other = loaded(servers.shared("14"))
    deleted.backup = login_to(other, SERVICE)
    plan = deleted.plan(ORGANIZATION)
    import_rows(deleted.backup, deleted.live, items([ORGANIZATION]), plan.digest)
    there = Pair(other, SERVICE)
    assert deleted.contents() == there.contents()


# --- approved, and done once ------------------------------------------------------------------------------


def test_the_second_import_finds_nothing_missing_and_says_so(deleted: Pair) -> None:
    plan = deleted.plan(ORGANIZATION)
    first = import_rows(deleted.backup, deleted.live, items([ORGANIZATION]), plan.digest)
    second = import_rows(deleted.backup, deleted.live, items([ORGANIZATION]), plan.digest)
    assert (first.nothing_missing, second.nothing_missing) == (False, True)
    assert deleted.plan(ORGANIZATION).nothing_missing
    assert deleted.whole


def test_the_same_loss_has_the_same_digest_and_another_has_another(deleted: Pair) -> None:
    digest = deleted.plan(ORGANIZATION).digest
    assert deleted.plan(ORGANIZATION).digest == digest
    assert deleted.plan(ORGANIZATION, on_conflict="skip").digest != digest
    deleted.change("delete from organizations where id = 3")
    assert deleted.plan(ORGANIZATION).digest == digest
    assert deleted.plan("organizations where id in (2, 3)").digest != digest


def test_what_was_not_approved_is_not_imported(deleted: Pair) -> None:
    plan = deleted.plan(ORGANIZATION)
    before = deleted.contents()
    wider = "organizations where id in (1, 2, 3)"
    deleted.change("delete from organizations where id = 3")
    between = deleted.contents()
    with pytest.raises(RecoveryPlanChanged, match=plan.digest[:12]):
        import_rows(deleted.backup, deleted.live, items([wider]), plan.digest)
    assert deleted.contents() == between != before


def test_two_plans_with_as_many_rows_but_other_keys_are_not_the_same(service: Pair) -> None:
    service.change("delete from sessions where id = (select min(id::text)::uuid from sessions)")
    plan = service.plan("sessions")
    service.change("insert into sessions select * from sessions limit 0; delete from sessions where id in"
                   " (select id from sessions order by id::text limit 1)")  # fmt: skip
    assert service.plan("sessions").digest != plan.digest
    with pytest.raises(RecoveryPlanChanged):
        import_rows(service.backup, service.live, items(["sessions"]), plan.digest)


# --- conflicts --------------------------------------------------------------------------------------------


@pytest.fixture
def taken(deleted: Pair) -> Pair:
    """The e-mail address of a user that was deleted belongs to somebody else now."""
    query = f"select email from users where id = {USER}"  # noqa: S608  # constants of this file
    email = deleted.server.query(query, deleted.backup.database)[0][0]
    deleted.change(
        f"insert into users (id, organization_id, email, password_hash) values (70001, 1, '{email}', 'x')"  # noqa: S608  # constants of this file
    )
    return deleted


def test_an_e_mail_address_taken_since_is_a_conflict_and_nothing_is_imported(taken: Pair) -> None:
    before = taken.contents()
    plan = taken.plan(ORGANIZATION)
    (user,) = (each for each in plan.conflicts if each.table == "public.users")
    own = taken.server.query(f"select {USER}", taken.backup.database)[0][0]
    assert user == Conflict("public.users", {"id": str(own)}, "taken", "users_email_key", ["email"], {"id": "70001"})
    assert not plan.importable
    with pytest.raises(RecoveryConflicts, match=r"first public\.users \(taken: users_email_key\)\."):
        import_rows(taken.backup, taken.live, items([ORGANIZATION]), plan.digest)
    assert taken.contents() == before


def test_skip_leaves_out_the_row_in_conflict_and_all_that_depends_on_it(taken: Pair) -> None:
    plan = taken.plan(ORGANIZATION, on_conflict="skip")
    left = {table.table: table.left_out for table in plan.tables if table.left_out}
    assert left["public.users"] == 1
    assert left["public.sessions"] > 0
    assert {each.problem for each in plan.conflicts if each.table == "public.sessions"} == {"depends on one left out"}
    assert plan.conflict_count == sum(left.values()) == len(plan.conflicts)
    done = taken.bring_back(ORGANIZATION, on_conflict="skip")
    assert (sum(done.rows.values()), done.left_out) == (plan.rows, plan.conflict_count)
    for table, rows in taken.contents(taken.backup.database).items():
        here = set(taken.contents()[table])
        assert len(set(rows) - here) == left.get(f"public.{table}", 0)
    assert taken.ask("select organization_id from users where id = 70001") == [(1,)]
    again = taken.bring_back(ORGANIZATION, on_conflict="skip")
    assert again.nothing_missing
    assert again.left_out > 0


def test_rows_that_have_all_come_into_conflict_since_the_approval_are_not_what_was_approved(service: Pair) -> None:
    """Nothing could be inserted, as in a second run, and yet nothing of what was approved is live."""
    one_user = f"users where id = {USER}"
    service.change(f"delete from users where id = {USER}")  # noqa: S608  # ours
    plan = service.plan(one_user, on_conflict="skip")
    assert (plan.rows > 0, plan.conflict_count) == (True, 0)
    email = service.server.query(f"select email from users where id = {USER}", service.backup.database)[0][0]  # noqa: S608  # ours
    service.change(
        f"insert into users (id, organization_id, email, password_hash) values (70001, 1, '{email}', 'x')"  # noqa: S608  # ours
    )
    now = service.contents()
    with pytest.raises(RecoveryPlanChanged, match=plan.digest[:12]):
        import_rows(service.backup, service.live, items([one_user]), plan.digest, "skip")
    assert service.contents() == now


def test_a_row_whose_parent_is_nowhere_is_a_conflict(service: Pair) -> None:
    service.change("alter table events drop constraint events_message_id_fkey; delete from events")
    service.server.query(
        "alter table events drop constraint events_message_id_fkey;"
        " update events set message_id = 999999 where id = (select min(id) from events)",
        service.backup.database,
    )
    service.change("alter table events add foreign key (message_id) references messages on delete cascade")
    plan = service.plan("events")
    assert [(each.problem, each.constraint) for each in plan.conflicts] == [
        ("parent missing", "events_message_id_fkey")
    ]
    done = service.bring_back("events", on_conflict="skip")
    assert done.left_out == 1
    assert done.rows["public.events"] == len(service.contents(service.backup.database)["events"]) - 1


@pytest.mark.parametrize(
    ("index", "value"),
    [
        ("create unique index t on organizations (lower(name))", "'gONE'"),
        ("create unique index t on organizations (name, (settings ->> 'a')) where billing_email like '%@%'", "'Gone'"),
        ("create unique index t on organizations (name) include (settings)", "'Gone'"),
        ("alter table organizations add constraint t unique (name) deferrable initially deferred", "'Gone'"),
    ],
)  # fmt: skip
def test_a_unique_index_may_be_partial_or_of_expressions(service: Pair, index: str, value: str) -> None:
    insert = "insert into organizations (id, name, billing_email, settings) values ({}, {}, 'a@b', '{{\"a\": 1}}')"
    for database in (service.live.database, service.backup.database):
        service.server.query("update organizations set name = 'Gone ' || id", database)
        service.server.query(f"{index}; {insert.format(800, repr('Gone'))}", database)
    service.change("delete from organizations where id = 800")
    service.change(insert.format(801, value))
    (conflict,) = service.plan("organizations where id = 800").conflicts
    assert (conflict.constraint, conflict.key, conflict.live_key) == ("t", {"id": "800"}, {"id": "801"})


# --- all or nothing ---------------------------------------------------------------------------------------


def test_an_import_that_is_killed_in_the_middle_leaves_nothing_behind(deleted: Pair) -> None:
    deleted.live = replace(deleted.live, host="127.0.0.1")
    plan, before = deleted.plan(ORGANIZATION), deleted.contents()
    insert = RowImport._insert

    def cut(self: RowImport, table: Table, target: psycopg.sql.Identifier) -> None:
        if table.name == "messages":
            pid = self._live.connection.info.backend_pid
            deleted.server.query("select pg_terminate_backend(%s, 10000)", parameters=[pid])
        insert(self, table, target)

    with patch.object(RowImport, "_insert", cut), pytest.raises(DatabaseUnreachable, match=r"at 127\.0\.0\.1:"):
        import_rows(deleted.backup, deleted.live, items([ORGANIZATION]), plan.digest)
    assert deleted.contents() == before
    import_rows(deleted.backup, deleted.live, items([ORGANIZATION]), plan.digest)
    assert deleted.whole


def test_a_backup_that_is_lost_in_the_middle_is_named_and_leaves_nothing_behind(deleted: Pair) -> None:
    deleted.backup = replace(deleted.backup, host="127.0.0.1")
    plan, before = deleted.plan(ORGANIZATION), deleted.contents()
    insert = RowImport._insert

    def cut(self: RowImport, table: Table, target: psycopg.sql.Identifier) -> None:
        if table.name == "messages":
            pid = self._backup.connection.info.backend_pid
            deleted.server.query("select pg_terminate_backend(%s, 10000)", parameters=[pid])
        insert(self, table, target)

    with patch.object(RowImport, "_insert", cut), pytest.raises(DatabaseUnreachable, match=r"at 127\.0\.0\.1:"):
        import_rows(deleted.backup, deleted.live, items([ORGANIZATION]), plan.digest)
    assert deleted.contents() == before


def test_a_row_that_another_session_writes_meanwhile_is_not_overwritten(deleted: Pair) -> None:
    plan = deleted.plan(ORGANIZATION)
    insert = RowImport._insert
    other = "insert into organizations (id, name, billing_email) values (2, 'Mine', 'mine@example.org')"

    def beaten(self: RowImport, table: Table, target: psycopg.sql.Identifier) -> None:
        if table.name == "organizations":
            deleted.change(other)
        insert(self, table, target)

    taken = r"first public\.organizations \(its key is taken by another row since: organizations_pkey\)"
    with patch.object(RowImport, "_insert", beaten), pytest.raises(RecoveryConflicts, match=taken):
        import_rows(deleted.backup, deleted.live, items([ORGANIZATION]), plan.digest)
    assert deleted.ask("select name from organizations where id = 2") == [("Mine",)]
    assert deleted.ask("select 1 from users where organization_id = 2") == []


def test_two_imports_at_once_bring_the_rows_once(deleted: Pair) -> None:
    for database in (deleted.live.database, deleted.backup.database):
        statement = "alter table sessions drop constraint sessions_pkey; alter table sessions drop constraint {}"
        deleted.server.query(statement.format("sessions_token_hash_key"), database)
    plan, begin = deleted.plan(ORGANIZATION), threading.Barrier(2)

    def bring_back(_: int) -> Imported:
        begin.wait(20)
        return import_rows(deleted.backup, deleted.live, items([ORGANIZATION]), plan.digest)

    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(bring_back, range(2)))
    assert sorted(each.nothing_missing for each in done) == [False, True]
    assert deleted.whole


def test_a_unique_key_that_cannot_be_foreseen_is_named(deleted: Pair) -> None:
    query = "select email from users where organization_id = 2"
    email = deleted.server.query(query, deleted.backup.database)[0][0]
    values = f"(70001, 1, '{email}', 'x')"
    deleted.change(f"insert into users (id, organization_id, email, password_hash) values {values}")  # noqa: S608  # constants of this file
    with patch.object(RowConflicts, "find", return_value=0):
        plan = deleted.plan(ORGANIZATION)
        with pytest.raises(RecoveryRefused, match=r"public\.users \(23505, users_email_key\)"):
            import_rows(deleted.backup, deleted.live, items([ORGANIZATION]), plan.digest)
    assert deleted.ask("select 1 from organizations where id = 2") == []


def test_when_others_always_come_in_between_the_import_gives_up_after_a_few_attempts(deleted: Pair) -> None:
    plan, before = deleted.plan(ORGANIZATION), deleted.contents()
    with (
        patch.object(RowImport, "run", side_effect=psycopg.errors.SerializationFailure) as run,
        pytest.raises(RecoveryCollided),
    ):
        import_rows(deleted.backup, deleted.live, items([ORGANIZATION]), plan.digest)
    assert run.call_count == 3
    assert deleted.contents() == before


def test_who_holds_a_lock_is_named(deleted: Pair) -> None:
    plan = deleted.plan(ORGANIZATION)
    with (
        deleted.server.connect(deleted.live.database) as other,
        patch("lambdas.adapters.postgres.LOCK_SECONDS", 1),
        other.transaction(),
    ):
        other.execute("set local application_name = 'migration'; lock table domains in access exclusive mode")
        with pytest.raises(DatabaseLocked, match="migration of postgres"):
            import_rows(deleted.backup, deleted.live, items([ORGANIZATION]), plan.digest)


# --- CSV --------------------------------------------------------------------------------------------------


def test_an_export_is_csv_with_headers_that_copy_takes_back(deleted: Pair) -> None:
    scope, lost = items([ORGANIZATION]), counts(deleted.plan(ORGANIZATION))
    files = {table: b"".join(blocks) for table, blocks in export_rows(deleted.backup, deleted.live, scope)}
    assert {table.name for table in files} == lost.keys()
    for table, text in files.items():
        rows = list(csv.reader(io.StringIO(text.decode(), newline="")))
        assert rows[0][:1] in (["id"], ["version_num"])
        assert len(rows) - 1 == lost[table.name]
    assert deleted.plan(ORGANIZATION).rows == sum(lost.values())
    with connected(deleted.live) as connection:
        for table, text in files.items():
            header = text.partition(b"\n")[0].decode()
            with connection.cursor().copy(f"copy {table} ({header}) from stdin (format csv, header)".encode()) as copy:
                copy.write(text)
    assert deleted.whole


def test_an_export_may_be_read_where_the_columns_have_changed(deleted: Pair) -> None:
    deleted.change("alter table messages add column spam real")
    with pytest.raises(RecoverySchemaDiffers, match=r"public\.messages has no column spam in the backup"):
        plan_recovery(deleted.backup, deleted.live, items([ORGANIZATION]))
    exported = [table.name for table, _ in export_rows(deleted.backup, deleted.live, items([ORGANIZATION]))]
    assert "messages" in exported


def test_an_export_may_be_read_in_part(deleted: Pair) -> None:
    with patch("lambdas.adapters.recovery_session._BLOCK_BYTES", 100):
        export = export_rows(deleted.backup, deleted.live, items([ORGANIZATION]))
        begun = [next(blocks) for table, blocks in export if table.name in ("users", "messages")]
        assert [block.partition(b",")[0] for block in begun] == [b"id", b"id"]
        export = export_rows(deleted.backup, deleted.live, items([ORGANIZATION]))
        next(next(export)[1])
        export.close()  # type: ignore[attr-defined]
    connections = deleted.ask(
        "select count(*) from pg_stat_activity where datname like 'live%' and state like 'idle in%'"
    )
    assert connections == [(0,)]
