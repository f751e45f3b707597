"""Which backup a restore takes."""

from datetime import UTC, date, datetime, timedelta

import pytest

from lambdas.domain.backup import CatalogRow
from lambdas.domain.choosing import PassedOver, choose_backup, passed_over
from lambdas.domain.database_errors import NoBackupBefore
from lambdas.domain.errors import BackupOfOtherKind, BackupUnknown, NoBackupOnDate, NoUsableBackup
from tests.domain.builders import row_of


def night(day: int, hour: int = 2) -> datetime:
    return datetime(2026, 11, day, hour, tzinfo=UTC)


def newest_first(*rows: CatalogRow) -> list[CatalogRow]:
    return sorted(rows, key=lambda row: row.started_at, reverse=True)


NEWEST, MIDDLE, OLDEST = row_of(night(22)), row_of(night(21)), row_of(night(20))
ROWS = newest_first(NEWEST, MIDDLE, OLDEST)


def test_it_is_the_newest_one() -> None:
    assert choose_backup(ROWS, "vault") == NEWEST


def test_a_newer_one_that_is_merely_stored_is_passed_over() -> None:
    rows = newest_first(row_of(night(23), proof="stored"), *ROWS)
    assert choose_backup(rows, "vault") == NEWEST


def test_the_newest_intact_one_goes_before_an_older_one_that_is_proved_further() -> None:
    rows = newest_first(NEWEST, row_of(night(21), proof="proven"))
    assert choose_backup(rows, "vault") == NEWEST


def test_one_that_is_proved_further_than_intact_is_as_good() -> None:
    proven = row_of(night(23), proof="proven")
    assert choose_backup(newest_first(proven, *ROWS), "vault") == proven


def test_one_that_was_saved_before_a_restore_is_passed_over() -> None:
    rows = newest_first(row_of(night(23), series="pre-restore", proof="proven"), *ROWS)
    assert choose_backup(rows, "vault") == NEWEST


def test_one_of_another_kind_is_passed_over() -> None:
    rows = newest_first(row_of(night(23), kind="database"), *ROWS)
    assert choose_backup(rows, "vault") == NEWEST


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [row_of(night(22), proof="stored")],
        [row_of(night(22), series="pre-restore")],
        [row_of(night(22), kind="database")],
    ],
)
@pytest.mark.parametrize("day", [None, date(2026, 11, 22)])
def test_where_none_is_usable_the_hint_says_where_else_to_look(rows: list[CatalogRow], day: date | None) -> None:
    with pytest.raises(NoUsableBackup) as caught:
        choose_backup(rows, "vault", backup_date=day)
    assert str(caught.value) == (
        "no-usable-backup: No vault backup is proved intact.\n"
        "Next: Run vault_backup if the vault still works; otherwise name one with backup_id, "
        "or look in the other region's catalog."
    )


# --- by date ----------------------------------------------------------------------------------------------


def test_a_date_takes_the_one_of_that_day() -> None:
    assert choose_backup(ROWS, "vault", backup_date=date(2026, 11, 21)) == MIDDLE


def test_a_date_takes_the_newest_intact_one_of_that_day() -> None:
    noon = row_of(night(21, hour=12))
    rows = newest_first(*ROWS, noon, row_of(night(21, hour=13), proof="stored"))
    assert choose_backup(rows, "vault", backup_date=date(2026, 11, 21)) == noon


@pytest.mark.parametrize(
    "other",
    [
        row_of(night(19), proof="stored"),
        row_of(night(19), series="pre-restore"),
        row_of(night(19), kind="database"),
    ],
)
def test_a_date_without_a_usable_backup_lists_the_dates_that_have_one(other: CatalogRow) -> None:
    rows = newest_first(*ROWS, row_of(night(21, hour=12)), other)
    with pytest.raises(NoBackupOnDate) as caught:
        choose_backup(rows, "vault", backup_date=date(2026, 11, 19))
    assert str(caught.value) == (
        "no-backup-on-date: There is no vault backup of 2026-11-19.\n"
        "Next: Dates with a backup that can be restored: 2026-11-22, 2026-11-21, 2026-11-20."
    )


@pytest.mark.parametrize(("days", "more"), [(10, ""), (11, " and 1 more"), (25, " and 15 more")])
def test_of_many_dates_the_ten_newest_are_listed(days: int, more: str) -> None:
    rows = newest_first(*(row_of(night(day)) for day in range(1, days + 1)))
    with pytest.raises(NoBackupOnDate) as caught:
        choose_backup(rows, "vault", backup_date=date(2026, 10, 1))
    ten = ", ".join(f"2026-11-{day:02}" for day in range(days, days - 10, -1))
    assert str(caught.value).endswith(f"Dates with a backup that can be restored: {ten}{more}.")


# --- by id ------------------------------------------------------------------------------------------------


def test_an_id_takes_that_very_one() -> None:
    assert choose_backup(ROWS, "vault", backup_id=OLDEST.id) == OLDEST


@pytest.mark.parametrize("row", [row_of(night(19), proof="stored"), row_of(night(19), series="pre-restore")])
def test_an_id_takes_also_what_is_never_taken_by_itself(row: CatalogRow) -> None:
    assert choose_backup(newest_first(*ROWS, row), "vault", backup_id=row.id) == row


