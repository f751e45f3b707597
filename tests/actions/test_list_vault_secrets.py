"""`list_vault_secrets`: paths and marks of every secret, and never a value."""

import msgspec
import pytest

from lambdas.domain.inventory import SecretsBefore
from lambdas.domain.vault_errors import VaultRequestFailed
from tests.actions.conftest import SECRETS
from tests.actions.house import House
from tests.servers.vault import VaultServer, contents, write


def test_every_secret_is_listed_the_same_however_often_this_runs(
    house: House, server: VaultServer, tenants: object
) -> None:
    operation = house.operation("vault_backup")
    before = contents(server.admin())
    found = [house.run("list_vault_secrets", {"operation": operation}) for _ in range(2)]
    assert found == [{"marks": "op-1/secrets-before.json", "count": len(SECRETS), "live_count": len(SECRETS)}] * 2
    marks = house.work().get("op-1/secrets-before.json", SecretsBefore).marks
    assert sorted(mark.path for mark in marks) == sorted(SECRETS)
    assert contents(server.admin()) == before


def test_what_is_kept_of_the_secrets_holds_none_of_them(house: House, tenants: object) -> None:
    house.run("list_vault_secrets", {"operation": house.operation("vault_backup")})
    (kept,) = house.objects("work").values()
    assert not [secret for secret in house.secrets if secret.encode() in kept]
    assert b"username" not in kept


def test_a_later_run_sees_what_has_changed(house: House, server: VaultServer, tenants: object) -> None:
    operation, (path, *_) = house.operation("vault_backup"), SECRETS
    key = house.run("list_vault_secrets", {"operation": operation})["marks"]
    before = {mark.path: mark for mark in house.work().get(key, SecretsBefore).marks}
    write(server.admin(), path, SECRETS[path])
    house.run("list_vault_secrets", {"operation": operation})
    after = {mark.path: mark for mark in house.work().get(key, SecretsBefore).marks}
    assert [each for each in before if before[each] != after[each]] == [path]


def test_a_mount_that_the_policy_does_not_cover_is_an_error_and_not_an_empty_list(
    house: House, server: VaultServer, tenants: object
) -> None:
    vault = house.vault
    house.put_estate(msgspec.structs.replace(vault, mounts=["smtp", "dkim"]))
    with pytest.raises(VaultRequestFailed, match="Forbidden to listing of secrets"):
        house.run("list_vault_secrets", {"operation": house.operation("vault_backup")})
