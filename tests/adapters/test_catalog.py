"""The catalog: a row a backup, whose proof only ever rises."""

import dataclasses
import threading
from datetime import timedelta

import pytest
from botocore.exceptions import ClientError

from lambdas.adapters.catalog import Catalog
from lambdas.domain.backup import PROOF_LEVELS, CatalogRow, ProofLevel
from lambdas.domain.errors import BackupUnknown
from tests.domain.builders import STARTED, row_of
from tests.servers.aws import PRIMARY, aws, refused
from tests.servers.tables import make_tables

TABLE = "mailark-catalog"

pytestmark = pytest.mark.usefixtures("_clean")


@pytest.fixture
def catalog() -> Catalog:
    make_tables()
    return Catalog(PRIMARY, TABLE)


def _stored(catalog: Catalog, proof: ProofLevel = "stored") -> CatalogRow:
    row = row_of(proof=proof)
    catalog.put(row)
    return row


def test_a_row_is_read_as_it_was_put(catalog: Catalog) -> None:
    row = _stored(catalog)
    assert catalog.get(row.id) == row
    assert catalog.rows() == [row]


def test_putting_a_row_again_replaces_it(catalog: Catalog) -> None:
    row = dataclasses.replace(_stored(catalog), version_id="v2", size=7)
    catalog.put(row)
    assert catalog.rows() == [row]


def test_an_unknown_backup_is_named(catalog: Catalog) -> None:
    with pytest.raises(BackupUnknown, match="vault-snapshot-20261122T020000Z"):
        catalog.get("vault-snapshot-20261122T020000Z")
    with pytest.raises(BackupUnknown):
        catalog.raise_proof("vault-snapshot-20261122T020000Z", "intact")


def test_all_rows_come_newest_first_however_many_they_are(catalog: Catalog) -> None:
    rows = [row_of(STARTED + timedelta(hours=i * 7 % 200)) for i in range(200)]
    padded = [dataclasses.replace(row, operation_id="x" * 9_000) for row in rows]
    for row in padded:
        catalog.put(row)
    page = aws("dynamodb").scan(TableName=TABLE)
    assert "LastEvaluatedKey" in page
    assert catalog.rows() == sorted(padded, key=lambda row: row.started_at, reverse=True)


@pytest.mark.parametrize("level", PROOF_LEVELS)
@pytest.mark.parametrize("before", PROOF_LEVELS)
def test_proof_rises_and_never_falls(before: ProofLevel, level: ProofLevel, catalog: Catalog) -> None:
    row = _stored(catalog, before)
    for _ in range(2):
        catalog.raise_proof(row.id, level)
    expected = max(before, level, key=PROOF_LEVELS.index)
    assert catalog.get(row.id) == dataclasses.replace(row, proof=expected)


@pytest.mark.parametrize("before", PROOF_LEVELS)
def test_what_a_proof_has_refuted_is_stored(before: ProofLevel, catalog: Catalog) -> None:
    row = _stored(catalog, before)
    for _ in range(2):
        assert catalog.lower_to_stored(row.id) == catalog.get(row.id) == dataclasses.replace(row, proof="stored")


def test_two_proofs_at_once_leave_the_higher_one(catalog: Catalog) -> None:
    row, both_have_read = _stored(catalog), threading.Barrier(2)

    def prove(level: ProofLevel) -> None:
        own = Catalog(PRIMARY, TABLE)
        once = iter([both_have_read.wait])
        own._dynamo.meta.events.register("after-call.dynamodb.GetItem", lambda **_: next(once, int)())
        own.raise_proof(row.id, level)

    levels: list[ProofLevel] = ["intact", "proven"]
    threads = [threading.Thread(target=prove, args=(level,)) for level in levels]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert catalog.get(row.id).proof == "proven"


def test_the_copy_has_a_status_of_its_own(catalog: Catalog) -> None:
    row = _stored(catalog, "intact")
    for status in ("failed", "intact", "intact"):
        catalog.set_copy(row.id, "failed" if status == "failed" else "intact")
        assert catalog.get(row.id) == dataclasses.replace(row, copy=status)


def test_a_copy_of_an_unknown_backup_makes_no_row(catalog: Catalog) -> None:
    with pytest.raises(ClientError, match="ConditionalCheckFailed"):
        catalog.set_copy("unknown", "failed")
    assert catalog.rows() == []


def test_a_refusal_is_passed_on_and_not_taken_for_a_lost_race(catalog: Catalog) -> None:
    row = _stored(catalog)
    with refused("UpdateItem", "AccessDeniedException"), pytest.raises(ClientError, match="AccessDenied"):
        catalog.raise_proof(row.id, "intact")
    assert catalog.get(row.id) == row
