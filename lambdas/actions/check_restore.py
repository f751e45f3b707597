"""Check whether a server can take a dump, before anything is stopped for it: nothing is changed."""

from dataclasses import dataclass

from lambdas.adapters.backup_store import BackupStore
from lambdas.adapters.catalog import Catalog
from lambdas.adapters.database_target import Place, database_target
from lambdas.adapters.lambda_handler import Run, action
from lambdas.adapters.restorable import require_restorable, require_room
from lambdas.adapters.signing import SigningKey
from lambdas.domain.database_manifest import DatabaseManifest
from lambdas.domain.manifest import of_kind
from lambdas.domain.operation import Operation


@dataclass(frozen=True)
class CheckRestore:
    operation: Operation
    backup_id: str
    place: Place = "live"


@dataclass(frozen=True)
class RestoreChecked:
    """`host` is the server that takes it."""

    host: str
    backup_id: str


@action(CheckRestore)
def handler(request: CheckRestore, run: Run) -> RestoreChecked:
    settings = run.settings
    login = database_target(settings.region, request.operation, request.place).login
    catalog = Catalog(settings.region, settings["CATALOG_TABLE"])
    row = catalog.get(request.backup_id)
    store, signer = BackupStore(settings.region, settings["BACKUP_BUCKET"]), SigningKey(settings["EVIDENCE_KEY"])
    signed = store.signed_manifest(row.id, row.key, signer, row.manifest_version)
    manifest = of_kind(signed, DatabaseManifest)
    require_restorable(login, manifest, catalog)
    if request.place != "live":  # a disk that is full for an instant is nothing for a server that services write to
        require_room(login, manifest)
    return RestoreChecked(login.host, row.id)
