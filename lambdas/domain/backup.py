"""A backup: how it is named, where it lies, what its manifest says, and how far it has been proved."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec
from msgspec import Struct

from lambdas.domain.canonical import canonical_json
from lambdas.domain.errors import BackupMisplaced, ManifestInvalid
from lambdas.domain.inventory import Inventory, SecretDigest, Window

ProofLevel = Literal["stored", "intact", "restorable", "proven"]
PROOF_LEVELS: tuple[ProofLevel, ...] = ("stored", "intact", "restorable", "proven")
"""How far a backup has been proved: bytes in S3 match the SHA-256; it decrypts, decompresses and its structure is
valid; restored into a throwaway target; the restored data equals what the manifest recorded."""

Series = Literal["daily", "pre-restore", "staging"]
"""`daily` backups are chosen by themselves. The others are only ever restored by their id: `pre-restore` is what a
recovery was about to overwrite, `staging` the empty staging Vault that a restore test leaves behind."""

CopyStatus = Literal["pending", "intact", "failed", "none"]
COPY_STATUSES: tuple[CopyStatus, ...] = ("pending", "intact", "failed", "none")
"""Of the copy in the other region; `none` for what stays in one region."""

MANIFEST_FORMAT = "mailark-backup/1"
CONTENT_TYPE = "application/octet-stream"
OBJECT_SUFFIX, MANIFEST_SUFFIX = ".enc", ".manifest.json"

_SERIES_WORDS: dict[str, Series] = {"snapshot": "daily", "pre-restore": "pre-restore", "staging": "staging"}
"""The series of a backup by the word for it in its id."""
_ID = re.compile(rf"(.+)-({'|'.join(_SERIES_WORDS)})-([0-9]{{8}}T[0-9]{{6}}Z)")


def reaches(level: ProofLevel, wanted: ProofLevel) -> bool:
    """Whether a backup of `level` is proved at least as far as `wanted`."""
    return PROOF_LEVELS.index(level) >= PROOF_LEVELS.index(wanted)


@dataclass(frozen=True)
class BackupName:
    """The identity of a backup. `started_at` has whole seconds, in UTC."""

    kind: str
    series: Series
    started_at: datetime

    @property
    def id(self) -> str:
        word = next(word for word, series in _SERIES_WORDS.items() if series == self.series)
        return f"{self.kind}-{word}-{self.started_at:%Y%m%dT%H%M%SZ}"

    @property
    def date(self) -> str:
        return f"{self.started_at:%Y-%m-%d}"

    @property
    def key(self) -> str:
        """The object's key: `vault/daily/2026-11-22/vault-snapshot-20261122T020000Z.enc`."""
        return f"{self.kind}/{self.series}/{self.date}/{self.id}{OBJECT_SUFFIX}"

    @property
    def encryption_context(self) -> dict[str, str]:
        """What binds the ciphertext to this backup: no other backup can stand in for it."""
        return {"purpose": "backup", "backup_id": self.id, "kind": self.kind, "date": self.date}


def read_backup_id(backup_id: str) -> BackupName | None:
    """The backup that an id names; None for a text that is no id."""
    match = _ID.fullmatch(backup_id)
    if match is None:
        return None
    kind, word, started = match.groups()
    try:
        return BackupName(kind, _SERIES_WORDS[word], datetime.strptime(started, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC))
    except ValueError:  # such as the 31st of February
        return None


def manifest_key(object_key: str) -> str:
    """The key of the manifest beside an object."""
    return object_key.removesuffix(OBJECT_SUFFIX) + MANIFEST_SUFFIX


def wrapping_context(purpose: str, name: str, backup_id: str) -> dict[str, str]:
    """The encryption context of a small key that is wrapped into a manifest."""
    return {"purpose": purpose, "name": name, "backup_id": backup_id}


@dataclass(frozen=True)
class StoredObject:
    """What an upload left behind: sizes in bytes, SHA-256 in hex, and the version that S3 gave it."""

    bucket: str
    key: str
    version_id: str
    plaintext_size: int
    plaintext_sha256: str
    ciphertext_size: int
    ciphertext_sha256: str


class Bytes(Struct, frozen=True, forbid_unknown_fields=True):
    """How many bytes, and their SHA-256 in hex."""

    size: int
    sha256: str


