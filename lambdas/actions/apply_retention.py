"""Apply the retention rule in one region: lock what is kept, delete what is not, mend what crashes left behind."""

from dataclasses import dataclass, field, replace
from datetime import datetime

from lambdas.adapters.backup_locks import BackupLocks
from lambdas.adapters.backup_store import BackupStore
from lambdas.adapters.catalog import Catalog
from lambdas.adapters.deletion_record import record_deletion
from lambdas.adapters.estate_parameter import read_estate
from lambdas.adapters.found_backups import find_backups
from lambdas.adapters.lambda_handler import Run, action
from lambdas.adapters.leases import Leases
from lambdas.adapters.signing import SigningKey
from lambdas.domain.backup import reaches
from lambdas.domain.errors import BackupsVanished
from lambdas.domain.operation import Operation
from lambdas.domain.orphans import SETTLED, not_there, orphans, unlisted
from lambdas.domain.retention import RULES, plan_retention
from lambdas.domain.scenarios import SCENARIOS

_READERS = {"vault": ("vault_restore", "vault_restore_test")}
"""The scenarios that may be reading a backup of a kind: nothing is deleted under their hands."""


@dataclass(frozen=True)
class ApplyRetention:
    """`copies` means the other region: its own catalog decides there."""

    operation: Operation
    kind: str
    copies: bool = False


@dataclass(frozen=True)
class BackupKept:
    """A backup that stays, why, and until when S3 shows it locked."""

    backup_id: str
    reasons: list[str]
    locked_until: datetime


@dataclass(frozen=True)
class RetentionApplied:
    """What was done in a region.

    `added` had a manifest and no row, and `unusable` says what is wrong with those that could not be added.
    `still_locked` would have been deleted and waits for its lock to end; `deferred_by` has put all deletion off.
    """

    region: str
    kept: list[BackupKept]
    added: list[str] = field(default_factory=list)
    unusable: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    still_locked: list[str] = field(default_factory=list)
    orphans: list[str] = field(default_factory=list)
    uploads_aborted: int = 0
    deferred_by: str | None = None


@action(ApplyRetention)
def handler(request: ApplyRetention, run: Run) -> RetentionApplied:
    settings, now = run.settings, run.now()
    estate = read_estate(settings.region)
    region, bucket = settings.region, settings["BACKUP_BUCKET"]
    if request.copies:
        region, bucket = estate.other_region(settings.region), settings["OTHER_BACKUP_BUCKET"]
    prefix = f"{request.kind}/"
    store, catalog = BackupStore(region, bucket), Catalog(region, settings["CATALOG_TABLE"])
    signer = SigningKey(settings["OTHER_EVIDENCE_KEY" if request.copies else "EVIDENCE_KEY"])
    locks = BackupLocks(region, bucket, estate.object_lock)
    readers = Leases(region, settings["LEASES_TABLE"])
    with Leases(settings.region, settings["LEASES_TABLE"]).guard(request.operation, run.seconds_left()):
        # Before the catalog is read and after: who reads a backup now may prove it, and who begins chooses from it.
        holder = _holder(readers, request.kind)
        rows, listed = catalog.rows(), store.versions(prefix)
        vanished = not_there(listed, [row for row in rows if row.kind == request.kind])
        found, unusable = find_backups(store, signer, unlisted(listed, rows, now))
        added = [row.id for row in found if catalog.add(row)]
        rows += [row for row in found if row.id in added]
        whole = [row for row in rows if row not in vanished]  # what is gone takes no other's place
        plan = plan_retention(whole, request.kind, RULES[request.kind], now, proven=_proven_here(run))
        kept = [
            BackupKept(each.row.id, each.reasons, locks.lock_backup(each.row, each.locked_until)) for each in plan.kept
        ]
        if vanished:  # all that is there is locked by now, and nothing more is to be lost
            raise BackupsVanished(count=len(vanished), bucket=bucket, first=vanished[0].id)
        holder = holder or _holder(readers, request.kind)
        if holder is not None:
            return RetentionApplied(region, kept, added, unusable, deferred_by=holder)
        applied = RetentionApplied(region, kept, added, unusable)
        for row in plan.deleted:
            if any(locks.is_locked(key, version, now) for key, version in row.versions):
                applied.still_locked.append(row.id)
                continue
            record_deletion(request.operation, run, region, row)
            catalog.delete(row.id)  # first: no row names what is gone; what has a manifest gets its row again
            for key, version in reversed(row.versions):  # an object without a manifest is an orphan, whatever dies here
                locks.delete(key, version, now)
            applied.deleted.append(row.id)
        for orphan in orphans(listed, rows, now):
            if locks.delete(orphan.key, orphan.id, now):
                applied.orphans.append(orphan.key)
        aborted = locks.abort_uploads(prefix, now - SETTLED)
    return replace(applied, uploads_aborted=aborted)


def _holder(leases: Leases, kind: str) -> str | None:
    """The execution that may be reading a backup of this kind."""
    holders = (leases.holder(SCENARIOS[scenario].target) for scenario in _READERS[kind])
    return next((holder for holder in holders if holder), None)


def _proven_here(run: Run) -> set[str]:
    """The backups that are proven in this region: their copies in the other one are as good."""
    rows = Catalog(run.settings.region, run.settings["CATALOG_TABLE"]).rows()
    return {row.id for row in rows if reaches(row.proof, "proven")}
