"""`compare_with_last_backup`: a Vault that looks emptied or replaced is refused before a snapshot of it is taken."""

import pytest

from lambdas.domain.vault_errors import VaultLooksLost
from tests.actions.house import House
from tests.domain.builders import row_of


def _event(house: House, live_count: int, cluster_id: str = "c-1", **more: object) -> dict[str, object]:
    seen = {"cluster_id": cluster_id, "live_count": live_count}
    return {"operation": house.operation("vault_backup")} | seen | more


def test_a_vault_like_the_one_of_the_last_backup_passes_each_time(house: House) -> None:
    row = row_of(live_count=10)
    house.catalog().put(row)
    found = [house.run("compare_with_last_backup", _event(house, 9)) for _ in range(2)]
    assert found == [{"last_backup_id": row.id}] * 2


def test_the_first_backup_of_all_has_nothing_to_be_compared_with(house: House) -> None:
    assert house.run("compare_with_last_backup", _event(house, 0)) == {"last_backup_id": None}


@pytest.mark.parametrize(("live_count", "cluster_id"), [(4, "c-1"), (10, "c-2")])
def test_an_emptied_or_replaced_one_is_refused_unless_a_person_says_that_it_is_meant(
    live_count: int, cluster_id: str, house: House
) -> None:
    house.catalog().put(row_of(live_count=10))
    with pytest.raises(VaultLooksLost, match="vault-looks-lost: No backup was taken"):
        house.run("compare_with_last_backup", _event(house, live_count, cluster_id))
    accepted = _event(house, live_count, cluster_id, accept_loss=True)
    assert house.run("compare_with_last_backup", accepted) == {"last_backup_id": None}
