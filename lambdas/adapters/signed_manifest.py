"""Putting a manifest beside its object: signed, and then known to the catalog at the level `stored`."""

import base64
from dataclasses import replace

from lambdas.adapters.backup_store import BackupStore
from lambdas.adapters.catalog import Catalog
from lambdas.adapters.settings import Settings
from lambdas.adapters.signing import ALGORITHM, SigningKey
from lambdas.domain.backup import CatalogRow, CopyStatus, Signature, StoredObject
from lambdas.domain.manifest import Manifest, row_of_manifest


def put_signed(
    settings: Settings, unsigned: Manifest, stored: StoredObject, second_copy: CopyStatus = "none"
) -> CatalogRow:
    """Sign a manifest, write it, and give the backup its row. Raises `StorageRefused` and `KeyUnusable`."""
    signer = SigningKey(settings["EVIDENCE_KEY"])
    value = base64.b64encode(signer.sign(unsigned.signed_bytes())).decode()
    manifest = unsigned.with_signature(Signature(signer.arn, ALGORITHM, value))
    store = BackupStore(settings.region, stored.bucket)
    version = store.put_manifest(manifest)
    row = replace(row_of_manifest(manifest, stored.version_id, version), second_copy=second_copy)
    if second_copy != "none":  # the manifest does not tell it; a catalog that is rebuilt knows it from the tags
        store.keep_status(row)
    Catalog(settings.region, settings["CATALOG_TABLE"]).put(row)
    return row
