"""One way for a database to pass, in a process of its own, so that its peak of memory is known.

python -m benchmarks.database_stream dump|dump-alone|restore|proof|proof-alone FILE, with what it needs on its standard
input. FILE is the manifest that `dump` writes and `restore` reads.
"""

import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from pathlib import Path
from unittest.mock import patch

import msgspec
from msgspec import Struct

from lambdas.adapters import database_dump
from lambdas.adapters.backup_store import BackupStore
from lambdas.adapters.database_dump import new_restrict_key, take_dump
from lambdas.adapters.database_facts import fix_settings, large_object_facts, table_facts
from lambdas.adapters.envelope import Envelope
from lambdas.adapters.postgres import Login, connected
from lambdas.adapters.postgres_programs import load
from lambdas.domain.backup import MANIFEST_FORMAT, BackupName, Maker, WrappedKey
from lambdas.domain.database_manifest import GLOBALS, DatabaseManifest, TableFacts
from lambdas.domain.database_properties import SETTINGS
from lambdas.domain.manifest import row_of_manifest
from lambdas.domain.proof import proved_sql

SECONDS = 1800.0
_NAME = BackupName("database", "daily", datetime.fromisoformat("2026-11-22T03:00:00+00:00"), "smtpy")
_BUCKET = "benchmark"


class Given(Struct, frozen=True):
    """The database to dump, or to load into, and the keys of the envelope."""

    host: str
    port: int
    database: str
    user: str
    password: str
    ca: str
    kms_key: str
    public_key: str

    @property
    def login(self) -> Login:
        return Login(self.host, self.port, self.database, self.user, self.password, self.ca)


class Told(Struct, frozen=True):
    """Seconds that it took, the most bytes of memory that it had, and its and its children's CPU seconds."""

    seconds: float
    peak: int
    work: float = 0.0


def _dump(given: Given, file: Path) -> None:
    envelope, store = Envelope(given.kms_key, given.public_key), BackupStore(os.environ["AWS_REGION"], _BUCKET)
    with store.upload(_NAME.key) as upload:
        dump = take_dump(
            given.login,
            new_restrict_key(),
            WrappedKey(GLOBALS, {}, ""),
            lambda _: WrappedKey(SETTINGS, {}, ""),
            lambda pieces: envelope.seal(pieces, _NAME.encryption_context),
            upload.write,
            SECONDS,
        )
        upload.complete()
    manifest = DatabaseManifest(
        format=MANIFEST_FORMAT,
        backup_id=_NAME.id,
        kind=_NAME.kind,
        series=_NAME.series,
        key=_NAME.key,
        started_at=_NAME.started_at.isoformat(),
        finished_at=_NAME.started_at.isoformat(),
        plaintext=dump.plaintext,
        ciphertext=dump.ciphertext,
        encryption=envelope.description(_NAME.encryption_context),
        made_by=Maker("benchmark", "benchmark", store.region),
        source=dump.source,
        contents=dump.contents,
    )
    file.write_bytes(manifest.encode())


def _dump_alone(given: Given, file: Path) -> None:
    """The same, without counting rows and without their checksums."""

    def none(*_: object) -> Iterator[TableFacts]:
        return iter(())

    with patch.object(database_dump, "table_facts", none):
        _dump(given, file)


def _restore(given: Given, file: Path) -> None:
    manifest = msgspec.json.decode(file.read_bytes(), type=DatabaseManifest)
    envelope, store = Envelope(given.kms_key), BackupStore(os.environ["AWS_REGION"], _BUCKET)

    def opened(pieces: Iterable[bytes]) -> Iterator[bytes]:
        return envelope.open(pieces, manifest.encryption.context)

    sql = proved_sql(manifest, store.read(row_of_manifest(manifest, "1", "1")), opened)
    load(given.login, manifest.source.major, sql, SECONDS)


def _proof(given: Given, _: Path, *settings: str) -> None:
    with connected(given.login, SECONDS) as session:
        fix_settings(session)
        for setting in settings:
            session.execute(setting.encode())
        session.execute("begin isolation level repeatable read read only")
        list(table_facts(session))
        large_object_facts(session)


def _proof_alone(given: Given, file: Path) -> None:
    """The same by one process of the server."""
    _proof(given, file, "set max_parallel_workers_per_gather = 0")


_WAYS: dict[str, Callable[[Given, Path], None]] = {
    "dump": _dump,
    "dump-alone": _dump_alone,
    "restore": _restore,
    "proof": _proof,
    "proof-alone": _proof_alone,
}


def main(way: str, file: str) -> None:
    """Pass the database, and print what is told of it."""
    given = msgspec.json.decode(sys.stdin.buffer.read(), type=Given)
    began, worked = time.monotonic(), _work()
    _WAYS[way](given, Path(file))
    told = Told(time.monotonic() - began, peak_of("self"), _work() - worked)
    print(msgspec.json.encode(told).decode())


def _work() -> float:
    """CPU seconds of this process and of its children that have ended."""
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


def peak_of(process: int | str) -> int:
    """The most resident memory that a process has had, in bytes; 0 for one that is gone."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), 0)


if __name__ == "__main__":
    main(*sys.argv[1:])
