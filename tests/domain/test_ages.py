"""How old what would be restored is, and when that is too old."""

from datetime import timedelta

import pytest

from lambdas.domain.ages import BACKUP_LIMIT, TEST_EVENTS, TEST_LIMIT, Ages, ages_of, too_old
from lambdas.domain.backup import ProofLevel, Series
from tests.domain.builders import STARTED, row_of

HOUR = 3600
NOW = STARTED + timedelta(hours=1, seconds=10)


def test_the_limits_are_those_of_the_issue() -> None:
    assert (BACKUP_LIMIT, TEST_LIMIT) == (25 * HOUR, 7 * 24 * HOUR + HOUR)
    assert TEST_EVENTS == {"vault": "vault_restore_test_completed"}


def test_a_backup_is_as_old_as_the_data_in_it_and_a_test_counts_from_its_end() -> None:
    ages = ages_of("vault", [row_of()], STARTED - timedelta(days=2), NOW)
    assert ages == Ages("vault", row_of().id, HOUR + 10, 2 * 24 * HOUR + HOUR + 10)


@pytest.mark.parametrize(
    ("kind", "series", "proof"),
    [("database", "daily", "proven"), ("vault", "pre-restore", "proven"), ("vault", "daily", "stored")],
)
def test_what_a_recovery_would_not_take_by_itself_does_not_count(kind: str, series: Series, proof: ProofLevel) -> None:
    older = row_of(STARTED - timedelta(days=1))
    ages = ages_of("vault", [row_of(STARTED, kind, series, proof), older], None, NOW)
    assert (ages.backup_id, ages.backup_seconds) == (older.id, 25 * HOUR + 10)


def test_what_is_not_there_has_no_age() -> None:
    assert ages_of("vault", [], None, NOW) == Ages("vault", None, None, None)


@pytest.mark.parametrize(("backup", "test"), [(BACKUP_LIMIT, TEST_LIMIT), (0, 0)])
def test_what_is_young_enough_is_good(backup: int, test: int) -> None:
    assert too_old(Ages("vault", "b", backup, test), tested_here=True) == []


def test_what_is_too_old_is_told_in_words() -> None:
    assert too_old(Ages("vault", "b", BACKUP_LIMIT + 1, TEST_LIMIT + 1), tested_here=True) == [
        "the newest good vault backup is 25 h old",
        "the newest restore test of vault is 169 h old",
    ]


def test_what_is_missing_is_told_too_but_a_test_only_where_tests_are_made() -> None:
    nothing = Ages("vault", None, None, None)
    assert too_old(nothing, tested_here=True) == [
        "there is no good vault backup",
        "no vault backup has been restored as a test",
    ]
    assert too_old(nothing, tested_here=False) == ["there is no good vault backup"]
    assert too_old(Ages("vault", "b", 1, TEST_LIMIT + 1), tested_here=False) == []
