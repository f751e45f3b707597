"""How far a backup is proved, in the catalog and in the tags of its manifest, which are never of two minds."""

import dataclasses

import pytest

from lambdas.adapters.backup_store import BackupStore
from lambdas.adapters.catalog import Catalog
from lambdas.adapters.proof_record import record_copy, record_proof, record_refuted
from lambdas.domain.backup import CatalogRow, ProofLevel, manifest_key
from lambdas.domain.errors import StorageRefused
from lambdas.domain.operation import Lease, Operation
from tests.domain.builders import row_of
from tests.servers.aws import PRIMARY, refused
from tests.servers.buckets import make_bucket, put
from tests.servers.tables import make_tables

pytestmark = pytest.mark.usefixtures("_clean")

Kept = tuple[Catalog, BackupStore]


@pytest.fixture
def kept() -> Kept:
    make_tables()
    return Catalog(PRIMARY, "mailark-catalog"), make_bucket()


def _stored(kept: Kept, proof: ProofLevel) -> CatalogRow:
    catalog, store = kept
    row = row_of(kind="database", proof=proof)
    row = dataclasses.replace(row, manifest_version=put(store, manifest_key(row.key), b"{}"))
    catalog.put(row)
    store.keep_status(row)
    return row


def _operation(name: str) -> Operation:
    execution = f"arn:aws:states:{PRIMARY}:111122223333:execution:mailark-database-backup:{name}"
    return Operation(name, "database_backup", execution, "recover", "", Lease("database-backup", 1), "a test", "jo")


def _tag(kept: Kept, row: CatalogRow) -> str:
    return kept[1].status(manifest_key(row.key), row.manifest_version)["proof"]


def test_the_operation_that_made_a_backup_raises_it_however_often_it_says_so(kept: Kept) -> None:
    row = _stored(kept, "stored")
    for _ in range(2):
        assert record_proof(*kept, _operation(row.operation_id), row.id, "intact").proof == "intact"
        assert (kept[0].get(row.id).proof, _tag(kept, row)) == ("intact", "intact")


@pytest.mark.parametrize("level", ["intact", "restorable", "proven"])
def test_what_its_own_operation_left_unproved_no_other_one_raises(level: ProofLevel, kept: Kept) -> None:
    row = _stored(kept, "stored")
    assert record_proof(*kept, _operation("another"), row.id, level) == row
    assert (kept[0].get(row.id), _tag(kept, row)) == (row, "stored")


@pytest.mark.parametrize("name", ["op-1", "another"])
def test_what_its_own_operation_has_proved_every_one_raises_and_none_lowers(name: str, kept: Kept) -> None:
    row = _stored(kept, "intact")
    levels: list[ProofLevel] = ["restorable", "proven", "intact"]
    for level in levels:
        record_proof(*kept, _operation(name), row.id, level)
    assert (kept[0].get(row.id).proof, _tag(kept, row)) == ("proven", "proven")


@pytest.mark.parametrize("level", ["intact", "restorable", "proven"])
def test_what_a_proof_has_refuted_is_stored_and_no_other_operation_raises_it(level: ProofLevel, kept: Kept) -> None:
    row = _stored(kept, level)
    lowered = dataclasses.replace(row, proof="stored")
    for _ in range(2):
        assert record_refuted(*kept, row.id) == lowered
        assert record_proof(*kept, _operation("another"), row.id, "proven") == lowered
        assert (kept[0].get(row.id), _tag(kept, row)) == (lowered, "stored")


def test_where_the_tags_cannot_be_written_the_row_stays_so_that_it_is_tried_again(kept: Kept) -> None:
    row = _stored(kept, "proven")
    with refused(lambda request: "tagging" in request.url, "AccessDenied", 403), pytest.raises(StorageRefused):
        record_refuted(*kept, row.id)
    assert kept[0].get(row.id) == row


def test_what_is_not_good_keeps_its_level_when_its_proof_fails(kept: Kept) -> None:
    row = _stored(kept, "intact")
    saved = dataclasses.replace(row, series="pre-restore")
    kept[0].put(saved)
    assert record_refuted(*kept, row.id) == saved
    assert (kept[0].get(row.id), _tag(kept, row)) == (saved, "intact")


def test_what_became_of_a_copy_proves_nothing(kept: Kept) -> None:
    row = _stored(kept, "stored")
    record_copy(*kept, row.id, "intact")
    assert (kept[0].get(row.id), _tag(kept, row)) == (dataclasses.replace(row, copy="intact"), "stored")
