"""`check_staging_vault`: a restore test overwrites the staging Vault, so it is told apart from all others first."""

import base64

import msgspec
import pytest

from lambdas.domain.estate import StagingVault
from lambdas.domain.vault_errors import StagingIsLive, StagingNotEmpty
from tests.actions.conftest import SEAL_KEY
from tests.actions.house import House, SavedBackup
from tests.domain.builders import STARTED, row_of
from tests.servers.vault import Vaults, VaultServer, contents, started, write


@pytest.fixture(scope="package")
def staging(vaults: Vaults) -> VaultServer:
    """A Vault of its own, under the same seal key."""
    return started(vaults.begin(base64.b64encode(SEAL_KEY).decode()))


@pytest.fixture
def rehearsal(house: House, vaults: Vaults, server: VaultServer, staging: VaultServer) -> House:
    house.put_estate(vaults.estate(server, staging=staging))
    return house


def _check(house: House) -> dict[str, str | None]:
    found: dict[str, str | None] = house.run(
        "check_staging_vault", {"operation": house.operation("vault_restore_test")}
    )
    return found


def test_an_empty_one_is_to_be_saved_however_often_it_is_checked(rehearsal: House, staging: VaultServer) -> None:
    assert [_check(rehearsal) for _ in range(2)] == [{"address": staging.address, "saved_as": None}] * 2


def test_the_live_vault_under_the_name_of_the_staging_one_is_refused(
    house: House, vaults: Vaults, server: VaultServer, tenants: object
) -> None:
    other_name = f"https://localhost:{server.address.rpartition(':')[2]}"
    estate = msgspec.structs.replace(vaults.estate(server), staging=StagingVault(other_name))
    house.put_estate(estate)
    before = contents(server.admin())
    for action in ("check_staging_vault", "list_vault_secrets"):
        with pytest.raises(StagingIsLive, match="staging-is-live"):
            house.run(action, {"operation": house.operation("vault_restore_test")})
    assert contents(server.admin()) == before


def test_secrets_that_no_test_left_are_not_overwritten(rehearsal: House, staging: VaultServer) -> None:
    admin = staging.admin()
    write(admin, "smtp/somebodys/admin", {"password": "kept"})
    try:
        with pytest.raises(StagingNotEmpty, match=f"{staging.address} holds 1 secrets"):
            _check(rehearsal)
    finally:
        admin.secrets.kv.v2.delete_metadata_and_all_versions("somebodys/admin", mount_point="smtp")


def test_what_an_earlier_test_left_is_known_and_so_is_the_empty_state_to_put_back(
    rehearsal: House, staging: VaultServer, saved: SavedBackup, vaults: Vaults, server: VaultServer
) -> None:
    saved.put(rehearsal)
    empty = row_of(STARTED, series="staging")
    rehearsal.catalog().put(empty)
    operation = rehearsal.operation("vault_restore_test")
    rehearsal.run("restore_vault_snapshot", {"operation": operation, "backup_id": saved.id})
    assert _check(rehearsal)["saved_as"] == empty.id
    rehearsal.catalog().delete(empty.id)
    with pytest.raises(StagingNotEmpty):
        _check(rehearsal)
    # Without the live Vault nobody can tell the two apart.
    rehearsal.catalog().put(empty)
    rehearsal.put_estate(vaults.estate(vaults.prepare(), staging=staging))
    with pytest.raises(StagingNotEmpty):
        _check(rehearsal)
