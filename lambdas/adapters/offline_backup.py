"""A backup as three files: its object, its manifest beside it, and the operator's offline key. No AWS is called."""

import base64
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from msgspec import UNSET

from lambdas.adapters.envelope import OfflineEnvelope, claimed_context
from lambdas.adapters.signing import ALGORITHM
from lambdas.domain.backup import MANIFEST_FORMAT, MANIFEST_SUFFIX, OBJECT_SUFFIX, WrappedKey, wrapping_context
from lambdas.domain.database_manifest import DatabaseManifest
from lambdas.domain.database_properties import SETTINGS, SETTINGS_PURPOSE, title_of
from lambdas.domain.errors import ManifestInvalid
from lambdas.domain.manifest import Manifest, format_of, read_lone_manifest
from lambdas.domain.proof import CiphertextDamaged, proved_contents
from lambdas.domain.refusal import Refused
from lambdas.domain.vault_manifest import VaultManifest

_PIECE = 1024 * 1024


@dataclass(frozen=True)
class OfflineBackup:
    """A manifest that was read, and where its object should lie; `signed` says who vouches for it, if anybody."""

    manifest: Manifest
    manifest_file: Path
    object_file: Path
    signed: str

    @staticmethod
    def read(either: Path, evidence_key: Path | None) -> "OfflineBackup":
        """Read the manifest, given the name of either file. Raises `Refused` and `ManifestInvalid`."""
        stem = either.name.removesuffix(OBJECT_SUFFIX).removesuffix(MANIFEST_SUFFIX)
        object_file, file = either.with_name(stem + OBJECT_SUFFIX), either.with_name(stem + MANIFEST_SUFFIX)
        manifest = _manifest(file)
        signed = "NOT verified, since no --evidence-key was given"
        if evidence_key is not None:
            if not _is_signed_by(manifest, evidence_key):
                fact = f"{file} is not signed by {evidence_key}, or was changed after."
                raise Refused(fact, "Treat it as tampered with: take the backup from the other region, or another one.")
            signed = f"verified with {evidence_key}"
        return OfflineBackup(manifest, file, object_file, signed)

    @property
    def described(self) -> str:
        """What the manifest says of it."""
        manifest = self.manifest
        told = {
            "Backup": f"{manifest.backup_id} ({manifest.series})",
            "Taken": f"{manifest.started_at} to {manifest.finished_at}",
            "Made by": manifest.made_by.execution,
            **(_of_vault(manifest) if isinstance(manifest, VaultManifest) else _of_database(manifest)),
            "Object": f"{manifest.ciphertext.size} bytes, SHA-256 {manifest.ciphertext.sha256}",
            "Inside": f"{manifest.plaintext.size} bytes, SHA-256 {manifest.plaintext.sha256}",
            "Keys" if isinstance(manifest, VaultManifest) else "Sealed": ", ".join(key.name for key in self._sealed),
            "Signature": self.signed,
        }
        return "\n".join(f"{name + ':':<11}{text}" for name, text in told.items())

    def require_vault(self) -> VaultManifest:
        """The manifest of a snapshot. Raises `Refused` for another kind of backup."""
        if not isinstance(self.manifest, VaultManifest):
            raise Refused(f"{self.manifest.backup_id} is a dump of a database.", "`open` writes its SQL, for psql.")
        return self.manifest

    @property
    def _sealed(self) -> list[WrappedKey]:
        """What lies sealed in the manifest: keys of a snapshot; of a dump, its server's roles and its settings."""
        if isinstance(self.manifest, VaultManifest):
            return self.manifest.keys
        contents = self.manifest.contents
        return [contents.globals] + ([] if contents.properties is UNSET else [contents.properties.values])

    def keys(self, envelope: OfflineEnvelope, key_file: Path) -> dict[str, bytes]:
        """The keys inside, in the clear, by name. Raises `Refused` for another offline key, and a changed manifest."""
        opened: dict[str, bytes] = {}
        for key in self._sealed:
            purpose = SETTINGS_PURPOSE if key.name == SETTINGS else "backup-key"
            context = wrapping_context(purpose, key.name, self.manifest.backup_id)
            try:
                opened[key.name] = envelope.unwrap(key.message, context)
            except CiphertextDamaged as damage:
                fact = f"{key_file} does not open {key.name} in {self.manifest_file}: {damage}."
                cure = (
                    f"Use the private half of the offline_public_key that the estate had on {self.manifest.name.date}; "
                    "if this is it, the manifest was changed: take the backup from the other region."
                )
                raise Refused(fact, cure) from None
        return opened

    def write_contents(self, envelope: OfflineEnvelope, target: Path, progress: Callable[[int, int], None]) -> None:
        """Prove the backup, all of it, and write what is inside, a snapshot or SQL: whole or not at all.

        `progress` is told how many bytes of how many are done. Raises `Refused` and `BackupDamaged`.
        """
        self._check_object()
        context = self.manifest.encryption.context
        part = target.with_name(target.name + ".part")
        try:
            with private_file(part) as file:
                sealed = _pieces(self.object_file, progress)
                for piece in proved_contents(self.manifest, sealed, lambda each: envelope.open(each, context)):
                    file.write(piece)
                file.flush()
                os.fsync(file.fileno())
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)

    def _check_object(self) -> None:
        """What can be seen without opening it, because these are the usual mistakes."""
        file, manifest, size = self.object_file, self.manifest, self.object_file.stat().st_size
        with file.open("rb") as stream:
            claimed = claimed_context(stream.read(_PIECE)).get("backup_id", manifest.backup_id)
        if claimed != manifest.backup_id:
            fact = f"{file} is the object of {claimed}, and {self.manifest_file} the manifest of {manifest.backup_id}."
            raise Refused(fact, "Take the object and the manifest of one backup.")
        if size != manifest.ciphertext.size:
            fact = f"{file} has {size} bytes, and its manifest says {manifest.ciphertext.size}."
            raise Refused(fact, "Copy it again, whole; a nightly backup lies in the other region's bucket too.")


