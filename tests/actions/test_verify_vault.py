"""`verify_vault`: a restored Vault is proved value by value, by its canary, and on every node."""

import dataclasses
from typing import Any

import hvac
import pytest

from lambdas.domain.backup import ProofLevel
from lambdas.domain.errors import KeyUnusable, ManifestMissing
from lambdas.domain.operation import Operation
from lambdas.domain.vault_errors import RestoreNotProved, VaultNodeBehind, VaultUnreachable
from tests.actions.conftest import SECRETS, fill
from tests.actions.house import House, SavedBackup, bucket_name, make_backup
from tests.servers.aws import PRIMARY, aws, refused
from tests.servers.vault import CANARY, Vaults, VaultServer, contents, make_seal_key, started, write

FIRST, SECOND, *_ = SECRETS


@pytest.fixture
def restored(house: House, server: VaultServer, saved: SavedBackup) -> hvac.Client:
    """A Vault that holds what the backup holds, as it does after a restore; an administrator's client of it."""
    saved.put(house)
    fill(house, server)
    admin = server.admin()
    write(admin, CANARY, {"mailark_canary": saved.id})
    return admin


def _event(house: House, saved: SavedBackup) -> dict[str, object]:
    operation: Operation = house.operation("vault_restore")
    return {"operation": operation, "backup_id": saved.id}


def test_a_vault_that_equals_its_backup_is_proved_however_often_this_runs(
    house: House, saved: SavedBackup, restored: hvac.Client
) -> None:
    before = contents(restored)
    found = [house.run("verify_vault", _event(house, saved)) for _ in range(2)]
    assert found == [{"secrets_compared": len(SECRETS) + 1, "written_meanwhile": 0, "nodes": 1, "proof": "proven"}] * 2
    assert house.catalog().get(saved.id).proof == "proven"
    assert contents(restored) == before


def test_what_came_and_went_while_the_backup_was_taken_is_no_difference(
    house: House, server: VaultServer, tenants: object
) -> None:
    """The snapshot holds a secret that was gone again at the reading, and one deleted that was undeleted by then."""
    admin, name = server.admin(), FIRST.removeprefix("smtp/")
    kv: Any = admin.secrets.kv.v2

    def come() -> None:
        write(admin, "vps/brief/root", {"password": "x"})
        kv.delete_latest_version_of_secret(name, mount_point="smtp")

    def go() -> None:
        _delete(admin, "vps/brief/root")
        kv.undelete_secret_versions(name, [1], mount_point="smtp")

    made = make_backup(house, before_snapshot=come, after_snapshot=go)
    house.run("restore_vault_snapshot", _event(house, made))
    restored = contents(server.admin())
    assert "vps/brief/root" in restored
    assert restored[FIRST] == (1, None)
    assert house.run("verify_vault", _event(house, made))["secrets_compared"] == len(SECRETS) + 1


# --- differences ------------------------------------------------------------------------------------------


def _delete(admin: hvac.Client, path: str) -> None:
    mount, _, name = path.partition("/")
    admin.secrets.kv.v2.delete_metadata_and_all_versions(name, mount_point=mount)


def _rewrite(admin: hvac.Client, path: str, secret: dict[str, str]) -> None:
    """Another value under the same version."""
    _delete(admin, path)
    write(admin, path, secret)


def _apply(admin: hvac.Client, difference: str) -> None:
    kv: Any = admin.secrets.kv.v2
    if difference == "a changed value":
        _rewrite(admin, FIRST, SECRETS[FIRST] | {"password": "x"})
    elif difference == "two swapped values":
        _rewrite(admin, FIRST, SECRETS[SECOND])
        _rewrite(admin, SECOND, SECRETS[FIRST])
    elif difference == "the same value as another version":
        write(admin, FIRST, SECRETS[FIRST])
    elif difference == "a missing secret":
        _delete(admin, FIRST)
    elif difference == "a deleted version":
        kv.delete_latest_version_of_secret(FIRST.removeprefix("smtp/"), mount_point="smtp")
    elif difference == "custom metadata":
        kv.update_metadata(FIRST.removeprefix("smtp/"), mount_point="smtp", custom_metadata={"compromised": "no"})
    elif difference == "an added secret":
        write(admin, "vps/host-2/root", {"password": "x"})
    else:
        for path in SECRETS:
            _delete(admin, path)


