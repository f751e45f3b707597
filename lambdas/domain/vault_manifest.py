"""What the manifest of a Vault snapshot says beyond that of any backup."""

from msgspec import Struct

from lambdas.domain.backup import BackupName, SignedManifest, WrappedKey
from lambdas.domain.inventory import Inventory, SecretDigest, Window


class Source(Struct, frozen=True, forbid_unknown_fields=True):
    """The Vault that a snapshot comes from."""

    product_version: str
    cluster_id: str
    cluster_name: str
    seal_type: str
    seal_key_id: str
    raft_index: int
    raft_term: int


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


class VaultManifest(SignedManifest, frozen=True, kw_only=True):
    """The manifest of a snapshot; `keys` are those that it is useless without."""

    source: Source
    keys: list[WrappedKey]
    contents: Contents

    @property
    def name(self) -> BackupName:
        return BackupName(self.kind, self.series, self.started)

    @property
    def cluster_id(self) -> str:
        """What tells whether two backups are of one Vault."""
        return self.source.cluster_id

    @property
    def live_count(self) -> int:
        """How much it held: secrets that could be read."""
        return self.contents.live_count
