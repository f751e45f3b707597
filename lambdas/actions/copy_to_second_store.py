"""Copy a backup to the second store that the estate names, and read the copy back; done at once where there is none."""

from contextlib import suppress
from dataclasses import dataclass

from lambdas.adapters.aws import AWS_ERRORS
from lambdas.adapters.backup_store import BackupStore
from lambdas.adapters.catalog import Catalog
from lambdas.adapters.database_target import database_of
from lambdas.adapters.estate_parameter import read_estate
from lambdas.adapters.lambda_handler import Run, action
from lambdas.adapters.proof_record import record_second_copy
from lambdas.adapters.second_store import SecondBucket
from lambdas.adapters.signing import SigningKey
from lambdas.domain.backup import CopyStatus
from lambdas.domain.errors import StorageRefused
from lambdas.domain.operation import Operation


@dataclass(frozen=True)
class CopyToSecondStore:
    operation: Operation
    backup_id: str


@dataclass(frozen=True)
class CopiedToSecondStore:
    """`status` is `none` where the estate names no second store."""

    status: CopyStatus


@action(CopyToSecondStore)
def handler(request: CopyToSecondStore, run: Run) -> CopiedToSecondStore:
    settings = run.settings
    second = database_of(read_estate(settings.region)).second_store
    if second is None:
        return CopiedToSecondStore("none")
    catalog = Catalog(settings.region, settings["CATALOG_TABLE"])
    row, store = catalog.get(request.backup_id), BackupStore(settings.region, settings["BACKUP_BUCKET"])
    manifest = store.signed_manifest(row.id, row.key, SigningKey(settings["EVIDENCE_KEY"]), row.manifest_version)
    try:
        SecondBucket(settings.region, second).copy(store, row, manifest)
    except Exception:
        with suppress(StorageRefused, *AWS_ERRORS):  # the first error is the one to tell
            record_second_copy(catalog, store, row.id, "failed")
        raise
    record_second_copy(catalog, store, row.id, "intact")
    return CopiedToSecondStore("intact")
