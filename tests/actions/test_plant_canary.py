"""`plant_canary`: the one thing that a nightly backup writes into Vault."""

import pytest

from lambdas.domain.errors import LeaseLost, TargetBusy
from lambdas.domain.vault_errors import CanaryPathTaken
from tests.actions.house import House, days_later
from tests.servers.vault import CANARY, VaultServer, contents, write


def test_the_canary_names_the_coming_backup_however_often_it_is_planted(
    house: House, server: VaultServer, tenants: object
) -> None:
    operation = house.operation("vault_backup")
    before = contents(server.admin())
    found = [house.run("plant_canary", {"operation": operation}) for _ in range(2)]
    assert found == [{"backup_id": "vault-snapshot-20261122T020000Z", "started_at": "2026-11-22T02:00:00+00:00"}] * 2
    after = contents(server.admin())
    assert after.pop(CANARY) == (2, {"mailark_canary": "vault-snapshot-20261122T020000Z"})
    assert after == before


def test_the_next_night_plants_the_next_name(house: House, server: VaultServer, tenants: object) -> None:
    first = house.operation("vault_backup")
    house.run("plant_canary", {"operation": first})
    house.leases().release(first.lease.target, first.execution)
    second = house.operation("vault_backup", "op-2", days_later(1))
    assert house.run("plant_canary", {"operation": second})["backup_id"] == "vault-snapshot-20261123T020000Z"
    assert contents(server.admin())[CANARY][1] == {"mailark_canary": "vault-snapshot-20261123T020000Z"}


def test_a_secret_that_is_not_ours_is_left_alone(house: House, server: VaultServer, tenants: object) -> None:
    write(server.admin(), CANARY, {"password": "not-ours"})
    house.secrets |= {"not-ours"}
    before = contents(server.admin())
    with pytest.raises(CanaryPathTaken, match="canary-path-taken"):
        house.run("plant_canary", {"operation": house.operation("vault_backup")})
    assert contents(server.admin()) == before


def test_an_operation_that_was_taken_over_stops_before_anything_changes(
    house: House, server: VaultServer, tenants: object
) -> None:
    operation = house.operation("vault_backup")
    house.take_over(operation)
    before = contents(server.admin())
    with pytest.raises(LeaseLost, match=r"lease-lost: .*backup#vault: another has taken it over"):
        house.run("plant_canary", {"operation": operation})
    assert contents(server.admin()) == before


def test_a_recovery_that_is_under_way_is_waited_for(house: House, server: VaultServer, tenants: object) -> None:
    """Its proof compares the canary that it brought: another one in between would turn a good recovery red."""
    operation, recovery = house.operation("vault_backup"), house.operation("vault_restore", "op-2")
    before = contents(server.admin())
    with pytest.raises(TargetBusy, match="target-busy: vault is being changed by op-2"):
        house.run("plant_canary", {"operation": operation})
    assert contents(server.admin()) == before
    house.leases().release("vault", recovery.execution)
    house.run("plant_canary", {"operation": operation})


def test_nobody_is_held_up_once_the_canary_is_planted(house: House, tenants: object) -> None:
    operation = house.operation("vault_backup")
    house.run("plant_canary", {"operation": operation})
    house.take_over(operation)
