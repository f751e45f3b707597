"""A backup: how it is named, where it lies, what its manifest says, and how far it has been proved."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, Self

import msgspec
from msgspec import Struct

from lambdas.domain.canonical import canonical_json

ProofLevel = Literal["stored", "intact", "restorable", "proven"]
PROOF_LEVELS: tuple[ProofLevel, ...] = ("stored", "intact", "restorable", "proven")
"""How far a backup has been proved: bytes in S3 match the SHA-256; it decrypts, decompresses and its structure is
valid; restored into a throwaway target; the restored data equals what the manifest recorded."""

Series = Literal["daily", "pre-restore", "staging"]
"""`daily` backups are chosen by themselves. The others are only ever restored by their id: `pre-restore` is what a
recovery was about to overwrite, `staging` the empty staging Vault that a restore test leaves behind."""

CopyStatus = Literal["pending", "intact", "failed", "none"]
COPY_STATUSES: tuple[CopyStatus, ...] = ("pending", "intact", "failed", "none")
"""Of the copy in the other region, and of the one in a second store; `none` for what is to have no such copy."""

MANIFEST_FORMAT = "mailark-backup/1"
CONTENT_TYPE = "application/octet-stream"
OBJECT_SUFFIX, MANIFEST_SUFFIX = ".enc", ".manifest.json"

_SERIES_WORDS: dict[str, Series] = {"snapshot": "daily", "pre-restore": "pre-restore", "staging": "staging"}
"""The series of a snapshot by the word for it in its id."""
_SNAPSHOT = re.compile(rf"(?P<kind>vault)-(?P<word>{'|'.join(_SERIES_WORDS)})-(?P<at>[0-9]{{8}}T[0-9]{{6}}Z)")
_DUMP = re.compile(r"(?P<of>[A-Za-z_][A-Za-z0-9_]*?)(?P<word>-pre-restore)?_(?P<at>[0-9]{8}_[0-9]{6})\.sql\.gz")
_SNAPSHOT_TIME, _DUMP_TIME = "%Y%m%dT%H%M%SZ", "%Y%m%d_%H%M%S"


def reaches(level: ProofLevel, wanted: ProofLevel) -> bool:
    """Whether a backup of `level` is proved at least as far as `wanted`."""
    return PROOF_LEVELS.index(level) >= PROOF_LEVELS.index(wanted)


@dataclass(frozen=True)
class BackupName:
    """The identity of a backup. `started_at` has whole seconds, in UTC; `of` is the database that a dump is of.

    A snapshot is `vault-snapshot-20261122T020000Z`; a dump has the name that service-recovery-plan.md ("Automated Daily
    Backups") gives its file: `smtpy_20261122_030000.sql.gz`.
    """

    kind: str
    series: Series
    started_at: datetime
    of: str = ""

    @property
    def id(self) -> str:
        if self.kind == "database":
            word = "" if self.series == "daily" else f"-{self.series}"
            return f"{self.of}{word}_{self.started_at:{_DUMP_TIME}}.sql.gz"
        word = next(word for word, series in _SERIES_WORDS.items() if series == self.series)
        return f"{self.kind}-{word}-{self.started_at:{_SNAPSHOT_TIME}}"

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
    try:
        if match := _SNAPSHOT.fullmatch(backup_id):
            return BackupName("vault", _SERIES_WORDS[match["word"]], _moment(match["at"], _SNAPSHOT_TIME))
        if match := _DUMP.fullmatch(backup_id):
            series: Series = "pre-restore" if match["word"] else "daily"
            return BackupName("database", series, _moment(match["at"], _DUMP_TIME), match["of"])
    except ValueError:  # such as the 31st of February
        return None
    return None


def _moment(text: str, form: str) -> datetime:
    return datetime.strptime(text, form).replace(tzinfo=UTC)


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


class SignedManifest(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What lies beside a backup of any kind. Holds names, sizes, hashes and sealed keys, and nothing in the clear."""

    format: str
    backup_id: str
    kind: str
    series: Series
    key: str
    started_at: str
    finished_at: str
    plaintext: Bytes
    ciphertext: Bytes
    encryption: Encryption
    made_by: Maker
    signature: Signature | None = None

    def signed_bytes(self) -> bytes:
        """The bytes that the signature is over."""
        plain: dict[str, Any] = msgspec.to_builtins(self)
        plain.pop("signature")
        return canonical_json(plain)

    def with_signature(self, signature: Signature) -> Self:
        return msgspec.structs.replace(self, signature=signature)

    def encode(self) -> bytes:
        return canonical_json(msgspec.to_builtins(self))

    @property
    def started(self) -> datetime:
        return datetime.fromisoformat(self.started_at)


@dataclass(frozen=True)
class CatalogRow:
    """A backup as the catalog of one region knows it: which versions of object and manifest in that region's bucket.

    `finished_at` is that of the manifest; empty in what an earlier version wrote. With `loss_accepted` a person has
    said that what it lacks is meant to be gone. `load_rate` and `proof_rate` are the bytes of SQL a second of its last
    restore and of the proof of that; 0 where there was none, or it took a moment only.
    """

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
    second_copy: CopyStatus = "none"
    finished_at: str = ""
    loss_accepted: bool = False
    load_rate: int = 0
    proof_rate: int = 0

    @property
    def versions(self) -> tuple[tuple[str, str], tuple[str, str]]:
        """Key and version of the object, and of its manifest."""
        return (self.key, self.version_id), (manifest_key(self.key), self.manifest_version)

    @property
    def finished(self) -> datetime:
        """The moment before which all that it holds was read."""
        if not self.finished_at:
            return datetime.fromisoformat(self.started_at) + timedelta(days=1)  # none takes so long
        return datetime.fromisoformat(self.finished_at) + timedelta(seconds=1)  # its fraction was cut off

    @property
    def is_good(self) -> bool:
        """Whether it is a nightly backup that is proved: one that a recovery takes by itself."""
        return self.series == "daily" and reaches(self.proof, "intact")


def may_raise(row: CatalogRow, operation_id: str) -> bool:
    """Whether what an operation has proved counts for a backup.

    What is `stored` was refused by its own operation, or never finished, or a proof of it has failed: no other
    operation makes it good.
    """
    return row.proof != "stored" or row.operation_id == operation_id
