"""The forwarding service's database: of the size asked for, the same for the same seed, and whole."""

import subprocess
import zlib
from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql

from lab.forwarding_service import ALEMBIC_REVISION, SERVICE, grant_to_service, load
from lab.mail_text import MailText
from lab.postgres import PostgresServer
from tests.servers.postgres import PostgresServers, fresh_database

SMALL = 2.0
_CHILDREN = """
    SELECT (SELECT count(*) FROM users), (SELECT count(*) FROM domains), (SELECT count(*) FROM aliases),
           (SELECT count(*) FROM messages), (SELECT count(*) FROM events)
"""


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServers]:
    made = PostgresServers(tmp_path_factory.mktemp("postgres"))
    yield made
    made.stop()


@pytest.fixture(scope="module")
def server(servers: PostgresServers) -> PostgresServer:
    return servers.shared()


def _loaded(server: PostgresServer, name: str, megabytes: float = SMALL, seed: int = 1) -> dict[str, int]:
    fresh_database(server, name)
    with server.connect(name) as connection:
        return load(connection, megabytes, seed)


def _dump(server: PostgresServer, name: str) -> bytes:
    command = [str(server.programs / "pg_dump"), f"--dbname={server.connection_string(name)}", "--restrict-key=same"]
    environment = {"PGPASSWORD": server.superuser_password}
    return subprocess.run(command, env=environment, capture_output=True, timeout=60, check=True).stdout


def test_a_plain_dump_is_of_the_size_that_was_asked_for_and_compresses_as_mail_does(server: PostgresServer) -> None:
    _loaded(server, "sized", megabytes=20)
    dump = _dump(server, "sized")
    assert 18_000_000 < len(dump) < 22_000_000
    assert 0.3 < len(zlib.compress(dump, 6)) / len(dump) < 0.5


def test_the_same_seed_gives_the_same_bytes_and_another_gives_others(server: PostgresServer) -> None:
    counts = [_loaded(server, name, seed=seed) for name, seed in (("first", 1), ("second", 1), ("third", 2))]
    first, second, third = (_dump(server, name) for name in ("first", "second", "third"))
    assert counts[0] == counts[1]
    assert first == second
    assert first != third


def test_words_depend_on_the_seed_alone() -> None:
    text = MailText("a seed")
    assert [text.name(), *text.several(4)] == ["wearpisthaid", "for", "floux", "tong", "brurtcedbraé"]


@pytest.mark.parametrize("major", ["14", "18"])
def test_older_and_newer_servers_take_it_too(servers: PostgresServers, major: str) -> None:
    counts = _loaded(servers.shared(major), "smtpy")
    assert counts["messages"] > 1_000
    assert servers.shared(major).query("SELECT version_num FROM alembic_version", "smtpy") == [(ALEMBIC_REVISION,)]


def test_the_counts_are_those_of_the_tables(server: PostgresServer) -> None:
    counts = _loaded(server, "counted")
    with server.connect("counted") as connection:
        count = sql.SQL("SELECT count(*) FROM {}")
        found = {table: connection.execute(count.format(sql.Identifier(table))).fetchone() for table in counts}
    assert found == {table: (rows,) for table, rows in counts.items()}
    assert all(counts.values())


def test_an_organization_goes_with_all_that_is_its_own_and_with_nothing_else(server: PostgresServer) -> None:
    _loaded(server, "cascading")
    own = "SELECT count(*) FROM messages JOIN domains ON domains.id = domain_id WHERE organization_id"
    ((all_before,),) = server.query("SELECT count(*) FROM messages", "cascading")
    ((own_before,),) = server.query(f"{own} = 1", "cascading")
    assert 0 < own_before < all_before
    server.query("DELETE FROM organizations WHERE id = 1", "cascading")
    assert server.query(f"{own} = 1", "cascading") == [(0,)]
    assert server.query("SELECT count(*) FROM messages", "cascading") == [(all_before - own_before,)]
    server.query("DELETE FROM organizations", "cascading")
    assert server.query(_CHILDREN, "cascading") == [(0, 0, 0, 0, 0)]


def test_messages_outlive_their_alias(server: PostgresServer) -> None:
    counts = _loaded(server, "outliving")
    server.query("DELETE FROM aliases", "outliving")
    ((left, without),) = server.query(
        "SELECT count(*), count(*) FILTER (WHERE alias_id IS NULL) FROM messages", "outliving"
    )
    assert (left, without) == (counts["messages"], counts["messages"])


def test_the_next_row_gets_the_next_number(server: PostgresServer) -> None:
    counts = _loaded(server, "numbered")
    with server.connect("numbered") as connection:
        new = connection.execute(
            "INSERT INTO aliases (domain_id, local_part, targets) VALUES (1, 'new', '{}') RETURNING id"
        ).fetchone()
        event = connection.execute("SELECT nextval('events_id_seq')").fetchone()
    assert (new, event) == ((counts["aliases"] + 1,), (counts["events"] + 1,))


@pytest.mark.parametrize(
    ("statement", "error"),
    [
        (
            "INSERT INTO users (organization_id, email, password_hash) SELECT 1, email, '' FROM users LIMIT 1",
            "users_email",
        ),
        ("INSERT INTO domains (organization_id, name) SELECT 1, name FROM domains LIMIT 1", "domains_name"),
        (
            "INSERT INTO aliases (domain_id, local_part, targets)"
            " SELECT domain_id, local_part, '{}' FROM aliases LIMIT 1",
            "aliases_domain_id_local_part",
        ),
    ],
)
def test_what_must_be_unique_is(server: PostgresServer, statement: str, error: str) -> None:
    _loaded(server, "unique", megabytes=0.5)
    with pytest.raises(psycopg.errors.UniqueViolation, match=error):
        server.query(statement, "unique")


def test_the_service_reads_and_writes_rows_and_can_change_no_table(server: PostgresServer) -> None:
    _loaded(server, "served", megabytes=0.5)
    with server.connect("served") as connection:
        grant_to_service(connection, "first password")
        grant_to_service(connection, "password")
    with server.connect("served", SERVICE, "password") as service:
        service.execute("INSERT INTO aliases (domain_id, local_part, targets) VALUES (1, 'new', '{}')")
        service.execute("INSERT INTO organizations (name, billing_email) VALUES ('new', 'new@example.org')")
        service.execute("UPDATE messages SET status = 'bounced' WHERE id = 1")
        service.execute("DELETE FROM messages WHERE id = 1")
        for refused in ("DROP TABLE users", "TRUNCATE users", "ALTER TABLE users ADD x int", "CREATE ROLE other"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                service.execute(refused.encode())
    assert server.query("SELECT count(*) FROM pg_class WHERE pg_get_userbyid(relowner) = 'smtpy'", "served") == [(0,)]
