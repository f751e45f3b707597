"""Check the live database before a backup: it answers, is of the estate's version, and a dump fits into a function."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from lambdas.adapters.backup_store import BackupStore
from lambdas.adapters.catalog import Catalog
from lambdas.adapters.database_facts import source_of
from lambdas.adapters.database_target import database_target
from lambdas.adapters.lambda_handler import Run, action
from lambdas.adapters.postgres import connected
from lambdas.adapters.settings import Settings
from lambdas.adapters.signing import SigningKey
from lambdas.domain.database_manifest import DatabaseManifest
from lambdas.domain.database_time import LAST, Took, refuse_too_long, seconds_of_dump
from lambdas.domain.errors import BackupMisplaced, ManifestInvalid, ManifestMissing
from lambdas.domain.manifest import of_kind
from lambdas.domain.operation import Operation

_SECONDS = 30


@dataclass(frozen=True)
class CheckDatabase:
    operation: Operation


@dataclass(frozen=True)
class DatabaseChecked:
    """`size` in bytes, as the server stores it; `estimated_seconds` is what a dump will take."""

    host: str
    server_version: str
    size: int
    estimated_seconds: float


@action(CheckDatabase)
def handler(request: CheckDatabase, run: Run) -> DatabaseChecked:
    target = database_target(run.settings.region, request.operation)
    with connected(target.login, _SECONDS) as session:
        source, size = source_of(session, target.login.database)
    seconds = seconds_of_dump(size, _last(run.settings))
    refuse_too_long(f"A dump of {target.login.database}", seconds, size)
    return DatabaseChecked(target.login.host, source.server_version, size, round(seconds, 1))


def _last(settings: Settings) -> Iterator[Took]:
    """What the newest good dumps took, by their manifests; without those whose manifest is not what it was."""
    rows = Catalog(settings.region, settings["CATALOG_TABLE"]).rows()
    good = [row for row in rows if row.kind == "database" and row.is_good]
    store, signer = BackupStore(settings.region, settings["BACKUP_BUCKET"]), SigningKey(settings["EVIDENCE_KEY"])
    for row in good[:LAST]:
        # What is wrong with it is told by whoever reads that backup: tonight's is needed all the more.
        with suppress(BackupMisplaced, ManifestInvalid, ManifestMissing):
            manifest = of_kind(store.signed_manifest(row.id, row.key, signer, row.manifest_version), DatabaseManifest)
            yield Took(manifest.contents.size, manifest.dump_seconds)
