"""The backups that a bucket holds, found from their manifests alone, as the catalog has them."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace

from lambdas.adapters.backup_store import BackupStore
from lambdas.adapters.signing import SigningKey
from lambdas.domain.backup import COPY_STATUSES, MANIFEST_SUFFIX, OBJECT_SUFFIX, PROOF_LEVELS, CatalogRow
from lambdas.domain.database_time import Paced
from lambdas.domain.errors import BackupMisplaced, BackupMissing, ManifestInvalid, ManifestMissing
from lambdas.domain.failure import as_failure
from lambdas.domain.mailark_error import MailarkError
from lambdas.domain.manifest import Manifest, row_of_manifest
from lambdas.domain.orphans import Version
from lambdas.domain.proof import Measured

_UNUSABLE = (BackupMisplaced, BackupMissing, ManifestInvalid, ManifestMissing)
"""What is wrong with one backup; anything else is wrong with all of them."""


def find_backups(
    store: BackupStore, signer: SigningKey, listed: Iterable[Version]
) -> tuple[list[CatalogRow], list[str]]:
    """The rows of the backups among `listed`, and what is wrong with those whose manifest or object is not right.

    Of several versions of a manifest it is the newest whose signature verifies. Raises `StorageRefused`.
    """
    versions: dict[str, list[Version]] = defaultdict(list)
    for each in listed:
        versions[each.key].append(each)
    rows, unusable = [], []
    for key in sorted(versions):
        if key.endswith(MANIFEST_SUFFIX):
            object_key = key.removesuffix(MANIFEST_SUFFIX) + OBJECT_SUFFIX
            try:
                rows.append(_row(store, signer, object_key, versions[key], versions[object_key]))
            except _UNUSABLE as error:
                unusable.append(f"{key}: {as_failure(error).sentence.removesuffix('.')}")
    return rows, unusable


def _row(
    store: BackupStore, signer: SigningKey, object_key: str, manifests: list[Version], objects: list[Version]
) -> CatalogRow:
    backup_id = object_key.rpartition("/")[2].removesuffix(OBJECT_SUFFIX)
    manifest, version = _signed(store, signer, backup_id, object_key, manifests)
    row = row_of_manifest(manifest, _object(store, manifest, objects), version.id)
    status = store.status(version.key, version.id)
    proof = next((level for level in PROOF_LEVELS if level == status.get("proof")), row.proof)
    copy = next((each for each in COPY_STATUSES if each == status.get("copy")), row.copy)
    second = next((each for each in COPY_STATUSES if each == status.get("second_copy")), row.second_copy)
    load, proved = _rate(status, "load_rate"), _rate(status, "proof_rate")
    return replace(row, proof=proof, copy=copy, second_copy=second, load_rate=load, proof_rate=proved)


def _rate(status: Mapping[str, str], of: Paced) -> int:
    kept = status.get(of, "")
    return int(kept) if kept.isdecimal() and kept.isascii() else 0


def _signed(
    store: BackupStore, signer: SigningKey, backup_id: str, object_key: str, manifests: list[Version]
) -> tuple[Manifest, Version]:
    first: MailarkError | None = None
    for version in manifests:
        try:
            return store.signed_manifest(backup_id, object_key, signer, version.id), version
        except _UNUSABLE as error:
            first = first or error
    assert first is not None  # a key is listed with a version at least
    raise first


def _object(store: BackupStore, manifest: Manifest, objects: list[Version]) -> str:
    """The version of the object that a manifest describes; where two have its size, their bytes decide."""
    fitting = [each.id for each in objects if each.size == manifest.ciphertext.size]
    if len(fitting) == 1:
        return fitting[0]
    for version_id in fitting:
        measured = Measured()
        for _ in measured.through(store.read(row_of_manifest(manifest, version_id, ""))):
            pass
        if measured.sha256 == manifest.ciphertext.sha256:
            return version_id
    raise BackupMissing(backup_id=manifest.backup_id, key=manifest.key, series=manifest.series)
