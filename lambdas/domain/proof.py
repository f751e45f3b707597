"""The proof that a stored backup is the one its manifest describes, byte by byte, without restoring it."""

import hashlib
from collections.abc import Callable, Iterable, Iterator

from lambdas.domain.database_errors import DumpDamaged
from lambdas.domain.database_manifest import DatabaseManifest
from lambdas.domain.dump import DumpVerifier, gunzipped
from lambdas.domain.errors import BackupDamaged
from lambdas.domain.failure import as_failure
from lambdas.domain.manifest import Manifest
from lambdas.domain.snapshot import SnapshotVerifier
from lambdas.domain.vault_errors import SnapshotDamaged
from lambdas.domain.vault_manifest import VaultManifest


class CiphertextDamaged(Exception):
    """A message that does not open: its bytes, order, length, context or key are not those it was sealed with."""


class Measured:
    """Counts and hashes a stream as it passes: size in bytes, SHA-256 in hex."""

    def __init__(self) -> None:
        self.size = 0
        self._hash = hashlib.sha256()

    def update(self, piece: bytes) -> None:
        self.size += len(piece)
        self._hash.update(piece)

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()

    def through(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        for piece in pieces:
            self.update(piece)
            yield piece


_INSIDE = {"vault": "snapshot", "database": "dump"}

Opener = Callable[[Iterable[bytes]], Iterator[bytes]]
"""Turns ciphertext into authenticated plaintext; raises `CiphertextDamaged`."""


def _damaged(manifest: Manifest, problem: str) -> BackupDamaged:
    return BackupDamaged(backup_id=manifest.backup_id, series=manifest.series, problem=problem)


def plaintext_of(manifest: Manifest, ciphertext: Iterable[bytes], opener: Opener) -> Iterator[bytes]:
    """The plaintext of a backup, piece by piece; the last piece comes only when all of it has been verified.

    Raises `BackupDamaged` when a size or a hash differs from the manifest, or the message does not open: whoever
    passes the pieces on must treat that as a cut, and let its receiver throw away what it has.
    """
    encrypted, plain = Measured(), Measured()
    sealed = encrypted.through(ciphertext)
    held = b""
    try:
        for piece in plain.through(opener(sealed)):
            if not piece:
                continue
            if held:
                yield held
            held = piece
        for _ in sealed:
            pass  # what the opener left unread counts too
    except CiphertextDamaged as damage:
        raise _damaged(manifest, str(damage)) from None
    for what, measured, wanted in (
        ("stored object", encrypted, manifest.ciphertext),
        (f"{_INSIDE[manifest.kind]} inside it", plain, manifest.plaintext),
    ):
        if measured.size != wanted.size:
            problem = f"the {what} has {measured.size} bytes, and its manifest says {wanted.size}"
            raise _damaged(manifest, problem)
        if measured.sha256 != wanted.sha256:
            problem = f"the {what} has another SHA-256 than its manifest says"
            raise _damaged(manifest, problem)
    yield held


def proved_snapshot(manifest: VaultManifest, ciphertext: Iterable[bytes], opener: Opener) -> Iterator[bytes]:
    """The snapshot inside a backup, piece by piece; its end comes only when level `intact` has been reached.

    That is: it decrypts, its hashes match, and its structure is a whole snapshot. Raises `BackupDamaged`, and whoever
    passes the pieces on must then throw away what it has.
    """
    verifier = SnapshotVerifier()
    try:
        for piece in plaintext_of(manifest, ciphertext, opener):
            verifier.update(piece)
            yield piece
        facts = verifier.finish()
    except SnapshotDamaged as damage:
        problem = as_failure(damage).sentence.removesuffix(".")
        raise _damaged(manifest, problem) from None
    if (facts.index, facts.term) != (manifest.source.raft_index, manifest.source.raft_term):
        raise _damaged(manifest, "it holds another snapshot than its manifest says")


def proved_sql(manifest: DatabaseManifest, ciphertext: Iterable[bytes], opener: Opener) -> Iterator[bytes]:
    """The SQL inside a dump, piece by piece; its last piece comes only when level `intact` has been reached.

    That is: it decrypts, it decompresses, all hashes match, and the dump was ended by pg_dump itself. Raises
    `BackupDamaged`, and whoever passes the pieces on must then throw away what it has.
    """
    verifier, held = DumpVerifier(), b""
    try:
        for piece in gunzipped(plaintext_of(manifest, ciphertext, opener)):
            verifier.update(piece)
            if held:
                yield held
            held = piece
        verifier.finish()
    except DumpDamaged as damage:
        raise _damaged(manifest, as_failure(damage).sentence.removesuffix(".")) from None
    if verifier.sql != manifest.contents.sql:
        raise _damaged(manifest, "it holds another dump than its manifest says")
    yield held


def proved_contents(manifest: Manifest, ciphertext: Iterable[bytes], opener: Opener) -> Iterator[bytes]:
    """What is inside a backup of any kind: `proved_snapshot` or `proved_sql`."""
    if isinstance(manifest, DatabaseManifest):
        return proved_sql(manifest, ciphertext, opener)
    return proved_snapshot(manifest, ciphertext, opener)


def prove_intact(manifest: Manifest, ciphertext: Iterable[bytes], opener: Opener) -> None:
    """Level `intact`: it decrypts, its hashes match, and its structure is whole. Raises `BackupDamaged`."""
    for _ in proved_contents(manifest, ciphertext, opener):
        pass
