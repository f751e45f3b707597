"""`python -m lambdas.break_glass`, on a dump: with its object, its manifest and the PEM, a database is there again."""

import os
import stat
import sys
from pathlib import Path

import msgspec
import pytest

from lab.aws import ROOT
from lab.postgres import PostgresServer
from lambdas.adapters.signing import SigningKey
from tests.actions.database_house import DUMP, SECRET_SETTING, Databases, manifest_of
from tests.actions.house import Keys, SavedBackup
from tests.adapters.swap_world import rules
from tests.scenarios.commands import (
    COUNT_ROWS,
    INSPECT_DUMP,
    LOAD_DUMP,
    OPEN_DUMP,
    check_out,
    ended,
    environment_offline,
    failed,
    offline,
)
from tests.servers.postgres import PostgresServers

SQL = "smtpy_20261122_030000.sql"
FILES = (SQL, f"{SQL}.roles", f"{SQL}.settings")
_KEY = "--key offline-key.pem"


@pytest.fixture
def night(dumped: SavedBackup, keys: Keys, tmp_path: Path) -> Path:
    """A checkout with a dump's object and manifest, and the two keys; `break-glass` is there, as the page makes it."""
    check_out(tmp_path)
    (tmp_path / f"{DUMP}.enc").write_bytes(dumped.content)
    (tmp_path / f"{DUMP}.manifest.json").write_bytes(dumped.manifest)
    (tmp_path / "offline-key.pem").write_text(keys.offline_private)
    (tmp_path / "evidence.pem").write_text(SigningKey(keys.arn("evidence")).public_pem())
    python = tmp_path / "break-glass" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    return tmp_path


@pytest.fixture(scope="module")
def empty_server(postgres_servers: PostgresServers) -> PostgresServer:
    """A server that has never known the database nor its roles."""
    return postgres_servers.start()


def _superuser(server: PostgresServer) -> dict[str, str]:
    """What the page asks to set: how psql reaches the new server."""
    ca = server.data.parent / "ca.pem"
    ca.write_text(server.authority.pem)
    return {
        "PATH": f"{server.programs}:{os.environ['PATH']}",
        "PGHOST": server.host,
        "PGPORT": str(server.port),
        "PGUSER": "postgres",
        "PGPASSWORD": server.superuser_password,
        "PGSSLROOTCERT": str(ca),
    }


def test_a_lost_database_is_there_again_by_the_commands_of_the_page(
    night: Path, dumped: SavedBackup, databases: Databases, empty_server: PostgresServer
) -> None:
    databases.restart()
    there = _superuser(empty_server)
    assert "PostgreSQL 17." in offline(INSPECT_DUMP, night)
    offline(OPEN_DUMP, night)
    for command in LOAD_DUMP:
        offline(command, night, there)
    assert offline(COUNT_ROWS, night, there) == f"{manifest_of(dumped).contents.rows}\n"
    assert databases.contents(server=empty_server) == databases.contents("pattern")
    assert {table.name for table in manifest_of(dumped).contents.tables} == {*databases.contents("pattern")}
    assert empty_server.query("select count(*) from pg_roles where rolname = 'smtpy'") == [(1,)]
    assert rules(empty_server, "smtpy") == rules(databases.live, "smtpy")
    assert empty_server.query("show app.secret", "smtpy") == [(SECRET_SETTING,)]
    assert empty_server.query("select rolpassword from pg_authid where rolname = 'smtpy'") == [(None,)]


def test_inspect_says_what_a_dump_is_and_what_it_needs(night: Path, dumped: SavedBackup) -> None:
    manifest = manifest_of(dumped)
    lines = offline(INSPECT_DUMP, night).splitlines()
    said = {name: text.strip() for name, _, text in (line.partition(":") for line in lines)}
    source, contents = manifest.source, manifest.contents
    assert said["Backup"] == f"{DUMP} (daily)"
    assert said["Database"] == f"smtpy of PostgreSQL {source.server_version} ({source.system_identifier})"
    assert said["Encoding"].startswith("UTF8; libc locale: collate ")
    assert said["Needs"] == "roles postgres, smtpy; extensions plpgsql"
    assert said["Schema"] == "Alembic revision 9f3c1a7be204"
    assert said["Tables"] == f"{len(contents.tables)} with {contents.rows} rows, {contents.sql.size} bytes of SQL"
    assert said["Itself"] == "owner postgres; connection limit 90; settings app.secret, work_mem of smtpy"
    assert said["Sealed"] == "roles.sql, settings.json"
    assert said["Signature"] == "verified with evidence.pem"


def test_what_is_written_is_for_nobody_else_to_read(night: Path) -> None:
    offline(OPEN_DUMP, night)
    assert [stat.S_IMODE((night / name).stat().st_mode) for name in FILES] == [0o600] * 3


def test_a_dump_of_an_earlier_version_opens_and_says_that_it_has_no_settings(night: Path, dumped: SavedBackup) -> None:
    manifest = manifest_of(dumped)
    earlier = msgspec.structs.replace(manifest.contents, properties=msgspec.UNSET)
    (night / f"{DUMP}.manifest.json").write_bytes(msgspec.structs.replace(manifest, contents=earlier).encode())
    program = "break-glass/bin/python -m lambdas.break_glass"
    assert "\nItself:    not known: this dump is of an earlier version\n" in offline(
        f"{program} inspect {DUMP}.enc", night
    )
    done = ended(f"{program} open {DUMP}.enc {_KEY}", night, environment_offline(night))
    assert done.returncode == 0
    assert done.stderr.splitlines()[-1] == (
        "Owner, rights, limit and settings of the database itself are in no dump of the version that made it."
    )
    assert [(night / name).exists() for name in FILES] == [True, True, False]


def test_one_changed_byte_leaves_nothing_written(night: Path) -> None:
    content = bytearray((night / f"{DUMP}.enc").read_bytes())
    content[len(content) // 2] ^= 1
    (night / f"{DUMP}.enc").write_bytes(content)
    done = ended(OPEN_DUMP, night, environment_offline(night))
    assert done.returncode == 1
    assert f"{DUMP} is damaged: " in done.stderr
    told = [line.partition(":")[0] for line in done.stderr.splitlines()]
    assert told == ["Signature", "backup-damaged", "Next"], "a traceback helps nobody at night"
    assert not [*night.glob("*.sql*.part"), *(name for name in FILES if (night / name).exists())]


@pytest.mark.parametrize("command", ["start", "password"])
def test_what_is_for_a_vault_is_refused_for_a_dump(command: str, night: Path) -> None:
    tenant = " a-tenant" if command == "password" else ""
    line = f"break-glass/bin/python -m lambdas.break_glass {command} {DUMP}.enc {_KEY}{tenant}"
    assert failed(line, night, environment_offline(night)) == (
        f"{DUMP} is a dump of a database.\nNext: `open` writes its SQL, for psql.\n"
    )


def test_what_the_commands_write_is_ignored_by_git() -> None:
    ignored = (ROOT / ".gitignore").read_text().splitlines()
    assert {"*.sql.gz.enc", "*.sql.gz.manifest.json", "*.sql", "*.sql.roles", "*.sql.settings"} <= {*ignored}
