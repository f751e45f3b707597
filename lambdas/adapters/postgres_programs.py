"""PostgreSQL's own programs: pg_dump, pg_dumpall and psql, of the server's major version, as streams.

Their layer puts them under `pgclient/<major>` of a folder that Python searches. Nothing secret stands in an argument,
and of what they say only the state of an error is kept: their texts may quote a row.
"""

import re
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from fcntl import F_SETPIPE_SZ, fcntl
from pathlib import Path
from typing import IO

from psycopg import errors

from lambdas.adapters.pipes import ahead
from lambdas.adapters.postgres import LOCK_SECONDS, WHEN_WE_DIE, Login, blocker_of, unreached
from lambdas.domain.database_errors import (
    DatabaseClientMissing,
    DatabaseDiskFull,
    DatabaseLocked,
    DatabaseUnreachable,
    DumpFailed,
    LoadFailed,
)
from lambdas.domain.database_manifest import DatabaseSource
from lambdas.domain.mailark_error import MailarkError

_PIECE = 1024 * 1024
"""Bytes, of a piece and of a pipe: the most that Linux gives without a privilege (`fs.pipe-max-size`)."""
_AHEAD = 4
"""Pieces of what is loaded that are ready before psql has room for them."""
_STOP_SECONDS = 10
_KEPT = 32 * 1024
_LOCK_TIMEOUT = re.compile(r"due to (?:statement|lock) timeout")
"""pg_dump waits for locks, and nothing else, under a statement timeout (PostgreSQL's source, pg_dump.c, getTables)."""
_NOT_REACHED = re.compile(
    r"^(?:psql: error: |(?:pg_dump|pg_dumpall): error: (?:could not translate|connection to server at))",
    re.MULTILINE,
)
_LOST = re.compile(
    r"connection to server was lost|closed the connection unexpectedly|terminating connection|SSL SYSCALL"
)
_DISK_FULL = "53100"
_STATE = re.compile(r"(?:ERROR|FATAL|PANIC):\s+([0-9A-Z]{5})\b")
_SAID = re.compile(r"^(?:pg_dump|pg_dumpall): (?:error|fatal): (?P<said>[^\n]*)", re.MULTILINE)


def client_program(major: int, name: str) -> str:
    """The path of a program. Raises `DatabaseClientMissing`."""
    for folder in sys.path:
        program = Path(folder) / "pgclient" / str(major) / "bin" / name
        if program.exists():
            return str(program)
    raise DatabaseClientMissing(major=major)


def dumped(
    login: Login,
    source: DatabaseSource,
    snapshot: str,
    restrict_key: str,
    seconds: float,
    unreadable: Sequence[str] = (),
) -> "ProgramOutput":
    """The whole database as SQL in its own encoding, as pg_dump sees it under an exported snapshot, within `seconds`.

    Of the tables in `unreadable` (`schema.name`) it holds no rows.

    Tablespaces are left out: they are disks of one server. It ends only when pg_dump has ended well and has told no
    error. Raises `DumpFailed`, `DatabaseLocked` and as `connected` does.
    """
    command = [client_program(source.major, "pg_dump"), "--format=plain", "--no-password", f"--snapshot={snapshot}"]
    command += [f"--encoding={source.encoding}", "--no-tablespaces"]
    command += [f"--lock-wait-timeout={round(LOCK_SECONDS * 1000)}", f"--restrict-key={restrict_key}"]
    command += [f"--exclude-table-data={pattern}" for table in unreadable for pattern in _patterns(table)]
    return ProgramOutput("pg_dump", command, login, seconds)


def _patterns(table: str) -> Iterator[str]:
    """A table as pg_dump's patterns name one (PostgreSQL manual, psql, "Patterns"): quoted, case kept.

    Each point in it may be the one between schema and name: a pattern that no table has is none to pg_dump.
    """
    parts = table.replace('"', '""').split(".")
    for place in range(1, len(parts)):
        yield f'"{".".join(parts[:place])}"."{".".join(parts[place:])}"'


