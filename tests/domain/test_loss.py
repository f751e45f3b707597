"""A Vault that was emptied or replaced is not backed up as if nothing were: its backup would be the newest."""

from datetime import timedelta

import pytest

from lambdas.domain.loss import refuse_what_looks_lost
from lambdas.domain.vault_errors import VaultLooksLost
from tests.domain.builders import STARTED, row_of

LAST = row_of(live_count=1000)


def test_a_vault_without_an_earlier_backup_has_lost_nothing() -> None:
    assert refuse_what_looks_lost([], "c-1", 0) is None


@pytest.mark.parametrize("live", [5000, 1000, 999, 500])
def test_a_vault_that_holds_at_least_half_of_what_it_held_is_backed_up(live: int) -> None:
    assert refuse_what_looks_lost([LAST], "c-1", live) == LAST.id


@pytest.mark.parametrize("live", [499, 1, 0])
def test_a_vault_that_has_lost_more_than_half_is_not(live: int) -> None:
    with pytest.raises(VaultLooksLost, match=f"{LAST.id}: {live} secrets are left of 1000"):
        refuse_what_looks_lost([LAST], "c-1", live)


def test_another_cluster_is_not() -> None:
    with pytest.raises(VaultLooksLost, match=f"{LAST.id}: it is another cluster"):
        refuse_what_looks_lost([LAST], "c-2", 1000)


def test_it_is_held_against_the_newest_good_nightly_backup_and_no_other() -> None:
    later = STARTED + timedelta(hours=1)
    others = [
        row_of(later, proof="stored", live_count=9000),
        row_of(later, series="pre-restore", live_count=9000),
        row_of(later, kind="database", live_count=9000),
    ]
    older = row_of(STARTED - timedelta(days=1), live_count=9000)
    assert refuse_what_looks_lost([*others, LAST, older], "c-1", 1000) == LAST.id
