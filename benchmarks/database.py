"""A database dumped and restored, against PostgreSQL's own programs; the memory of both ways, and what a proof costs.

python -m benchmarks.database MB ... measures with so many MB of SQL instead, and keeps nothing.
"""

import platform
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import msgspec

from benchmarks.database_stream import SECONDS, Given, Told, peak_of
from benchmarks.deletion import deletions
from benchmarks.figures import Figure, figure, ratio, table
from benchmarks.stand_ins import CREDENTIALS, kms, s3
from infra.code import Platform
from infra.postgres_client import client_folder
from lab.aws import ROOT
from lab.certificates import CertificateAuthority
from lab.database import MAJOR
from lab.estate import make_offline_key
from lab.forwarding_service import load
from lab.lab import Progress
from lab.postgres import SUPERUSER, PostgresServer

_SIZES = (1000, 3000)
_ROUNDS = 3
"""At the first size; one at any other."""
_SOURCE, _TARGET = "smtpy", "mailark_test_smtpy"

_EIGHT_TIMES = 0.125
_OF_PG_DUMP = 1.33
_OF_PSQL = 1.11
_OF_SOURCE = 0.6
"""Goals, as times: 8 times as fast as `pg_dump | gzip`, 0.75 of the speed of `pg_dump`, 0.9 of that of `psql`."""
_FLAT, _MEMORY = 1.1, 350


@dataclass(frozen=True)
class Passed:
    """Seconds, and the most bytes that our process and its children had; `children` is the most of them at once.

    `work` are the CPU seconds of both.
    """

    seconds: float
    peak: int
    children: int
    work: float = 0.0

    @property
    def together(self) -> int:
        return self.peak + self.children


Taken = Mapping[str, Sequence[Passed]]
"""What each way took, round by round."""


def database(folder: Path, progress: Progress, sizes: Sequence[int] = _SIZES) -> list[Figure]:
    """Measure with so many MB of SQL, in interleaved rounds; sizes from the smallest up."""
    taken: dict[int, Taken] = {}
    with ExitStack() as stack:
        house = _House(folder, stack)
        for megabytes in sizes:
            taken[megabytes] = house.measure(megabytes, _ROUNDS if megabytes == sizes[0] else 1, progress)
        figures = [each for megabytes, ways in taken.items() for each in speed(label(megabytes), ways)]
        figures += memory(label(sizes[0]), taken[sizes[0]], label(sizes[-1]), taken[sizes[-1]])
        return [*figures, *deletions(house.server, sizes[0], progress)]


def label(megabytes: int) -> str:
    return f"{megabytes / 1000:g} GB" if megabytes >= 1000 else f"{megabytes} MB"


# --- figures --------------------------------------------------------------------------------------------


def speed(size: str, ways: Taken) -> Iterator[Figure]:
    """How fast a database of this size passed, as times that it took."""
    seconds = {way: [passed.seconds for passed in rounds] for way, rounds in ways.items()}
    for way, words in (("dump-alone", "sealed and stored"), ("dump", "the same with its proof")):
        name = f"Dump of {size}, {words}"
        yield ratio(name, seconds[way], seconds["gzip"], "the plan's `pg_dump \\| gzip` to a file", _EIGHT_TIMES)
        work = median(passed.work for passed in ways[way])
        told = f"`pg_dump > /dev/null` ({work:.1f} s of CPU in ours; server and stub share the cores)"
        yield ratio(f"{name}: against `pg_dump`", seconds[way], seconds["null"], told, _OF_PG_DUMP)
    alone = f"`pg_dump > /dev/null` (by one process of the server: {median(seconds['proof-alone']):.2f} s)"
    yield ratio(f"Proof of {size}: counts and checksums", seconds["proof"], seconds["null"], alone, _OF_SOURCE)
    loaded = "`psql` loading the same SQL from a file"
    yield ratio(
        f"Restore of {size}: read, opened, verified, loaded", seconds["restore"], seconds["psql"], loaded, _OF_PSQL
    )


def memory(small: str, few: Taken, large: str, many: Taken) -> Iterator[Figure]:
    """How much memory both ways took, and how it grew from the one size to the other."""
    for way, word, program in (("dump", "dump", "pg_dump"), ("restore", "restore", "psql")):
        least, most = (max(ways[way], key=lambda passed: passed.together) for ways in (few, many))
        against = f"{small}: {most.peak / 1e6:.0f} MB against {least.peak / 1e6:.0f} MB"
        yield figure(f"Peak of memory of a {word}, {large}", most.peak / least.peak, "×", against, _FLAT)
        told = f"{most.peak / 1e6:.0f} MB of ours and {most.children / 1e6:.0f} MB of {program}"
        yield figure(f"Peak of memory of a {word}, with {program}", most.together / 1e6, "MB", told, _MEMORY)


# --- measuring ------------------------------------------------------------------------------------------