def roles_of(login: Login, major: int, restrict_key: str, *, passwords: bool, seconds: float) -> bytes:
    """All roles and tablespaces of the server as SQL; hashes of passwords only if asked for. Raises as `dumped`."""
    command = [client_program(major, "pg_dumpall"), "--globals-only", "--no-password", f"--restrict-key={restrict_key}"]
    command += [] if passwords else ["--no-role-passwords"]  # and no --database, or it would not say why it fails
    return b"".join(ProgramOutput("pg_dumpall", command, login, seconds))


def load(login: Login, major: int, sql: Iterable[bytes], seconds: float) -> None:
    """Load SQL into a database with psql, in one transaction that ends only when `sql` does, within `seconds`.

    psql is never told to commit by the mere end of its input. But pg_dump puts large objects between a BEGIN and a
    COMMIT of their own, so that a load which fails after them leaves a part behind: load only what is thrown away
    then. Raises `LoadFailed`, `DatabaseDiskFull`, as `connected` does, and whatever `sql` raises.
    """
    command = [client_program(major, "psql"), "--no-psqlrc", "--quiet", "--no-password", "--output=/dev/null"]
    command += ["--variable=ON_ERROR_STOP=1", "--variable=VERBOSITY=sqlstate", "--file=-"]
    # What is loaded is thrown away, or verified and checkpointed by its server, before anybody relies on it.
    settings = {"synchronous_commit": "off", "maintenance_work_mem": "256MB", **_UNHINDERED}
    with _running(command, _environment(login, settings), seconds) as run:
        stdin = run.process.stdin
        assert stdin is not None
        try:
            _write(stdin, b"BEGIN;\n")
            with closing(ahead(sql, _AHEAD)) as pieces:
                for piece in pieces:
                    _write(stdin, piece)
            _write(stdin, b"\nCOMMIT;\n")
            stdin.close()
        except BrokenPipeError:  # psql has ended: why, it says
            run.kill()
        except BaseException:
            run.kill()
            raise
        said = run.end()
        if run.late:
            raise LoadFailed(database=login.database, problem=f"it took longer than {seconds:.0f} s")
        if run.process.returncode != 0:
            raise _load_failure(login, said, run.process.returncode)


_UNHINDERED = {
    "statement_timeout": "0",
    "lock_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "idle_session_timeout": "0",
    "default_transaction_read_only": "off",
    "IntervalStyle": "postgres",
    "array_nulls": "on",
    "transform_null_equals": "off",
    **WHEN_WE_DIE,
}
"""Whatever the server's, the database's and the role's own settings say, and the dump itself does not set."""

_AS_EVERYWHERE = {
    "TimeZone": "UTC",
    "bytea_output": "hex",
    "xmlbinary": "base64",
    "quote_all_identifiers": "off",
    "standard_conforming_strings": "on",
    **WHEN_WE_DIE,
}
"""What the text of a dump depends on, and pg_dump itself does not set: two servers write the same alike."""


def _environment(login: Login, settings: Mapping[str, str]) -> dict[str, str]:
    return login.environment | {"PGOPTIONS": " ".join(f"-c {name}={value}" for name, value in settings.items())}


def _write(stream: IO[bytes], piece: bytes) -> None:
    """All of it: a signal that arrives may cut one write short."""
    rest = memoryview(piece)
    while rest:
        rest = rest[stream.write(rest) :]


def _load_failure(login: Login, said: str, code: int) -> MailarkError:
    if _NOT_REACHED.search(said):
        return unreached(login, said)
    state = match[1] if (match := _STATE.search(said)) else ""
    if state == _DISK_FULL:
        return DatabaseDiskFull(host=login.host)
    if _LOST.search(said):
        return _lost(login)
    problem = f"{state}, {_kind(state)}" if state else f"psql ended with {code}"
    return LoadFailed(database=login.database, problem=problem)


def _kind(state: str) -> str:
    try:
        return errors.lookup(state).__name__
    except KeyError:
        return "of no known kind"


