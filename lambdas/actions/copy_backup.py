"""Copy a backup to the other region, and prove the copy there with that region's own keys."""

import dataclasses
from contextlib import suppress
from dataclasses import dataclass

from lambdas.adapters.backup_locks import BackupLocks
from lambdas.adapters.backup_store import BackupStore
from lambdas.adapters.catalog import Catalog
from lambdas.adapters.envelope import Envelope
from lambdas.adapters.estate_parameter import read_estate
from lambdas.adapters.lambda_handler import Run, action
from lambdas.adapters.proof_record import record_copy
from lambdas.adapters.signing import SigningKey
from lambdas.domain.errors import BackupDamaged, CopyNotProved, StorageRefused
from lambdas.domain.operation import Operation
from lambdas.domain.proof import prove_intact
from lambdas.domain.retention import COPY_RULES, first_lock


@dataclass(frozen=True)
class CopyBackup:
    operation: Operation
    backup_id: str


@dataclass(frozen=True)
class BackupCopied:
    region: str
    version_id: str


@action(CopyBackup)
def handler(request: CopyBackup, run: Run) -> BackupCopied:
    settings = run.settings
    estate = read_estate(settings.region)
    other_region = estate.other_region(settings.region)
    catalog = Catalog(settings.region, settings["CATALOG_TABLE"])
    row = catalog.get(request.backup_id)
    here = BackupStore(settings.region, settings["BACKUP_BUCKET"])
    try:
        there = BackupStore(other_region, settings["OTHER_BACKUP_BUCKET"])
        copied = there.copy_from(here, row)
        # The second store's copy is made from here, and so is its status.
        copied = dataclasses.replace(copied, proof="intact", copy="intact", second_copy="none")
        manifest = there.signed_manifest(
            row.id, row.key, SigningKey(settings["OTHER_EVIDENCE_KEY"]), copied.manifest_version
        )
        envelope = Envelope(settings["OTHER_BACKUP_KEY"])
        try:
            prove_intact(
                manifest, there.read(copied), lambda pieces: envelope.open(pieces, manifest.encryption.context)
            )
        except BackupDamaged as damage:
            problem = str(damage).partition("\n")[0].partition(": ")[2]
            raise CopyNotProved(backup_id=row.id, region=other_region, problem=problem) from None
        there.keep_status(copied)
        Catalog(other_region, settings["CATALOG_TABLE"]).put(copied)
        locks = BackupLocks(other_region, settings["OTHER_BACKUP_BUCKET"], estate.object_lock)
        locks.lock_backup(copied, first_lock(COPY_RULES[row.kind], run.now()))
    except Exception:
        failed = catalog.set_copy(row.id, "failed")
        with suppress(StorageRefused):  # the first error is the one to tell
            here.keep_status(failed)
        raise
    record_copy(catalog, here, row.id, "intact")
    return BackupCopied(other_region, copied.version_id)
