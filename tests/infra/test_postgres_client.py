"""The layer of PostgreSQL's client programs: complete, for Lambda's processors and its glibc, and it speaks TLS."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from aws_cdk import App, Stack
from aws_cdk.assertions import Template
from psycopg.conninfo import make_conninfo

from infra.code import Platform
from infra.postgres_client import PROGRAMS, client_folder, postgres_client_layer
from infra.postgres_wheels import MAJORS
from lab.certificates import CertificateAuthority
from lab.postgres import PostgresServer
from tests.servers.postgres import PostgresServers, fresh_database

HERE = Platform(
    f"{sys.version_info.major}.{sys.version_info.minor}", "arm64" if os.uname().machine == "aarch64" else "x86_64"
)
_ELF_MACHINES = {"x86_64": 62, "arm64": 183}
"""Bytes 18 and 19 of an ELF file, from elf.h: EM_X86_64 and EM_AARCH64."""
_RESTRICT = "a" * 32


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServers]:
    made = PostgresServers(tmp_path_factory.mktemp("postgres"))
    yield made
    made.stop()


def _program(name: str, major: str) -> Path:
    return client_folder(HERE, MAJORS) / "python" / "pgclient" / major / "bin" / name


def _run(
    name: str, server: PostgresServer, *arguments: str, ca: Path | None = None, text: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run a client of the server's own major version, with nothing but its password in its environment."""
    where = make_conninfo(server.connection_string("mail"), sslrootcert=str(ca or server.authority.file))
    command = [str(_program(name, server.major)), f"--dbname={where}", *arguments]
    environment = {"PGPASSWORD": server.superuser_password}
    return subprocess.run(command, env=environment, input=text, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("major", MAJORS)
@pytest.mark.parametrize("name", PROGRAMS)
def test_every_program_runs_without_anything_from_its_surroundings(major: str, name: str) -> None:
    done = subprocess.run([_program(name, major), "--version"], env={}, capture_output=True, timeout=20, check=True)
    assert done.stdout.decode().startswith(f"{name} (PostgreSQL) {major}.")


@pytest.mark.parametrize("major", MAJORS)
def test_no_program_takes_a_library_from_the_system_but_glibc(major: str) -> None:
    for name in PROGRAMS:
        listed = subprocess.run(["ldd", _program(name, major)], capture_output=True, text=True, timeout=20, check=True)
        found = re.findall(r"(\S+) => (\S+)", listed.stdout)
        foreign = {library for library, path in found if f"pgclient/{major}/" not in path}
        assert foreign <= {"libc.so.6", "libm.so.6", "libresolv.so.2"}


@pytest.mark.parametrize("architecture", ["arm64", "x86_64"])
def test_all_files_are_for_the_processor_and_for_the_glibc_of_amazon_linux_2023(architecture: str) -> None:
    folder = client_folder(Platform("3.13", architecture), ["16", "17"])
    files = [path for path in folder.rglob("*") if path.parent.name in ("bin", "lib") and path.is_file()]
    assert len(files) == 2 * 19
    for file in files:
        content = file.read_bytes()
        assert int.from_bytes(content[18:20], "little") == _ELF_MACHINES[architecture], file
        assert max(map(int, re.findall(rb"GLIBC_2\.(\d+)", content)), default=0) <= 34, file
        if file.parent.name == "bin":
            assert os.access(file, os.X_OK), file


@pytest.mark.parametrize("major", MAJORS)
def test_a_dump_by_the_layer_s_client_is_loaded_again_by_its_psql(servers: PostgresServers, major: str) -> None:
    server = servers.shared(major)
    fresh_database(server, "mail")
    server.query("CREATE TABLE aliases AS SELECT 'info' AS local_part", "mail")
    dump = _run("pg_dump", server, f"--restrict-key={_RESTRICT}")
    assert dump.returncode == 0, dump.stderr
    assert f"\\restrict {_RESTRICT}" in dump.stdout
    fresh_database(server, "mail")
    load = _run("psql", server, "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", text=dump.stdout)
    assert load.returncode == 0, load.stderr
    assert server.query("SELECT local_part FROM aliases", "mail") == [("info",)]


def test_pg_dump_refuses_a_server_whose_certificate_another_ca_signed(servers: PostgresServers, tmp_path: Path) -> None:
    server = servers.shared()
    fresh_database(server, "mail")
    refused = _run("pg_dump", server, ca=CertificateAuthority(tmp_path).file)
    assert refused.returncode != 0
    assert "certificate verify failed" in refused.stderr
    assert refused.stdout == ""


def test_the_content_is_made_once_whatever_the_order_of_the_versions() -> None:
    first = client_folder(HERE, ["17", "16"])
    changed = first.stat().st_mtime_ns
    assert client_folder(HERE, ["16", "17", "16"]) == first
    assert first.stat().st_mtime_ns == changed
    assert client_folder(HERE, ["17"]) != first


def test_a_version_that_cannot_be_had_is_refused() -> None:
    with pytest.raises(KeyError, match="13"):
        client_folder(HERE, ["13"])


def test_the_layer_is_for_the_platform_and_names_its_versions() -> None:
    stack = Stack(App(), "Test")
    postgres_client_layer(stack, Platform("3.13", "arm64"), ["17", "16"])
    Template.from_stack(stack).has_resource_properties(
        "AWS::Lambda::LayerVersion",
        {
            "CompatibleArchitectures": ["arm64"],
            "CompatibleRuntimes": ["python3.13"],
            "Description": "Client programs of PostgreSQL 16, 17",
        },
    )
