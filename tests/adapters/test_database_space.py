"""Room on a server's disk, found out without the live database noticing; on a disk that is really full."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.postgres import PostgresServer
from lambdas.adapters.database_space import space_for
from lambdas.adapters.postgres import Login
from lambdas.domain.database_errors import DiskTooSmall
from lambdas.domain.database_space import SpaceFacts, check_space
from tests.servers.postgres import PostgresServers

MIB = 1024 * 1024
DISK = 256 * MIB


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A small disk of its own, for all that a server writes."""
    folder = tmp_path_factory.mktemp("disk")
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK},mode=755", "tmpfs", str(folder)]
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root may mount a small disk")
    if subprocess.run(command, capture_output=True, timeout=20, check=False).returncode:
        pytest.skip("root may not mount a small disk here")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], capture_output=True, timeout=20, check=True)


@pytest.fixture(scope="module", params=["17", "14"])
def server(request: pytest.FixtureRequest, disk: Path) -> Iterator[PostgresServer]:
    servers = PostgresServers(disk)
    started = servers.start(request.param, {"max_wal_size": "32MB", "wal_level": "replica", "shared_buffers": "16MB"})
    started.create_role("nobodys", "secret")
    yield started
    servers.stop()
    shutil.rmtree(started.data)


def login_of(server: PostgresServer) -> Login:
    return Login(server.host, server.port, "smtpy", "nobodys", "secret", server.authority.pem)


def free(disk: Path) -> int:
    found = os.statvfs(disk)
    return found.f_bavail * found.f_frsize


def test_where_there_is_room_it_is_taken_and_given_back(server: PostgresServer, disk: Path) -> None:
    before = free(disk)
    facts = space_for(login_of(server), 40 * MIB)
    assert facts == SpaceFacts(76 * MIB, 76 * MIB, "enough")  # a tenth more, and 32 MiB of log
    assert before - free(disk) < 2 * MIB
    check_space(server.host, facts)


def test_a_full_disk_is_found_before_a_restore_finds_it_and_the_server_goes_on(
    server: PostgresServer, disk: Path
) -> None:
    before, size = free(disk), DISK
    facts = space_for(login_of(server), size)
    assert facts.verdict == "full"
    assert before - 40 * MIB < facts.taken < before
    assert before - free(disk) < 2 * MIB
    server.query("create table after as select repeat('x', 1000) from generate_series(1, 1000)")
    server.query("drop table after")
    assert "PANIC" not in server.log
    with pytest.raises(DiskTooSmall, match=f"no room for {facts.wanted:,} bytes more: it took {facts.taken:,}"):
        check_space(server.host, facts)


def test_what_was_not_found_out_in_time_is_said_and_not_refused(server: PostgresServer, disk: Path) -> None:
    facts = space_for(login_of(server), 1024 * MIB, seconds=0)
    assert (facts.taken, facts.verdict) == (0, "out of time")
    check_space(server.host, facts)


def test_nothing_of_it_is_left_in_the_catalog(server: PostgresServer) -> None:
    space_for(login_of(server), MIB)
    assert server.query("select count(*) from pg_class where relname = 'mailark_space'") == [(0,)]
