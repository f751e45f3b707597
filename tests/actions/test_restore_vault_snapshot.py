"""`restore_vault_snapshot`: the live Vault is replaced by the backup, or it is left exactly as it was."""

import base64
import dataclasses
import json
from collections.abc import Iterator

import msgspec
import pytest

from lab.tenants import Platform, Tenant
from lambdas.adapters.vault import find_leader
from lambdas.domain.errors import BackupDamaged, KeyUnusable, LeaseLost, ManifestInvalid, StorageRefused
from lambdas.domain.estate import Seal
from lambdas.domain.vault_errors import (
    SealKeyMismatch,
    SealMismatch,
    UnsealKeysNeeded,
    VaultRestoreUnfinished,
    VaultSealed,
)
from tests.actions.conftest import MASTER_KEY, SECRETS
from tests.actions.damage import DAMAGES, Damage, swapped
from tests.actions.house import House, SavedBackup, make_backup
from tests.actions.shamir import Shamir, make_shamir
from tests.servers.aws import ACCOUNT, aws, refused
from tests.servers.vault import CANARY, Vaults, VaultServer, contents, make_seal_key, started, write

_BEGUN = "shutting down prior to restoring snapshot"
"""What Vault writes to its log when it begins a restore."""


def _event(house: House, backup_id: str) -> dict[str, object]:
    return {"operation": house.operation("vault_restore"), "backup_id": backup_id}


@pytest.fixture
def live(server: VaultServer, tenants: list[Tenant]) -> Iterator[VaultServer]:
    """A Vault that serves, and that no test of a failure may change in any way."""
    write(server.admin(), "smtp/live/admin", {"password": "live"})
    before, begun = contents(server.admin()), server.node.log.count(_BEGUN)
    yield server
    assert contents(server.admin()) == before
    assert server.node.log.count(_BEGUN) == begun


# --- restores that succeed --------------------------------------------------------------------------------


def test_what_was_lost_is_back_and_restoring_again_ends_the_same(
    house: House, server: VaultServer, tenants: list[Tenant], saved: SavedBackup
) -> None:
    saved.put(house)
    event = _event(house, saved.id)
    Platform(server.admin(), MASTER_KEY).destroy(tenants[:4])
    write(server.admin(), "smtp/intruder/admin", {"password": "x"})
    for _ in range(2):
        before = find_leader(house.vault).active_time
        restored = house.run("restore_vault_snapshot", event)
        assert restored["address"] == server.address
        assert restored["restored_at"] > before
        platform = Platform(server.admin(), MASTER_KEY)
        assert platform.wrong(tenants) == []
        assert set(contents(server.admin())) == {*SECRETS, CANARY}
    assert house.run("verify_vault", event)["secrets_compared"] == len(SECRETS) + 1
    house.take_over(house.operation("vault_restore"))


# --- restores that are stopped before anything is touched -------------------------------------------------


@pytest.mark.parametrize("damage", DAMAGES[1::2])
def test_a_damaged_object_leaves_the_live_vault_unchanged(
    damage: Damage, house: House, live: VaultServer, saved: SavedBackup
) -> None:
    saved.put(house, content=damage(saved.content))
    with pytest.raises(BackupDamaged, match=f"^backup-damaged: {saved.id} is damaged: "):
        house.run("restore_vault_snapshot", _event(house, saved.id))


def test_the_bytes_of_another_backup_leave_the_live_vault_unchanged(
    house: House, live: VaultServer, saved: SavedBackup
) -> None:
    saved.put(house, content=swapped(house, saved))
    with pytest.raises(BackupDamaged, match="backup-damaged"):
        house.run("restore_vault_snapshot", _event(house, saved.id))


def test_a_manifest_that_was_edited_leaves_the_live_vault_unchanged(
    house: House, live: VaultServer, saved: SavedBackup
) -> None:
    edited = dataclasses.replace(saved, manifest=saved.manifest.replace(b'"raft_term":', b'"raft_term":1'))
    edited.put(house)
    with pytest.raises(ManifestInvalid, match="manifest-invalid"):
        house.run("restore_vault_snapshot", _event(house, saved.id))


def test_an_operation_that_was_taken_over_leaves_the_live_vault_unchanged(
    house: House, live: VaultServer, saved: SavedBackup
) -> None:
    saved.put(house)
    event = _event(house, saved.id)
    house.take_over(house.operation("vault_restore"))
    with pytest.raises(LeaseLost, match=r"lease-lost: .*vault: another has taken it over"):
        house.run("restore_vault_snapshot", event)


def test_a_key_that_kms_refuses_leaves_the_live_vault_unchanged(
    house: House, live: VaultServer, saved: SavedBackup
) -> None:
    saved.put(house)
    event = _event(house, saved.id)
    for operation in ("Verify", "Decrypt", "Sign"):
        with refused(operation, "AccessDeniedException"), pytest.raises(KeyUnusable, match="key-unusable"):
            house.run("restore_vault_snapshot", event)


def test_a_store_that_refuses_in_the_middle_leaves_the_live_vault_unchanged(
    house: House, live: VaultServer, saved: SavedBackup
) -> None:
    saved.put(house)
    with (
        refused(lambda request: "bytes=0-" in str(request.headers.get("Range")), "AccessDenied", 403),
        pytest.raises(StorageRefused, match="S3 refused GetObject"),
    ):
        house.run("restore_vault_snapshot", _event(house, saved.id))