def private_file(path: Path) -> BinaryIO:
    """A file to write that nobody else may read: a dump holds people's data in the clear."""
    path.unlink(missing_ok=True)
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


def _of_vault(manifest: VaultManifest) -> dict[str, str]:
    source, contents = manifest.source, manifest.contents
    return {
        "Vault": f"{source.product_version}, cluster {source.cluster_name} ({source.cluster_id})",
        "Seal": f"{source.seal_type} {source.seal_key_id}".strip(),
        "Secrets": f"{contents.secret_count} in {', '.join(contents.mounts)}, {contents.live_count} readable, "
        f"and {len(contents.written_meanwhile)} written meanwhile",
    }


def _of_database(manifest: DatabaseManifest) -> dict[str, str]:
    source, contents = manifest.source, manifest.contents
    own = ", ".join(f"{name} {value}" for name, value in source.locale.items() if name != "provider")
    needs = f"roles {', '.join(contents.roles) or 'none'}; extensions {', '.join(contents.extensions) or 'none'}"
    properties = contents.properties
    itself = "not known: this dump is of an earlier version"
    if properties is not UNSET:
        settings = ", ".join(title_of(setting) for setting in properties.settings) or "none"
        itself = f"owner {properties.owner}; connection limit {properties.connection_limit}; settings {settings}"
    return {
        "Database": f"{source.database} of PostgreSQL {source.server_version} ({source.system_identifier})",
        "Encoding": f"{source.encoding}; {source.locale['provider']} locale: {own}",
        "Needs": needs,
        "Itself": itself,
        "Schema": f"Alembic revision {contents.alembic}" if contents.alembic else "of no known Alembic revision",
        "Tables": f"{len(contents.tables)} with {contents.rows} rows, {contents.sql.size} bytes of SQL",
    }


def _manifest(file: Path) -> Manifest:
    raw = file.read_bytes()
    try:
        return read_lone_manifest(raw, file.name)
    except ManifestInvalid as error:
        if (found := format_of(raw)) not in (None, MANIFEST_FORMAT):
            fact = f"{file} has the format {found}, and this version reads {MANIFEST_FORMAT}."
            raise Refused(fact, "Use a checkout of Mailark from the time of that backup, or a newer one.") from None
        raise error from None


def _is_signed_by(manifest: Manifest, file: Path) -> bool:
    """Whether the key in `file` signed the manifest as it is. Raises `Refused` when it holds no such key."""
    try:
        key = load_pem_public_key(file.read_bytes())
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, ec.EllipticCurvePublicKey):
        fact = f"{file} holds no public key of an elliptic curve in PEM."
        raise Refused(fact, "Give the public half of the key `evidence`, as docs/operating.md has it stored.")
    signature = manifest.signature
    try:
        if signature is None or signature.algorithm != ALGORITHM:
            return False
        key.verify(base64.b64decode(signature.value, validate=True), manifest.signed_bytes(), ec.ECDSA(SHA256()))
    except (InvalidSignature, ValueError):
        return False
    return True


def _pieces(file: Path, progress: Callable[[int, int], None]) -> Iterator[bytes]:
    size, done = file.stat().st_size, 0
    with file.open("rb") as stream:
        while piece := stream.read(_PIECE):
            done += len(piece)
            progress(done, size)
            yield piece
