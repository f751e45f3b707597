"""What the manifest of a database dump says beyond that of any backup."""

from msgspec import UNSET, Struct, UnsetType

from lambdas.domain.backup import BackupName, Bytes, SignedManifest, WrappedKey
from lambdas.domain.database_properties import DatabaseProperties

GLOBALS = "roles.sql"
"""The name of what lies sealed in the manifest of a dump: the roles of its server."""


def title(schema: str, name: str) -> str:
    """A table or sequence as people read it, on one line: its name may hold anything."""
    return "".join(letter if letter.isprintable() else "?" for letter in f"{schema}.{name}")


class DatabaseSource(Struct, frozen=True, forbid_unknown_fields=True):
    """The database that a dump comes from. `locale` holds what `CREATE DATABASE` needs to make one like it."""

    database: str
    system_identifier: str
    server_version: str
    major: int
    encoding: str
    locale: dict[str, str]


class TableFacts(Struct, frozen=True, forbid_unknown_fields=True):
    """A table under the dump's snapshot: its rows, and the sum of their hashes, which no order changes (in decimal)."""

    schema: str
    name: str
    rows: int
    checksum: str

    @property
    def title(self) -> str:
        return title(self.schema, self.name)


class SequenceFacts(Struct, frozen=True, forbid_unknown_fields=True):
    """A sequence before the dump, or after it where that is less: a restored one is at least here, or beyond.

    It stands outside of every snapshot. `last_value` is None for one that was never used, that was set to its beginning
    or turned round while the dump was taken, and for one that begins again at its end.
    """

    schema: str
    name: str
    last_value: int | None
    increment: int

    @property
    def title(self) -> str:
        return title(self.schema, self.name)


class DatabaseContents(Struct, frozen=True, forbid_unknown_fields=True):
    """What the database held.

    `sql` is the dump before it was compressed, the two lines with version numbers left out: what a dump of the restored
    database must equal, byte for byte or but for the words of its expressions (`sql_digest.py`). `restrict_key` is
    that of `\\restrict`, made for this dump alone. `alembic` is the revision of the schema, None where Alembic is not
    used. `roles` own something or hold a right, and `globals` are the roles of the whole server as SQL, sealed.
    `large_objects` are counted and summed as a table is.
    `left_out` are tables whose rows could not be read when a damaged database was saved. `properties` are those of the
    database itself; a manifest of an earlier version does not know them, and has the very bytes that it signed.
    """

    sql: Bytes
    restrict_key: str
    tables: list[TableFacts]
    sequences: list[SequenceFacts]
    extensions: dict[str, str]
    roles: list[str]
    alembic: str | None
    large_objects: TableFacts
    size: int
    globals: WrappedKey
    left_out: list[str] = []
    properties: DatabaseProperties | UnsetType = UNSET

    @property
    def rows(self) -> int:
        return sum(table.rows for table in self.tables)


class DatabaseManifest(SignedManifest, frozen=True, kw_only=True):
    """The manifest of a dump. `dump_seconds` is what the dump itself took, whatever its operation had to wait for.

    `loss_accepted` is there, and true, only where a person has said that a loss is meant: without it a manifest has the
    very bytes that an earlier version signed.
    """

    source: DatabaseSource
    contents: DatabaseContents
    dump_seconds: float = 0.0
    loss_accepted: bool | UnsetType = UNSET

    @property
    def name(self) -> BackupName:
        return BackupName(self.kind, self.series, self.started, self.source.database)

    @property
    def cluster_id(self) -> str:
        """What tells whether two backups are of one database."""
        return f"{self.source.system_identifier}/{self.source.database}"

    @property
    def live_count(self) -> int:
        """How much it held: rows of all tables."""
        return self.contents.rows