def test_a_snapshot_of_another_kind_of_seal_is_refused_before_anything_is_touched(
    house: House, live: VaultServer, shamir: Shamir, vaults: Vaults
) -> None:
    backup = _backup_of(house, shamir)
    house.put_estate(vaults.estate(live))
    backup.put(house)
    with pytest.raises(SealMismatch) as failure:
        house.run("restore_vault_snapshot", _event(house, backup.id))
    expected = f"taken under a shamir seal, and Vault at {live.address} runs under a static seal."
    assert expected in str(failure.value)


def test_the_target_is_free_again_after_a_failure(house: House, live: VaultServer, saved: SavedBackup) -> None:
    saved.put(house, content=b"")
    event = _event(house, saved.id)
    with pytest.raises(BackupDamaged):
        house.run("restore_vault_snapshot", event)
    house.take_over(house.operation("vault_restore"))


# --- Vaults that cannot take the snapshot -----------------------------------------------------------------


def test_a_vault_under_another_seal_key_is_told_which_key_it_needs_and_is_unchanged(
    house: House, vaults: Vaults, saved: SavedBackup
) -> None:
    saved.put(house)
    other = started(vaults.begin(make_seal_key()))
    write(other.admin(), "smtp/own/admin", {"password": "own"})
    house.put_estate(vaults.estate(other))
    with pytest.raises(SealKeyMismatch, match="seal-key-mismatch") as failure:
        house.run("restore_vault_snapshot", _event(house, saved.id))
    assert "under the seal key k1" in str(failure.value)
    assert contents(other.admin()) == {"smtp/own/admin": (1, {"password": "own"})}
    other.node.kill()


# --- Shamir -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shamir(vaults: Vaults) -> Iterator[Shamir]:
    source = make_shamir(vaults)
    yield source
    source.server.node.kill()


def _backup_of(house: House, shamir: Shamir) -> SavedBackup:
    """A backup of a Vault with a Shamir seal."""
    house.put_estate(shamir.estate)
    return make_backup(house)


def test_a_snapshot_of_another_shamir_cluster_needs_its_unseal_keys(
    house: House, shamir: Shamir, vaults: Vaults
) -> None:
    write(shamir.root(), "smtp/kept/admin", {"password": "kept"})
    backup = _backup_of(house, shamir)
    new = make_shamir(vaults)
    write(new.root(), "smtp/new/admin", {"password": "new"})
    backup.put(house)
    event = _event(house, backup.id)
    before = find_leader(new.estate)

    house.put_estate(new.estate)
    with pytest.raises(UnsealKeysNeeded, match="unseal-keys-needed"):
        house.run("restore_vault_snapshot", event)
    secret = aws("secretsmanager").create_secret(Name="unseal-keys", SecretString="[]")["ARN"]
    assert f":{ACCOUNT}:secret:" in secret
    house.put_estate(new.with_keys_in(secret))
    with pytest.raises(UnsealKeysNeeded):
        house.run("restore_vault_snapshot", event)
    assert contents(new.root()) == {"smtp/new/admin": (1, {"password": "new"})}
    assert find_leader(new.estate) == before

    house.secrets |= {*shamir.keys, *(base64.b64decode(key).hex() for key in shamir.keys)}
    aws("secretsmanager").put_secret_value(SecretId=secret, SecretString=json.dumps(shamir.keys))
    assert house.run("restore_vault_snapshot", event)["address"] == new.server.address
    restored = contents(new.server.client(shamir.root_token))
    assert restored["smtp/kept/admin"] == (1, {"password": "kept"})
    assert "smtp/new/admin" not in restored
    assert find_leader(new.estate).cluster_id == find_leader(shamir.estate).cluster_id
    new.server.node.kill()


def test_a_vault_that_does_not_come_back_in_time_is_said_to_be_unfinished_and_then_to_be_sealed(
    house: House, shamir: Shamir, vaults: Vaults
) -> None:
    backup = _backup_of(house, shamir)
    new = make_shamir(vaults)
    backup.put(house)
    wrong = aws("secretsmanager").create_secret(Name="wrong", SecretString=json.dumps(new.keys))["ARN"]
    house.put_estate(new.with_keys_in(wrong))
    event = _event(house, backup.id)
    with pytest.raises(VaultRestoreUnfinished, match="vault-restore-unfinished"):
        house.run("restore_vault_snapshot", event, seconds=21)
    with pytest.raises(VaultSealed, match="vault-sealed"):
        house.run("restore_vault_snapshot", event)
    new.server.node.kill()


def test_the_seal_of_the_estate_is_not_asked(house: House, live: VaultServer, saved: SavedBackup) -> None:
    """What counts is how the Vault that answers is sealed, whatever the estate says of it."""
    saved.put(house, content=saved.content[:-1])
    house.put_estate(msgspec.structs.replace(house.vault, seal=Seal("awskms", "other")))
    with pytest.raises(BackupDamaged):
        house.run("restore_vault_snapshot", _event(house, saved.id))
