"""Which staging Vault a restore test may overwrite."""

from datetime import timedelta

import pytest

from lambdas.domain.backup import CatalogRow, ProofLevel
from lambdas.domain.staging import empty_state
from lambdas.domain.vault_errors import StagingNotEmpty
from tests.domain.builders import STARTED, row_of

ADDRESS = "https://staging.example.net"
BACKUP = row_of()
OLD, NEW = (row_of(STARTED - timedelta(days=days), series="staging") for days in (14, 7))


def found(
    rows: list[CatalogRow], secrets: int = 1000, cluster_id: str = "c-1", live_answers: bool = True
) -> str | None:
    return empty_state(rows, address=ADDRESS, secrets=secrets, cluster_id=cluster_id, live_answers=live_answers)


def test_an_empty_one_is_saved_first_whatever_was_saved_before() -> None:
    assert found([BACKUP, NEW, OLD], secrets=0) is None
    assert found([], secrets=0, live_answers=False) is None


def test_what_a_test_left_is_overwritten_and_the_newest_empty_state_put_back() -> None:
    assert found([BACKUP, NEW, OLD]) == NEW.id


def test_an_empty_state_that_was_never_proved_intact_is_not_put_back() -> None:
    unproved: ProofLevel = "stored"
    newest = row_of(STARTED, series="staging", proof=unproved)
    assert found([newest, BACKUP, NEW]) == NEW.id
    with pytest.raises(StagingNotEmpty):
        found([newest, BACKUP])


@pytest.mark.parametrize(
    ("rows", "cluster_id", "live_answers"),
    [
        ([BACKUP, NEW], "c-2", True),
        ([NEW], "c-1", True),
        ([BACKUP], "c-1", True),
        ([BACKUP, NEW], "c-1", False),
    ],
    ids=["of another cluster", "no backup has its cluster", "no empty state was saved", "the live Vault is silent"],
)
def test_what_no_test_can_be_shown_to_have_left_is_left_alone(
    rows: list[CatalogRow], cluster_id: str, live_answers: bool
) -> None:
    with pytest.raises(StagingNotEmpty, match=f"staging-not-empty: The staging Vault {ADDRESS} holds 1000 secrets"):
        found(rows, cluster_id=cluster_id, live_answers=live_answers)