class Source(Struct, frozen=True, forbid_unknown_fields=True):
    """The Vault that a snapshot comes from."""

    product_version: str
    cluster_id: str
    cluster_name: str
    seal_type: str
    seal_key_id: str
    raft_index: int
    raft_term: int


class Encryption(Struct, frozen=True, forbid_unknown_fields=True):
    """How the object was encrypted; `format` and `algorithm` are those of the AWS Encryption SDK."""

    format: str
    algorithm: str
    frame_bytes: int
    key_id: str
    context: dict[str, str]


class WrappedKey(Struct, frozen=True, forbid_unknown_fields=True):
    """A key that the backup needs, wrapped to both recipients: an AWS Encryption SDK message in base64."""

    name: str
    context: dict[str, str]
    message: str


class Contents(Struct, frozen=True, forbid_unknown_fields=True):
    """What the source held: `secret_count` secrets that are certain, and `live_count` that could be read.

    `digest_key` opens the digests (`inventory.py`).

    `canary_names` is the backup that the secret at `canary` named: this very one in a nightly backup, an earlier one
    or none in one that was saved before a restore.
    """

    mounts: list[str]
    canary: str
    canary_names: str | None
    secret_count: int
    live_count: int
    digest_key: WrappedKey
    secrets: list[SecretDigest]
    written_meanwhile: list[str]
    window: Window

    @property
    def inventory(self) -> Inventory:
        return Inventory(self.secrets, self.written_meanwhile)


class Maker(Struct, frozen=True, forbid_unknown_fields=True):
    """The operation that made a backup, and where."""

    operation_id: str
    execution: str
    region: str


class Signature(Struct, frozen=True, forbid_unknown_fields=True):
    """ECDSA over the canonical JSON of everything else in the manifest, in base64 (DER)."""

    key_id: str
    algorithm: str
    value: str


class Manifest(Struct, frozen=True, forbid_unknown_fields=True):
    """What lies beside a backup. Holds names, sizes, hashes and wrapped keys, and nothing in the clear."""

    format: str
    backup_id: str
    kind: str
    series: Series
    key: str
    started_at: str
    finished_at: str
    source: Source
    plaintext: Bytes
    ciphertext: Bytes
    encryption: Encryption
    keys: list[WrappedKey]
    made_by: Maker
    contents: Contents
    signature: Signature | None = None

    def signed_bytes(self) -> bytes:
        """The bytes that the signature is over."""
        plain: dict[str, Any] = msgspec.to_builtins(self)
        plain.pop("signature")
        return canonical_json(plain)

    def with_signature(self, signature: Signature) -> "Manifest":
        return msgspec.structs.replace(self, signature=signature)

    def encode(self) -> bytes:
        return canonical_json(msgspec.to_builtins(self))

    @property
    def started(self) -> datetime:
        return datetime.fromisoformat(self.started_at)

    @property
    def name(self) -> BackupName:
        return BackupName(self.kind, self.series, self.started)


class _Heading(Struct, frozen=True):
    """What a manifest of any format has."""

    format: str
    backup_id: str
    key: str


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
        manifest = msgspec.json.decode(raw, type=Manifest)
        name = manifest.name
    except (msgspec.MsgspecError, ValueError):
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


@dataclass(frozen=True)
class CatalogRow:
    """A backup as the catalog of one region knows it: which versions of object and manifest in that region's bucket."""

    id: str
    kind: str
    series: Series
    date: str
    started_at: str
    key: str
    version_id: str
    manifest_version: str
    size: int
    proof: ProofLevel
    copy: CopyStatus
    operation_id: str
    cluster_id: str
    live_count: int

    @property
    def versions(self) -> tuple[tuple[str, str], tuple[str, str]]:
        """Key and version of the object, and of its manifest."""
        return (self.key, self.version_id), (manifest_key(self.key), self.manifest_version)

    @property
    def is_good(self) -> bool:
        """Whether it is a nightly backup that is proved: one that a recovery takes by itself."""
        return self.series == "daily" and reaches(self.proof, "intact")


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
        cluster_id=manifest.source.cluster_id,
        live_count=manifest.contents.live_count,
    )
