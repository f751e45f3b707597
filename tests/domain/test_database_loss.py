"""A dump that looks as if rows were lost does not become the newest good one."""

import dataclasses
from datetime import timedelta

import pytest

from lambdas.domain.backup import CatalogRow, ProofLevel, Series
from lambdas.domain.database_errors import DumpLooksLost
from lambdas.domain.database_loss import refuse_what_looks_lost
from tests.domain.builders import STARTED, row_of


def _night(ago: int, size: int = 1000, proof: ProofLevel = "intact", series: Series = "daily") -> CatalogRow:
    row = row_of(STARTED - timedelta(days=ago), kind="database", proof=proof, series=series)
    return dataclasses.replace(row, size=size)


def _week(*sizes: int) -> list[CatalogRow]:
    """The dumps of the nights before, newest first."""
    return [_night(ago, size) for ago, size in enumerate(sizes, start=1)]


def _tonight(size: int = 1000) -> CatalogRow:
    return _night(0, size, "stored")


def test_the_first_dump_has_nothing_to_be_held_against() -> None:
    assert refuse_what_looks_lost([_tonight(1)], _tonight(1), 13) is None


def test_a_dump_without_tables_has_lost_everything_even_if_it_is_the_first() -> None:
    with pytest.raises(DumpLooksLost, match="there is no table in it"):
        refuse_what_looks_lost([], _tonight(), 0)


@pytest.mark.parametrize("size", [9000, 1000, 501, 500])
def test_half_of_the_usual_size_is_enough(size: int) -> None:
    assert refuse_what_looks_lost(_week(*[1000] * 7), _tonight(size), 13) == 1000


@pytest.mark.parametrize("size", [499, 1, 0])
def test_less_than_half_is_not(size: int) -> None:
    with pytest.raises(DumpLooksLost, match=f"it has {size} bytes, and the last 7 have 1000 "):
        refuse_what_looks_lost(_week(*[1000] * 7), _tonight(size), 13)


def test_one_odd_night_among_seven_changes_nothing() -> None:
    assert refuse_what_looks_lost(_week(90_000, *[1000] * 6), _tonight(600), 13) == 1000


def test_what_is_older_than_the_last_seven_does_not_count() -> None:
    assert refuse_what_looks_lost(_week(*[100] * 7, *[9000] * 20), _tonight(60), 13) == 100


def test_what_is_older_than_the_newest_accepted_loss_does_not_count() -> None:
    accepted = dataclasses.replace(_night(2, 400), loss_accepted=True)
    older = dataclasses.replace(_night(4, 90_000), loss_accepted=True)
    rows = [_night(1, 410), accepted, _night(3, 1000), older, *(_night(ago) for ago in range(5, 9))]
    assert refuse_what_looks_lost(rows, _tonight(400), 13) == 405
    assert refuse_what_looks_lost(rows[1:], _tonight(200), 13) == 400
    with pytest.raises(DumpLooksLost, match="it has 199 bytes, and the last 1 have 400 "):
        refuse_what_looks_lost(rows[1:], _tonight(199), 13)


def test_an_accepted_loss_that_never_became_good_changes_nothing() -> None:
    accepted = dataclasses.replace(_night(1, 400, "stored"), loss_accepted=True)
    with pytest.raises(DumpLooksLost):
        refuse_what_looks_lost([accepted, *(_night(ago) for ago in range(2, 9))], _tonight(400), 13)


def test_an_even_number_of_nights_has_a_median_too() -> None:
    assert refuse_what_looks_lost(_week(1000, 2001), _tonight(), 13) == 1500


def test_only_good_dumps_of_the_database_count() -> None:
    others = [
        _night(1, 90_000, "stored"),
        _night(1, 90_000, series="pre-restore"),
        dataclasses.replace(row_of(STARTED - timedelta(days=1)), size=90_000),
    ]
    assert refuse_what_looks_lost([*others, _night(2)], _tonight(), 13) == 1000


def test_a_dump_is_not_held_against_itself() -> None:
    verified = dataclasses.replace(_tonight(100), proof="intact")
    with pytest.raises(DumpLooksLost):
        refuse_what_looks_lost([verified, *_week(1000)], verified, 13)


def test_another_server_or_database_is_another_one_whatever_its_size() -> None:
    other = dataclasses.replace(_tonight(), cluster_id="c-2")
    last = _night(1)
    with pytest.raises(DumpLooksLost, match=f"it is of another server or database than {last.id}"):
        refuse_what_looks_lost([last], other, 13)