def test_an_unknown_id_is_refused_with_the_ids_that_exist() -> None:
    rows = newest_first(NEWEST, MIDDLE, row_of(night(23), kind="database"))
    with pytest.raises(BackupUnknown) as caught:
        choose_backup(rows, "vault", backup_id="vault-snapshot-19990101T000000Z")
    assert str(caught.value) == (
        "backup-unknown: The catalog has no backup with the id vault-snapshot-19990101T000000Z.\n"
        "Next: Newest ids of this kind: vault-snapshot-20261122T020000Z, vault-snapshot-20261121T020000Z."
    )


def test_an_id_of_another_kind_is_refused_with_the_ids_of_the_right_one() -> None:
    database = row_of(night(23), kind="database")
    with pytest.raises(BackupOfOtherKind) as caught:
        choose_backup(newest_first(NEWEST, database), "vault", backup_id=database.id)
    assert str(caught.value) == (
        "backup-of-other-kind: smtpy_20261123_020000.sql.gz is a backup of kind database, "
        "and this scenario restores vault.\n"
        "Next: Newest ids of the right kind: vault-snapshot-20261122T020000Z."
    )


def _dump(day: int) -> CatalogRow:
    """A dump that was begun at two, and finished 40 seconds later."""
    return row_of(night(day), kind="database", finished_at=(night(day) + timedelta(seconds=40)).isoformat())


@pytest.mark.parametrize(
    ("second", "chosen"),
    [(-1, "2026-11-21"), (0, "2026-11-21"), (20, "2026-11-21"), (40, "2026-11-21"), (41, "2026-11-22")],
)
def test_deleted_rows_come_from_the_newest_backup_that_was_finished_before(second: int, chosen: str) -> None:
    rows = newest_first(*(_dump(day) for day in (20, 21, 22)))
    assert choose_backup(rows, "database", before=night(22) + timedelta(seconds=second)).date == chosen


def test_a_row_that_does_not_say_when_its_backup_was_finished_counts_as_finished_a_day_later() -> None:
    rows = newest_first(*(row_of(night(day), kind="database") for day in (20, 21)))
    assert choose_backup(rows, "database", before=night(22)).date == "2026-11-21"
    assert choose_backup(rows, "database", before=night(22) - timedelta(seconds=1)).date == "2026-11-20"


def test_without_a_backup_from_before_nothing_is_chosen() -> None:
    with pytest.raises(NoBackupBefore) as caught:
        choose_backup([_dump(22)], "database", before=datetime(2026, 11, 20, tzinfo=UTC))
    assert str(caught.value).startswith(
        "no-backup-before: No good database backup was finished before 2026-11-20T00:00:00+00:00; the oldest there is "
        "was finished at 2026-11-22T02:00:41+00:00.\n"
    )


def test_an_empty_catalog_has_no_ids_to_list() -> None:
    with pytest.raises(BackupUnknown, match=r"Newest ids of this kind: none\.$"):
        choose_backup([], "vault", backup_id="x")


def test_the_empty_state_of_the_staging_vault_can_never_be_chosen() -> None:
    empty = row_of(series="staging")
    with pytest.raises(BackupUnknown, match=empty.id):
        choose_backup([empty], "vault", backup_id=empty.id)
    with pytest.raises(NoUsableBackup):
        choose_backup([empty], "vault")


# --- what was passed over ---------------------------------------------------------------------------------


def test_newer_ones_that_are_not_good_are_told_with_their_level_the_newest_first() -> None:
    newer = [row_of(night(day), proof="stored") for day in (24, 23)]
    rows = newest_first(*newer, *ROWS, row_of(night(19), proof="stored"))
    assert passed_over(rows, choose_backup(rows, "vault")) == [PassedOver(row.id, "stored") for row in newer]


@pytest.mark.parametrize("other", [row_of(night(23), series="pre-restore"), row_of(night(23), kind="database")])
def test_one_of_another_kind_or_series_would_not_have_been_chosen_anyway(other: CatalogRow) -> None:
    rows = newest_first(other, *ROWS)
    assert passed_over(rows, choose_backup(rows, "vault")) == []


def test_of_a_date_those_of_that_day_are_told_alone() -> None:
    noon = row_of(night(21, hour=12), proof="stored")
    rows = newest_first(*ROWS, noon, row_of(night(23), proof="stored"))
    day = date(2026, 11, 21)
    assert passed_over(rows, choose_backup(rows, "vault", day), day) == [PassedOver(noon.id, "stored")]


def test_one_that_was_finished_after_the_deletion_is_not_told_as_passed_over() -> None:
    after = row_of(night(23), kind="database", proof="stored")
    bad = row_of(night(22), kind="database", proof="stored", finished_at=night(22, hour=3).isoformat())
    rows, before = newest_first(after, bad, _dump(21)), night(23, hour=1)
    assert passed_over(rows, choose_backup(rows, "database", before=before), before=before) == [
        PassedOver(bad.id, "stored")
    ]


def test_ten_are_told_at_most() -> None:
    newer = [row_of(night(day), proof="stored") for day in range(28, 16, -1)]
    rows = [*newer, row_of(night(16))]
    assert passed_over(rows, rows[-1]) == [PassedOver(row.id, "stored") for row in newer[:10]]