@pytest.mark.parametrize(
    ("difference", "words"),
    [
        ("a changed value", f"1 changed (such as {FIRST})"),
        ("two swapped values", "2 changed (such as "),
        ("the same value as another version", f"1 changed (such as {FIRST})"),
        ("a missing secret", f"1 missing (such as {FIRST})"),
        ("a deleted version", f"1 changed (such as {FIRST})"),
        ("custom metadata", f"1 changed (such as {FIRST})"),
        ("an added secret", "1 added (such as vps/host-2/root)"),
        ("nothing left", f"{len(SECRETS)} missing (such as "),
    ],
)
def test_every_difference_is_found_and_named_by_its_path(
    difference: str, words: str, house: House, saved: SavedBackup, restored: hvac.Client
) -> None:
    _apply(restored, difference)
    with pytest.raises(RestoreNotProved, match=f"^restore-not-proved: .*{saved.id}") as failure:
        house.run("verify_vault", _event(house, saved))
    assert f"of {len(SECRETS) + 1} secrets, " in str(failure.value)
    assert words in str(failure.value)
    assert house.catalog().get(saved.id).proof == "intact"


@pytest.mark.parametrize("canary", ["vault-snapshot-20261121T020000Z", None])
def test_another_canary_is_a_difference(
    canary: str | None, house: House, saved: SavedBackup, restored: hvac.Client
) -> None:
    _delete(restored, CANARY)
    if canary:
        write(restored, CANARY, {"mailark_canary": canary})
    with pytest.raises(RestoreNotProved, match=CANARY):
        house.run("verify_vault", _event(house, saved))


# --- nodes ------------------------------------------------------------------------------------------------


def test_a_node_that_does_not_answer_is_behind(
    house: House, saved: SavedBackup, restored: hvac.Client, vaults: Vaults, server: VaultServer
) -> None:
    gone = vaults.prepare()
    house.put_estate(vaults.estate(server, gone))
    with pytest.raises(VaultNodeBehind, match=f"vault-node-behind: Node {gone.address} does not serve") as failure:
        house.run("verify_vault", _event(house, saved))
    assert "does not answer (no connection)" in str(failure.value)
    assert house.catalog().get(saved.id).proof == "intact"


def test_a_node_that_serves_something_else_is_behind(
    house: House, saved: SavedBackup, restored: hvac.Client, vaults: Vaults, server: VaultServer
) -> None:
    """As followers do that have not taken over what their leader was restored to."""
    other = started(vaults.begin(make_seal_key()))
    house.put_estate(vaults.estate(server, other))
    with pytest.raises(VaultNodeBehind, match=f"{other.address} .*its canary names no backup"):
        house.run("verify_vault", _event(house, saved))
    assert house.catalog().get(saved.id).proof == "intact"
    other.node.kill()


def test_a_vault_that_is_gone_does_not_answer(
    house: House, saved: SavedBackup, restored: hvac.Client, vaults: Vaults
) -> None:
    house.put_estate(vaults.estate(vaults.prepare()))
    with pytest.raises(VaultUnreachable, match="vault-unreachable"):
        house.run("verify_vault", _event(house, saved))


# --- what it is compared with -----------------------------------------------------------------------------


def test_a_manifest_that_is_gone_is_named(house: House, saved: SavedBackup, restored: hvac.Client) -> None:
    (_, (key, version)) = house.catalog().get(saved.id).versions
    aws("s3").delete_object(Bucket=bucket_name("backups", PRIMARY), Key=key, VersionId=version)
    with pytest.raises(ManifestMissing, match="manifest-missing"):
        house.run("verify_vault", _event(house, saved))


def test_a_key_that_kms_refuses_is_named(house: House, saved: SavedBackup, restored: hvac.Client) -> None:
    with refused("Decrypt", "AccessDeniedException"), pytest.raises(KeyUnusable, match="key-unusable"):
        house.run("verify_vault", _event(house, saved))
    assert house.catalog().get(saved.id).proof == "intact"


@pytest.mark.parametrize(("before", "after"), [("stored", "stored"), ("intact", "proven"), ("restorable", "proven")])
def test_a_backup_that_was_good_becomes_proven_and_one_that_never_was_stays_what_it_was(
    before: ProofLevel, after: ProofLevel, house: House, saved: SavedBackup, restored: hvac.Client
) -> None:
    house.catalog().put(dataclasses.replace(house.catalog().get(saved.id), proof=before))
    assert house.run("verify_vault", _event(house, saved))["proof"] == after
    assert house.catalog().get(saved.id).proof == after
