"""`choose_backup`, from a real catalog: the one that was named, or the newest that is proved intact."""

import dataclasses

import pytest

from lambdas.domain.backup import CatalogRow, ProofLevel
from lambdas.domain.errors import BackupOfOtherKind, BackupUnknown, NoBackupOnDate, NoUsableBackup
from tests.actions.database_house import Event
from tests.actions.house import House
from tests.domain.builders import STARTED, row_of


@pytest.fixture
def rows(house: House) -> list[CatalogRow]:
    """Five nights, the newest of which is only stored; what was saved before a restore; and another kind."""
    proofs: list[ProofLevel] = ["stored", "intact", "proven", "intact", "stored"]
    rows = [row_of(STARTED.replace(day=22 - i), proof=proof) for i, proof in enumerate(proofs)]
    rows.append(row_of(STARTED.replace(day=23), series="pre-restore"))
    rows.append(row_of(STARTED.replace(day=24), kind="database"))
    for row in rows:
        house.catalog().put(row)
    return rows


def _choose(house: House, **choice: object) -> Event:
    found: Event = house.run("choose_backup", {"operation": house.operation("vault_restore"), "kind": "vault"} | choice)
    return found


def test_the_newest_nightly_backup_that_is_proved_is_chosen_each_time(house: House, rows: list[CatalogRow]) -> None:
    expected = {
        "backup_id": "vault-snapshot-20261121T020000Z",
        "backup_date": "2026-11-21",
        "later_than_deletion": False,
        "passed_over": [{"backup_id": rows[0].id, "proof": "stored"}],
    }
    assert [_choose(house) for _ in range(2)] == [expected, expected]
    assert sorted(house.catalog().rows(), key=lambda row: row.id) == sorted(rows, key=lambda row: row.id)


def test_nothing_given_is_the_same_as_null(house: House, rows: list[CatalogRow]) -> None:
    assert _choose(house, backup_date=None, backup_id=None) == _choose(house)


def test_a_date_chooses_the_backup_of_that_day(house: House, rows: list[CatalogRow]) -> None:
    assert _choose(house, backup_date="2026-11-19")["backup_id"] == "vault-snapshot-20261119T020000Z"


@pytest.mark.parametrize("index", [0, 4, 5])
def test_an_id_chooses_that_backup_whatever_its_level_and_series(
    index: int, house: House, rows: list[CatalogRow]
) -> None:
    row = rows[index]
    chosen = {"backup_id": row.id, "backup_date": row.date, "later_than_deletion": False, "passed_over": []}
    assert _choose(house, backup_id=row.id) == chosen


@pytest.mark.parametrize(("before", "later"), [("02:00:20", True), ("02:00:41", False)])
def test_a_backup_that_was_named_is_taken_and_told_to_be_later_than_the_deletion(
    before: str, later: bool, house: House
) -> None:
    row = row_of(kind="database", finished_at="2026-11-22T02:00:40+00:00")
    house.catalog().put(row)
    chosen = _choose(house, kind="database", backup_id=row.id, before=f"2026-11-22T{before}+00:00")
    assert chosen == {"backup_id": row.id, "backup_date": row.date, "later_than_deletion": later, "passed_over": []}


def test_a_day_without_a_proved_backup_is_answered_with_the_days_that_have_one(
    house: House, rows: list[CatalogRow]
) -> None:
    with pytest.raises(NoBackupOnDate, match="no-backup-on-date") as failure:
        _choose(house, backup_date="2026-11-22")
    assert "2026-11-21, 2026-11-20, 2026-11-19" in str(failure.value)


def test_an_id_that_is_not_there_is_answered_with_those_that_are(house: House, rows: list[CatalogRow]) -> None:
    with pytest.raises(BackupUnknown, match="backup-unknown") as failure:
        _choose(house, backup_id="vault-snapshot-20200101T020000Z")
    assert rows[0].id in str(failure.value)


def test_a_backup_of_another_kind_is_refused(house: House, rows: list[CatalogRow]) -> None:
    with pytest.raises(BackupOfOtherKind, match="backup-of-other-kind"):
        _choose(house, backup_id=rows[-1].id)


def test_a_catalog_in_which_nothing_is_proved_has_nothing_to_restore(house: House) -> None:
    with pytest.raises(NoUsableBackup, match="no-usable-backup"):
        _choose(house)
    house.catalog().put(dataclasses.replace(row_of(proof="stored")))
    with pytest.raises(NoUsableBackup):
        _choose(house)