class ProgramOutput:
    """What a program writes, in pieces; it starts when the first one is asked for. To be read once.

    `close` ends the program, from any thread, and whatever it is waiting for.
    """

    def __init__(self, program: str, command: Sequence[str], login: Login, seconds: float) -> None:
        self._program, self._command, self._login, self._seconds = program, command, login, seconds
        self._run: _Run | None = None
        self._closed = False

    def __iter__(self) -> Iterator[bytes]:
        with _running(self._command, _environment(self._login, _AS_EVERYWHERE), self._seconds) as run:
            self._run = run
            if self._closed:
                run.kill()
            stdout = run.process.stdout
            assert stdout is not None
            with open(stdout.fileno(), "rb", closefd=False) as whole:  # a pipe alone gives what is there, however small
                while piece := whole.read(_PIECE):
                    yield piece
            said = run.end()
            if run.late:
                raise DumpFailed(program=self._program, problem=f"it took longer than {self._seconds:.0f} s")
            if run.process.returncode != 0 or _SAID.search(said):
                raise _dump_failure(self._program, self._login, said, run.process.returncode)

    def close(self) -> None:
        self._closed = True
        if self._run is not None:
            self._run.kill()


def _lost(login: Login) -> DatabaseUnreachable:
    return DatabaseUnreachable(host=login.host, port=login.port, problem="the connection broke")


def _dump_failure(program: str, login: Login, said: str, code: int) -> MailarkError:
    if _NOT_REACHED.search(said):
        return unreached(login, said)
    if _LOST.search(said):
        return _lost(login)
    if _LOCK_TIMEOUT.search(said):
        return DatabaseLocked(host=login.host, database=login.database, blocker=blocker_of(login))
    first = match["said"] if (match := _SAID.search(said)) else f"it ended with {code}"
    return DumpFailed(program=program, problem=first.partition(": ")[0][:200])


class _Run:
    """A program under way, what it says on its error output, and the clock that ends it."""

    def __init__(self, process: subprocess.Popen[bytes], seconds: float) -> None:
        self.process, self.late = process, False
        self._said, self._last = bytearray(), bytearray()
        assert process.stderr is not None
        self._listener = threading.Thread(target=self._listen, args=(process.stderr,), daemon=True)
        self._listener.start()
        self._clock = threading.Timer(seconds, self._out_of_time)
        self._clock.daemon = True
        self._clock.start()

    def _listen(self, stream: IO[bytes]) -> None:
        while piece := stream.read(4096):
            if len(self._said) < _KEPT:
                self._said += piece
            else:
                self._last = (self._last + piece)[-_KEPT:]

    def _out_of_time(self) -> None:
        self.late = True
        self.process.kill()

    def kill(self) -> None:
        self.process.kill()

    def end(self) -> str:
        """Wait for its end, which is near; what it has said."""
        self.process.wait()
        self._clock.cancel()
        self._listener.join(_STOP_SECONDS)
        return (self._said + self._last).decode(errors="replace")


@contextmanager
def _running(command: Sequence[str], environment: Mapping[str, str], seconds: float) -> Iterator[_Run]:
    """A program that does not outlive the block, nor `seconds`."""
    process = subprocess.Popen(  # noqa: S603  # our own arguments, from the estate's checked names
        command,
        env={"LC_ALL": "C", "TZ": "UTC", **environment},
        stdin=subprocess.PIPE if "--file=-" in command else subprocess.DEVNULL,
        stdout=subprocess.PIPE if "--file=-" not in command else subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        bufsize=0,
    )
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(OSError):  # one user may have so much of them: a small one is slower, and does
                fcntl(pipe, F_SETPIPE_SZ, _PIECE)
    run = _Run(process, max(1.0, seconds))
    try:
        yield run
    finally:
        if process.poll() is None:
            process.kill()
        run.end()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                with suppress(BrokenPipeError):  # what was still to be written is no longer wanted
                    stream.close()
