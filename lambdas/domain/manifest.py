"""Reading the manifest of a backup of any kind, and the row of the catalog that it makes."""

from typing import TypeVar

import msgspec
from msgspec import Struct

from lambdas.domain.backup import MANIFEST_FORMAT, CatalogRow, manifest_key
from lambdas.domain.database_manifest import DatabaseManifest
from lambdas.domain.errors import BackupMisplaced, ManifestInvalid
from lambdas.domain.vault_manifest import VaultManifest

Manifest = VaultManifest | DatabaseManifest
M = TypeVar("M", VaultManifest, DatabaseManifest)

_KINDS: dict[str, type[VaultManifest] | type[DatabaseManifest]] = {"vault": VaultManifest, "database": DatabaseManifest}


class _Heading(Struct, frozen=True):
    """What a manifest of any format has; those of the first format all have a kind."""

    format: str
    backup_id: str
    key: str
    kind: str = ""


def _heading(raw: bytes) -> _Heading | None:
    try:
        return msgspec.json.decode(raw, type=_Heading)
    except msgspec.MsgspecError:
        return None


def format_of(raw: bytes) -> str | None:
    """The format that a manifest says it has; None for what is no manifest."""
    heading = _heading(raw)
    return heading.format if heading else None


def read_lone_manifest(raw: bytes, name: str) -> Manifest:
    """Parse a manifest that lies by itself, out of its bucket, in a file called `name`. Raises `ManifestInvalid`."""
    heading = _heading(raw)
    if heading is None:
        raise ManifestInvalid(backup_id=name, problem="it cannot be read")
    return read_manifest(raw, heading.backup_id, heading.key)


def read_manifest(raw: bytes, backup_id: str, object_key: str) -> Manifest:
    """Parse a manifest and hold it to the place where it was found; its signature is for the caller to verify.

    Raises `ManifestInvalid` and `BackupMisplaced`.
    """
    if format_of(raw) not in (None, MANIFEST_FORMAT):
        raise ManifestInvalid(backup_id=backup_id, problem="it has another format than this version reads")
    try:
        manifest = msgspec.json.decode(raw, type=_KINDS[_kind(raw)])
        name = manifest.name
    except (msgspec.MsgspecError, ValueError, KeyError):
        raise ManifestInvalid(backup_id=backup_id, problem="it cannot be read") from None
    if manifest.backup_id != backup_id:
        raise BackupMisplaced(key=manifest_key(object_key), found=manifest.backup_id, backup_id=backup_id)
    if manifest.key != object_key:
        raise ManifestInvalid(backup_id=backup_id, problem=f"it belongs beside {manifest.key}")
    if (name.id, name.key, name.encryption_context) != (backup_id, object_key, manifest.encryption.context):
        raise ManifestInvalid(backup_id=backup_id, problem="its parts name different backups")
    if manifest.signature is None:
        raise ManifestInvalid(backup_id=backup_id, problem="it is not signed")
    return manifest


def of_kind(manifest: Manifest, kind: type[M]) -> M:
    """A manifest as the one kind that its reader can use. Raises `ManifestInvalid` for one of another kind."""
    if not isinstance(manifest, kind):
        raise ManifestInvalid(backup_id=manifest.backup_id, problem=f"it is of the kind {manifest.kind}")
    return manifest


def _kind(raw: bytes) -> str:
    heading = _heading(raw)
    return heading.kind if heading else ""


def row_of_manifest(manifest: Manifest, version_id: str, manifest_version: str) -> CatalogRow:
    """The row of a backup as its manifest alone tells it: stored, and not known to be proved or copied."""
    name = manifest.name
    return CatalogRow(
        id=name.id,
        kind=name.kind,
        series=name.series,
        date=name.date,
        started_at=manifest.started_at,
        key=name.key,
        version_id=version_id,
        manifest_version=manifest_version,
        size=manifest.ciphertext.size,
        proof="stored",
        copy="pending" if name.series == "daily" else "none",
        operation_id=manifest.made_by.operation_id,
        cluster_id=manifest.cluster_id,
        live_count=manifest.live_count,
        finished_at=manifest.finished_at,
        loss_accepted=isinstance(manifest, DatabaseManifest) and manifest.loss_accepted is True,
    )
