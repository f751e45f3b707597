"""`check_vault`, against a real Vault in several states."""

import pytest

from lambdas.adapters.signing import SigningKey
from lambdas.adapters.vault import VaultClient, find_leader
from lambdas.domain.errors import EstateInvalid, KeyUnusable
from lambdas.domain.vault_duties import Duty
from lambdas.domain.vault_errors import VaultLoginRefused, VaultUninitialized, VaultUnreachable
from tests.actions.house import House
from tests.servers.aws import refused
from tests.servers.vault import CANARY, Vaults, VaultServer, contents


def test_a_good_vault_is_described_the_same_however_often_it_is_checked(
    house: House, server: VaultServer, tenants: object
) -> None:
    operation = house.operation("vault_backup")
    before = contents(server.admin())
    found = [house.run("check_vault", {"operation": operation}) for _ in range(2)]
    leader = find_leader(house.vault)
    assert (
        found
        == [
            {
                "address": server.address,
                "version": "2.7.2",
                "cluster_id": leader.cluster_id,
                "seal_type": "static",
                "canary": None,
            }
        ]
        * 2
    )
    assert contents(server.admin()) == before


def test_the_backup_that_the_canary_names_is_told(house: House, server: VaultServer, tenants: object) -> None:
    key = SigningKey(house.keys.arn("vault-backup"))
    VaultClient(server.address, house.vault, Duty("backup"), key).plant_canary(CANARY, "vault-snapshot-1")
    assert house.run("check_vault", {"operation": house.operation("vault_backup")})["canary"] == "vault-snapshot-1"


def test_the_standby_region_checks_with_its_own_keys(house: House, server: VaultServer, tenants: object) -> None:
    found = house.run("check_vault", {"operation": house.operation("vault_backup")}, region="eu-west-1")
    assert found["address"] == server.address


def test_a_vault_that_is_gone_does_not_answer(house: House, vaults: Vaults) -> None:
    house.put_estate(vaults.estate(vaults.prepare()))
    with pytest.raises(VaultUnreachable, match="vault-unreachable"):
        house.run("check_vault", {"operation": house.operation("vault_backup")})


def test_a_vault_that_was_never_initialised_is_told_apart(house: House, vaults: Vaults) -> None:
    new = vaults.prepare()
    new.start()
    new.node.wait_until_answering()
    house.put_estate(vaults.estate(new))
    with pytest.raises(VaultUninitialized, match="vault-uninitialized"):
        house.run("check_vault", {"operation": house.operation("vault_backup")})
    new.node.kill()


def test_a_vault_without_our_login_refuses_it(house: House, server: VaultServer) -> None:
    admin = server.admin()
    login = admin.read("auth/mailark-backup/role/mailark-backup")["data"]
    admin.delete("auth/mailark-backup/role/mailark-backup")
    try:
        with pytest.raises(VaultLoginRefused, match="vault-login-refused"):
            house.run("check_vault", {"operation": house.operation("vault_backup")})
    finally:
        keep = {name: value for name, value in login.items() if value not in (None, {}, [], "", 0)}
        admin.write_data("auth/mailark-backup/role/mailark-backup", data=keep)
    assert house.run("check_vault", {"operation": house.operation("vault_backup")})["address"] == server.address


def test_an_estate_that_was_edited_badly_is_named(house: House) -> None:
    house.put_estate(text="name: [")
    with pytest.raises(EstateInvalid, match="SSM parameter /mailark/estate"):
        house.run("check_vault", {"operation": house.operation("vault_backup")})


def test_a_key_that_kms_refuses_is_named(house: House) -> None:
    operation = house.operation("vault_backup")
    with refused("Sign", "AccessDeniedException"), pytest.raises(KeyUnusable, match="AccessDeniedException"):
        house.run("check_vault", {"operation": operation})
