"""Apply the retention rule in one region: lock what is kept, delete what is not, mend what crashes left behind."""

from dataclasses import dataclass, field, replace
from datetime import datetime

from lambdas.adapters.backup_locks import BackupLocks
from lambdas.adapters.backup_store import BackupStore
from lambdas.adapters.catalog import Catalog
from lambdas.adapters.deletion import delete_backup, gone
from lambdas.adapters.estate_parameter import read_estate
from lambdas.adapters.found_backups import find_backups
from lambdas.adapters.lambda_handler import Run, action
from lambdas.adapters.leases import Leases
from lambdas.adapters.signing import SigningKey
from lambdas.domain.backup import reaches
from lambdas.domain.errors import BackupsVanished
from lambdas.domain.estate import Estate
from lambdas.domain.operation import Operation
from lambdas.domain.orphans import SETTLED, orphans, unlisted
from lambdas.domain.retention import COPY_RULES, READERS, RULES, first_lock, plan_retention
from lambdas.domain.scenarios import SCENARIOS


@dataclass(frozen=True)
class ApplyRetention:
    """`copies` means the other region: its own catalog decides there. With `lock_only`, nothing is deleted."""

    operation: Operation
    kind: str
    copies: bool = False
    lock_only: bool = False


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
    `still_locked` would have been deleted and waits for its lock to end; `deferred_by` is the execution that has put
    all deletion off: a recovery, or this one, whose backup has failed.
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
    rule = (COPY_RULES if request.copies else RULES)[request.kind]
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
        rows = [row for row in catalog.rows() if row.kind == request.kind]
        listed = store.versions(prefix)
        came = {(each.key, each.id): each.written_at for each in listed}
        begun, vanished = gone(run, region, listed, rows)
        found, unusable = find_backups(store, signer, unlisted(listed, rows, now))
        added = [row.id for row in found if catalog.add(row)]
        rows += [row for row in found if row.id in added]
        whole = [row for row in rows if row not in begun + vanished]  # what is gone takes no other's place
        written = {row.id: came[row.versions[1]] for row in whole}
        plan = plan_retention(whole, request.kind, rule, now, _proven(run, request, estate), written)
        kept = [BackupKept(one.row.id, one.reasons, locks.lock_backup(one.row, one.locked_until)) for one in plan.kept]
        if vanished:  # all that is there is locked, and nothing more is to be lost
            for key, version in [each for row in vanished for each in row.versions if each in came]:
                locks.lock(key, version, first_lock(rule, now))
            raise BackupsVanished(count=len(vanished), bucket=bucket, first=vanished[0].id)
        own = request.operation.execution if request.lock_only else None
        holder = holder or _holder(readers, request.kind) or own
        applied = RetentionApplied(region, kept, added, unusable, deferred_by=holder)
        if holder is not None:
            return applied
        for row in [*begun, *plan.deleted]:
            went = delete_backup(request.operation, run, region, row, locks, catalog)
            (applied.deleted if went else applied.still_locked).append(row.id)
        for orphan in orphans(listed, rows, now):
            if locks.delete(orphan.key, orphan.id, now):
                applied.orphans.append(orphan.key)
        return replace(applied, uploads_aborted=locks.abort_uploads(prefix, now - SETTLED))


def _holder(leases: Leases, kind: str) -> str | None:
    """The execution that may be reading a backup of this kind."""
    holders = (leases.holder(SCENARIOS[scenario].target) for scenario in READERS[kind])
    return next((holder for holder in holders if holder), None)


def _proven(run: Run, request: ApplyRetention, estate: Estate) -> set[str]:
    """The backups that are proven in either region: a copy is as good. To lock, no dead region must be asked."""
    regions = [run.settings.region] if request.lock_only else [estate.regions.primary, estate.regions.standby]
    rows = (row for region in regions for row in Catalog(region, run.settings["CATALOG_TABLE"]).rows())
    return {row.id for row in rows if reaches(row.proof, "proven")}
