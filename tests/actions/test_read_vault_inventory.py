"""`read_vault_inventory`: a keyed digest of every secret, and what changed while the snapshot was taken."""

import time
from datetime import datetime
from typing import Any

import pytest

from lambdas.adapters.envelope import Envelope
from lambdas.domain.errors import KeyUnusable
from lambdas.domain.inventory import Secret, SecretsBefore, digest_of
from lambdas.domain.operation import Operation
from lambdas.domain.vault_errors import VaultChangedDuringBackup
from lambdas.domain.vault_manifest import Contents
from tests.actions.conftest import SECRETS
from tests.actions.house import House
from tests.servers.aws import refused
from tests.servers.vault import CANARY, MOUNTS, VaultServer, contents, write

BACKUP = "vault-snapshot-20261122T020000Z"
PRE_RESTORE = "vault-pre-restore-20261122T020000Z"


@pytest.fixture
def operation(house: House, tenants: object) -> Operation:
    """A backup whose canary is planted and whose secrets are listed."""
    operation = house.operation("vault_backup")
    house.run("plant_canary", {"operation": operation})
    house.run("list_vault_secrets", {"operation": operation})
    return operation


def _event(operation: Operation, series: str = "daily", backup_id: str = BACKUP) -> dict[str, object]:
    marks = f"{operation.id}/secrets-before.json"
    return {"operation": operation, "backup_id": backup_id, "series": series, "marks": marks}


def _contents(house: House) -> Contents:
    return house.work().get("op-1/contents.json", Contents)


def _digest_key(house: House, of: Contents) -> bytes:
    return Envelope(house.keys.arn("backup")).unwrap(of.digest_key.message, of.digest_key.context)


def test_every_secret_has_its_digest_under_a_key_that_only_the_backup_has(
    house: House, server: VaultServer, operation: Operation
) -> None:
    before = contents(server.admin())
    read = house.run("read_vault_inventory", _event(operation))
    assert read == {"contents": "op-1/contents.json", "secret_count": len(SECRETS) + 1, "written_meanwhile": 0}
    found = _contents(house)
    assert (found.mounts, found.canary, found.canary_names) == (MOUNTS, CANARY, BACKUP)
    assert found.written_meanwhile == []
    expected: dict[str, Any] = {**SECRETS, CANARY: {"mailark_canary": BACKUP}}
    key = _digest_key(house, found)
    assert found.digest_key.context == {"purpose": "digest-key", "name": "digest-key", "backup_id": BACKUP}
    assert found.secrets == [
        digest_of(Secret(path, 1, "", "", False, {}, expected[path]), key) for path in sorted(expected)
    ]
    assert contents(server.admin()) == before


def test_the_window_holds_everything_from_the_first_look_to_the_end_of_the_reading(
    house: House, server: VaultServer, operation: Operation
) -> None:
    write(server.admin(), "smtp/new/admin", {"password": "new"})
    written = server.admin().secrets.kv.v2.read_secret_metadata("new/admin", mount_point="smtp")["data"]
    house.run("read_vault_inventory", _event(operation))
    before = house.work().get("op-1/secrets-before.json", SecretsBefore)
    window = _contents(house).window
    moment = datetime.fromisoformat(written["updated_time"]).timestamp()
    assert before.since == window.since <= moment < window.until <= time.time() + 1


def test_running_it_again_gives_the_same_under_another_key(house: House, operation: Operation) -> None:
    read = [house.run("read_vault_inventory", _event(operation)) for _ in range(2)]
    assert read[0] == read[1]
    first = _contents(house)
    house.run("read_vault_inventory", _event(operation))
    second = _contents(house)
    assert [each.path for each in first.secrets] == [each.path for each in second.secrets]
    assert not {each.digest for each in first.secrets} & {each.digest for each in second.secrets}


def test_what_is_kept_holds_no_secret_and_not_the_key_of_the_digests(house: House, operation: Operation) -> None:
    house.run("read_vault_inventory", _event(operation))
    kept = b"".join(house.objects("work").values())
    key = _digest_key(house, _contents(house))
    assert not [secret for secret in house.secrets if secret.encode() in kept]
    assert key not in kept
    assert key.hex().encode() not in kept


def test_what_was_written_meanwhile_is_listed_and_not_vouched_for(
    house: House, server: VaultServer, operation: Operation
) -> None:
    admin, (changed, removed, *_) = server.admin(), list(SECRETS)
    write(admin, changed, SECRETS[changed])
    admin.secrets.kv.v2.delete_metadata_and_all_versions(removed.removeprefix("smtp/"), mount_point="smtp")
    write(admin, "smtp/new/admin", {"password": "new"})
    read = house.run("read_vault_inventory", _event(operation))
    assert read["written_meanwhile"] == 3
    found = _contents(house)
    assert found.written_meanwhile == sorted([changed, removed, "smtp/new/admin"])
    assert not {each.path for each in found.secrets} & set(found.written_meanwhile)
    assert found.secret_count == len(found.secrets) == len(SECRETS) - 2 + 1


def test_deleted_and_destroyed_secrets_are_vouched_for_too(house: House, server: VaultServer, tenants: object) -> None:
    admin, (deleted, destroyed, *_) = server.admin(), list(SECRETS)
    admin.secrets.kv.v2.delete_latest_version_of_secret(deleted.removeprefix("smtp/"), mount_point="smtp")
    admin.secrets.kv.v2.destroy_secret_versions(destroyed.removeprefix("smtp/"), [1], mount_point="smtp")
    operation = house.operation("vault_backup")
    house.run("plant_canary", {"operation": operation})
    house.run("list_vault_secrets", {"operation": operation})
    assert house.run("read_vault_inventory", _event(operation))["written_meanwhile"] == 0
    found = {each.path: each.version for each in _contents(house).secrets}
    assert (found[deleted], found[destroyed]) == (1, 1)


@pytest.mark.parametrize("canary", ["replaced", "gone"])
def test_a_vault_that_was_replaced_while_the_backup_ran_is_noticed(
    canary: str, house: House, server: VaultServer, operation: Operation
) -> None:
    admin, name = server.admin(), CANARY.removeprefix("smtp/")
    if canary == "replaced":
        write(admin, CANARY, {"mailark_canary": "vault-snapshot-20261121T020000Z"})
    else:
        admin.secrets.kv.v2.delete_metadata_and_all_versions(name, mount_point="smtp")
    with pytest.raises(VaultChangedDuringBackup, match=f"vault-changed-during-backup: .*{BACKUP}"):
        house.run("read_vault_inventory", _event(operation))
    assert "op-1/contents.json" not in house.objects("work")


@pytest.mark.parametrize("canary", ["of an earlier night", "none"])
def test_what_is_saved_before_a_restore_may_have_any_canary(
    canary: str, house: House, server: VaultServer, tenants: object
) -> None:
    if canary != "none":
        write(server.admin(), CANARY, {"mailark_canary": "vault-snapshot-20261121T020000Z"})
    operation = house.operation("vault_restore")
    house.run("list_vault_secrets", {"operation": operation})
    house.run("read_vault_inventory", _event(operation, "pre-restore", PRE_RESTORE))
    expected = None if canary == "none" else "vault-snapshot-20261121T020000Z"
    assert _contents(house).canary_names == expected


def test_a_key_that_kms_refuses_leaves_nothing_behind(house: House, operation: Operation) -> None:
    with refused("GenerateDataKey", "AccessDeniedException"), pytest.raises(KeyUnusable, match="key-unusable"):
        house.run("read_vault_inventory", _event(operation))
    assert "op-1/contents.json" not in house.objects("work")
