"""Read a stored backup back, all of it, and prove it to the level `intact`: nothing live is touched."""

from dataclasses import dataclass

from lambdas.adapters.backup_store import BackupStore
from lambdas.adapters.catalog import Catalog
from lambdas.adapters.envelope import Envelope
from lambdas.adapters.lambda_handler import Run, action
from lambdas.adapters.proof_record import record_proof
from lambdas.adapters.signing import SigningKey
from lambdas.domain.database_manifest import DatabaseManifest
from lambdas.domain.database_time import refuse_too_long, seconds_of_check
from lambdas.domain.operation import Operation
from lambdas.domain.proof import prove_intact


@dataclass(frozen=True)
class VerifyBackup:
    operation: Operation
    backup_id: str


@dataclass(frozen=True)
class BackupVerified:
    """`started_at` is the time whose data it holds."""

    backup_id: str
    started_at: str


@action(VerifyBackup)
def handler(request: VerifyBackup, run: Run) -> BackupVerified:
    settings = run.settings
    catalog = Catalog(settings.region, settings["CATALOG_TABLE"])
    row = catalog.get(request.backup_id)
    store = BackupStore(settings.region, settings["BACKUP_BUCKET"])
    manifest = store.signed_manifest(row.id, row.key, SigningKey(settings["EVIDENCE_KEY"]), row.manifest_version)
    if isinstance(manifest, DatabaseManifest):
        sql_size = manifest.contents.sql.size
        refuse_too_long(f"A proof of {row.id}", seconds_of_check(sql_size), sql_size)
    envelope = Envelope(settings["BACKUP_KEY"])
    prove_intact(manifest, store.read(row), lambda pieces: envelope.open(pieces, manifest.encryption.context))
    record_proof(catalog, store, request.operation, row.id, "intact")
    return BackupVerified(row.id, manifest.started_at)
