"""How far a backup is proved, and what became of its copy: in the tags of its manifest and in the catalog."""

from dataclasses import replace

from lambdas.adapters.backup_store import BackupStore
from lambdas.adapters.catalog import Catalog
from lambdas.domain.backup import CatalogRow, CopyStatus, ProofLevel, may_raise, reaches
from lambdas.domain.database_time import Paced
from lambdas.domain.operation import Operation


def record_proof(
    catalog: Catalog, store: BackupStore, operation: Operation, backup_id: str, level: ProofLevel
) -> CatalogRow:
    """Record that an operation has proved a backup to `level`, where it may; a higher level stays. Gives the row.

    The tags come first: a catalog that is rebuilt may know more than the one that was lost, and never less. Raises
    `BackupUnknown` and `StorageRefused`.
    """
    row = catalog.get(backup_id)
    if not may_raise(row, operation.id):
        return row
    store.keep_status(row if reaches(row.proof, level) else replace(row, proof=level))
    return catalog.raise_proof(backup_id, level)


def record_refuted(catalog: Catalog, store: BackupStore, backup_id: str) -> CatalogRow:
    """Record that a restore test has refuted a backup: one that was good is `stored`, and `may_raise` keeps it there.

    What is not good stays as it is: no recovery takes it by itself. The tags come first here too. Gives the row. Raises
    as `record_proof`.
    """
    row = catalog.get(backup_id)
    if not row.is_good:
        return row
    store.keep_status(replace(row, proof="stored"))
    return catalog.lower_to_stored(backup_id)


def record_copy(catalog: Catalog, store: BackupStore, backup_id: str, status: CopyStatus) -> CatalogRow:
    """Record what became of the copy in the other region; the tags come first here too. Raises as `record_proof`."""
    store.keep_status(replace(catalog.get(backup_id), copy=status))
    return catalog.set_copy(backup_id, status)


def record_second_copy(catalog: Catalog, store: BackupStore, backup_id: str, status: CopyStatus) -> None:
    """Record what became of the copy in the second store; the tags come first here too. Raises as `record_proof`."""
    store.keep_status(replace(catalog.get(backup_id), second_copy=status))
    catalog.set_second_copy(backup_id, status)


def record_rate(catalog: Catalog, store: BackupStore, backup_id: str, of: Paced, rate: int) -> None:
    """Record how fast a backup was restored or proved, in bytes of SQL a second; no rate is kept as it was.

    The tags come first here too. Raises as `record_proof`.
    """
    if rate:
        row = catalog.get(backup_id)
        store.keep_status(replace(row, load_rate=rate) if of == "load_rate" else replace(row, proof_rate=rate))
        catalog.set_rate(backup_id, of, rate)
