"""What a Vault holds, without what it says: a version and a keyed digest of every secret.

The digest is an HMAC under a key of its own for each backup: without the key it tells nothing about a password,
not even whether two tenants share one. With it, a restored Vault is compared value by value.
"""

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from msgspec import Struct

from lambdas.domain.canonical import canonical_json

DIGEST_KEY_BYTES = 32


class SecretMark(Struct, frozen=True, array_like=True):
    """The state of a secret as its metadata shows it: two equal marks are the same version, untouched.

    `mark` is a hash over version, creation, deletion and custom metadata; `live` unless the version is deleted.
    """

    path: str
    mark: str
    live: bool


class SecretDigest(Struct, frozen=True, array_like=True):
    """One secret of a backup: its path, its current version, and the HMAC-SHA256 of its content in hex."""

    path: str
    version: int
    digest: str


@dataclass(frozen=True)
class Secret:
    """A secret as read: never logged, never returned by an action. `data` is None when its version is deleted."""

    path: str
    version: int
    created_time: str
    deletion_time: str
    destroyed: bool
    custom_metadata: Mapping[str, str]
    data: Mapping[str, Any] | None

    def __repr__(self) -> str:
        return f"Secret({self.path!r}, version={self.version})"


def mark_of(
    path: str,
    version: int,
    created_time: str,
    deletion_time: str,
    destroyed: bool,
    custom_metadata: Mapping[str, str],
) -> SecretMark:
    """The mark of a secret, from its metadata or from a full read alike."""
    state = [version, created_time, deletion_time, destroyed, dict(custom_metadata)]
    live = not (deletion_time or destroyed)
    return SecretMark(path, hashlib.sha256(canonical_json(state)).hexdigest()[:32], live)


def digest_of(secret: Secret, key: bytes) -> SecretDigest:
    """The keyed digest of a secret: of its path, version, content and custom metadata."""
    content = {
        "path": secret.path,
        "version": secret.version,
        "data": None if secret.data is None else dict(secret.data),
        "custom_metadata": dict(secret.custom_metadata),
    }
    return SecretDigest(secret.path, secret.version, hmac.new(key, canonical_json(content), "sha256").hexdigest())


class Window(Struct, frozen=True, forbid_unknown_fields=True):
    """From the first look at the secrets to the end of their reading, with the snapshot in between.

    In seconds since the epoch by Vault's own clock, which also stamps the secrets; `until` is not included.
    """

    since: int
    until: int

    def covers(self, secret: Secret) -> bool:
        """Whether a secret was written or deleted in this time."""
        times = (datetime.fromisoformat(text) for text in (secret.created_time, secret.deletion_time) if text)
        return any(self.since <= time.timestamp() < self.until for time in times)


class SecretsBefore(Struct, frozen=True):
    """What was seen before the snapshot, and since when by Vault's clock."""

    since: int
    marks: list[SecretMark]


@dataclass(frozen=True)
class Inventory:
    """`secrets` are certainly in the snapshot; `written_meanwhile` are paths that changed while it was taken."""

    secrets: list[SecretDigest]
    written_meanwhile: list[str]


def settle(before: Iterable[SecretMark], after: Iterable[SecretMark], digests: Iterable[SecretDigest]) -> Inventory:
    """What is certain of a snapshot that was taken between the marks `before` and the reading `after`.

    A secret with the same mark on both sides is in the snapshot as read. Any other was written or deleted
    meanwhile: it is listed, and neither its presence nor its value is held against a restore.
    """
    earlier = {mark.path: mark.mark for mark in before}
    later = {mark.path: mark.mark for mark in after}
    certain = {path for path, mark in later.items() if earlier.get(path) == mark}
    meanwhile = sorted((earlier.keys() | later.keys()) - certain)
    return Inventory(sorted((d for d in digests if d.path in certain), key=lambda d: d.path), meanwhile)


@dataclass(frozen=True)
class Restored:
    """A secret as a restored Vault shows it; `in_window` when the window of its backup covers it."""

    digest: SecretDigest
    in_window: bool


@dataclass(frozen=True)
class Difference:
    """How a restored Vault differs from what was recorded; empty lists are the proof."""

    missing: list[str]
    changed: list[str]
    added: list[str]
    compared: int

    @property
    def none(self) -> bool:
        return not (self.missing or self.changed or self.added)

    def __str__(self) -> str:
        parts = [
            f"{len(paths)} {word} (such as {paths[0]})"
            for word, paths in (("missing", self.missing), ("changed", self.changed), ("added", self.added))
            if paths
        ]
        return f"of {self.compared} secrets, " + ", ".join(parts or ["none differs"])


def compare(recorded: Inventory, restored: Iterable[Restored]) -> Difference:
    """Hold a restored Vault against the inventory of its backup, value by value.

    A snapshot may also show what was undone before the reading: a secret that came and went, or was deleted and
    undeleted. Vault stamped it in the window, and so it is no difference.
    """
    meanwhile = set(recorded.written_meanwhile)
    now = {each.digest.path: each for each in restored if each.digest.path not in meanwhile}
    then = {digest.path: digest for digest in recorded.secrets}
    differing = {path for path, each in now.items() if each.digest != then.get(path) and not each.in_window}
    return Difference(
        missing=sorted(then.keys() - now.keys()),
        changed=sorted(differing & then.keys()),
        added=sorted(differing - then.keys()),
        compared=len(then),
    )
