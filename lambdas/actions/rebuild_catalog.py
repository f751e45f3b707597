"""Rebuild this region's catalog from the manifests alone, each signed and its object there; no row is overwritten."""

from dataclasses import dataclass

from lambdas.adapters.backup_store import BackupStore
from lambdas.adapters.catalog import Catalog
from lambdas.adapters.found_backups import find_backups
from lambdas.adapters.lambda_handler import Run, action
from lambdas.adapters.signing import SigningKey
from lambdas.domain.errors import CatalogIncomplete
from lambdas.domain.operation import Operation


@dataclass(frozen=True)
class RebuildCatalog:
    operation: Operation


@dataclass(frozen=True)
class CatalogRebuilt:
    added: list[str]
    already_there: int


@action(RebuildCatalog)
def handler(request: RebuildCatalog, run: Run) -> CatalogRebuilt:
    del request
    settings = run.settings
    catalog = Catalog(settings.region, settings["CATALOG_TABLE"])
    store = BackupStore(settings.region, settings["BACKUP_BUCKET"])
    rows, unusable = find_backups(store, SigningKey(settings["EVIDENCE_KEY"]), store.versions(""))
    added = [row.id for row in rows if catalog.add(row)]
    if unusable:
        raise CatalogIncomplete(count=len(unusable), added=len(added), first=unusable[0])
    return CatalogRebuilt(added, len(rows) - len(added))