@dataclass
class _House:
    """One server with a database to dump and one to load into, and what stands for AWS."""

    folder: Path
    stack: ExitStack
    server: PostgresServer = field(init=False)

    def __post_init__(self) -> None:
        self.folder.chmod(0o755)  # the server has a user of its own
        authority = CertificateAuthority(self.folder)
        self.server = PostgresServer("database", self.folder, authority, str(MAJOR), {"autovacuum": "off"})
        self.stack.callback(self.server.stop)
        self.server.start()
        self.server.wait_until_ready()
        endpoint, key = self.stack.enter_context(kms(self.folder))
        self._public_key, self._kms_key = make_offline_key(self.folder).public_pem, key
        self._programs = client_folder(_platform(), [str(MAJOR)]) / "python"
        self._environment = CREDENTIALS | {
            "PATH": "/usr/bin:/bin",
            "PYTHONPATH": f"{ROOT}:{self._programs}",
            "AWS_CA_BUNDLE": str(authority.file),
            "AWS_ENDPOINT_URL_S3": self.stack.enter_context(s3(self.folder, authority)),
            "AWS_ENDPOINT_URL_KMS": endpoint,
        }

    def measure(self, megabytes: int, rounds: int, progress: Progress) -> Taken:
        progress(f"Database: making {label(megabytes)}")
        self._fresh(_SOURCE)
        with self.server.connect(_SOURCE) as connection:
            load(connection, megabytes)
        plain, packed = self.folder / "plain.sql", self.folder / "packed.sql.gz"
        with plain.open("wb") as file:  # which also lets every page be read once
            subprocess.run(self._pg_dump, env=self._login, stdout=file, check=True, timeout=SECONDS)
        taken: dict[str, list[Passed]] = defaultdict(list)
        pg_dump = " ".join(self._pg_dump)
        for number in range(rounds):
            progress(f"Database: {label(megabytes)}, round {number + 1} of {rounds}")
            taken["gzip"].append(self._shell(f'{pg_dump} | gzip > "{packed}"'))
            taken["null"].append(self._shell(f"{pg_dump} > /dev/null"))
            for way in ("dump-alone", "dump", "proof", "proof-alone"):
                taken[way].append(self._ours(way, _SOURCE))
            self._fresh(_TARGET)
            taken["psql"].append(self._run([*self._psql, f"--file={plain}"], self._login | {"PGDATABASE": _TARGET}))
            self._fresh(_TARGET)
            taken["restore"].append(self._ours("restore", _TARGET))
        for name in (_SOURCE, _TARGET):
            self.server.drop_database(name)
        for left in (plain, packed):
            left.unlink()
        return taken

    def _fresh(self, name: str) -> None:
        self.server.drop_database(name)
        self.server.create_database(name)
        self.server.query("checkpoint")

    def _given(self, name: str) -> Given:
        server = self.server
        password, ca = server.superuser_password, server.authority.pem
        return Given(server.host, server.port, name, SUPERUSER, password, ca, self._kms_key, self._public_key)

    @property
    def _login(self) -> dict[str, str]:
        return {"PATH": "/usr/bin:/bin", "LC_ALL": "C", **self._given(_SOURCE).login.environment}

    @property
    def _pg_dump(self) -> list[str]:
        return [str(self._programs / "pgclient" / str(MAJOR) / "bin" / "pg_dump"), "--no-password"]

    @property
    def _psql(self) -> list[str]:
        options = ["--no-psqlrc", "--quiet", "--no-password", "--output=/dev/null", "--single-transaction"]
        return [self._pg_dump[0].replace("pg_dump", "psql"), *options, "--variable=ON_ERROR_STOP=1"]

    def _shell(self, script: str) -> Passed:
        return self._run(["bash", "-c", f"set -o pipefail; {script}"], self._login)

    def _ours(self, way: str, name: str) -> Passed:
        command = [sys.executable, "-m", "benchmarks.database_stream", way, str(self.folder / "manifest.json")]
        return self._run(command, self._environment, msgspec.json.encode(self._given(name)))

    @staticmethod
    def _run(command: list[str], environment: Mapping[str, str], given: bytes = b"") -> Passed:
        """Run a command to its end; one of ours tells of itself. Raises `RuntimeError` with what a failed one said."""
        began, children = time.monotonic(), 0
        with subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process:
            while True:
                try:
                    said, failed = process.communicate(given, timeout=0.2)
                    break
                except subprocess.TimeoutExpired:
                    given = b""
                    children = max(children, _children_of(process.pid))
                    if time.monotonic() > began + SECONDS:
                        process.kill()
        seconds = time.monotonic() - began
        if process.returncode != 0:
            raise RuntimeError(f"{' '.join(command)} failed: {failed.decode()[-2000:]}")
        told = msgspec.json.decode(said, type=Told) if said else Told(seconds, 0)
        return Passed(told.seconds, told.peak, children, told.work)


def _children_of(process: int) -> int:
    """The peaks of the children that a process has now, together, in bytes."""
    listed = [file.read_text() for file in Path(f"/proc/{process}/task").glob("*/children") if file.exists()]
    return sum(peak_of(child) for each in listed for child in each.split())


def _platform() -> Platform:
    machine = platform.machine()
    return Platform(".".join(platform.python_version_tuple()[:2]), {"aarch64": "arm64"}.get(machine, machine))


def main(arguments: Sequence[str]) -> int:
    """The command for trying; returns its exit code."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mailark-bench-") as folder:
        sizes = [int(each) for each in arguments]
        figures = database(
            Path(folder), lambda text: print(f"{time.monotonic() - began:6.0f} s  {text}", flush=True), sizes
        )
    print(f"\n{table(figures)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
