"""One credential in a real Vault: replaced by who has seen it, marked without losing a mark, and nothing besides."""

from collections.abc import Iterator

import hvac
import pytest

from lambdas.adapters.vault import VaultClient
from lambdas.adapters.vault_credentials import mark_credential, read_credential, replace_credential
from lambdas.domain.credential_errors import CredentialChanged, CredentialMissing
from lambdas.domain.tenant import admin_path
from lambdas.domain.vault_errors import VaultRequestFailed
from tests.servers.vault import VaultServer, contents, empty, write

TENANT = "550e8400-e29b-41d4-a716-446655440000"
PATH = admin_path(TENANT)
FIRST = {"username": "admin@example.org", "password": "first"}
SECOND = FIRST | {"password": "second"}


@pytest.fixture
def admin(vault: VaultServer) -> Iterator[hvac.Client]:
    """An administrator of the shared Vault, who has stored one credential, and cleans up behind each test."""
    admin = vault.admin()
    empty(admin)
    write(admin, PATH, FIRST)
    yield admin
    empty(admin)


@pytest.fixture
def client(admin: hvac.Client, rotating: VaultClient) -> VaultClient:
    return rotating


def _marks(admin: hvac.Client) -> dict[str, str]:
    answer = admin.secrets.kv.v2.read_secret_metadata(f"{TENANT}/admin", mount_point="smtp")
    marks: dict[str, str] = answer["data"]["custom_metadata"] or {}
    return marks


# --- reading and replacing --------------------------------------------------------------------------------


def test_a_credential_is_read_with_its_version_and_not_shown(client: VaultClient) -> None:
    secret = read_credential(client, PATH)
    assert (secret.version, secret.data) == (1, FIRST)
    assert "first" not in repr(secret)


def test_who_has_seen_the_newest_version_replaces_it(client: VaultClient) -> None:
    assert replace_credential(client, PATH, SECOND, seen=1) == 2
    assert read_credential(client, PATH).data == SECOND


def test_who_has_seen_an_older_version_overwrites_nothing(client: VaultClient, admin: hvac.Client) -> None:
    write(admin, PATH, FIRST | {"password": "by somebody else"})
    with pytest.raises(CredentialChanged) as told:
        replace_credential(client, PATH, SECOND, seen=1)
    assert str(told.value) == (
        f"credential-changed: Somebody else has written to {PATH} in Vault since its version 1 was read.\n"
        "Next: Their version was not overwritten. Start this again: it reads what is there now."
    )
    assert read_credential(client, PATH).data == FIRST | {"password": "by somebody else"}


@pytest.mark.parametrize("how", ["never written", "deleted"])
def test_a_credential_that_is_not_there_is_named(how: str, client: VaultClient, admin: hvac.Client) -> None:
    path = PATH if how == "deleted" else admin_path("6f9619ff-8b86-4d01-b42d-00cf4fc964ff")
    if how == "deleted":
        admin.secrets.kv.v2.delete_latest_version_of_secret(f"{TENANT}/admin", mount_point="smtp")
    with pytest.raises(CredentialMissing) as told:
        read_credential(client, path)
    assert str(told.value) == (
        f"credential-missing: Vault has no credential at {path}, or its newest version is deleted.\n"
        "Next: Nothing was changed. If the tenant should have one, write it as the platform does, or bring it back "
        "with vault_restore; then start this again."
    )


# --- marks ------------------------------------------------------------------------------------------------


def test_a_mark_is_added_to_those_that_are_there_and_makes_no_version(client: VaultClient, admin: hvac.Client) -> None:
    admin.secrets.kv.v2.update_metadata(f"{TENANT}/admin", mount_point="smtp", custom_metadata={"owner": "billing"})
    for _ in range(2):
        mark_credential(client, PATH, {"compromised": "true", "incident_id": "inc-7"})
        assert _marks(admin) == {"owner": "billing", "compromised": "true", "incident_id": "inc-7"}
    assert read_credential(client, PATH).version == 1


def test_a_mark_on_what_is_not_there_is_told(client: VaultClient) -> None:
    with pytest.raises(CredentialMissing, match="credential-missing"):
        mark_credential(client, admin_path("6f9619ff-8b86-4d01-b42d-00cf4fc964ff"), {"compromised": "true"})


# --- what the duty may not do -----------------------------------------------------------------------------


def test_who_rotates_invents_no_tenant(client: VaultClient, admin: hvac.Client) -> None:
    before = contents(admin)
    with pytest.raises(VaultRequestFailed, match="vault-request-failed"):
        replace_credential(client, admin_path("6f9619ff-8b86-4d01-b42d-00cf4fc964ff"), SECOND, seen=0)
    assert contents(admin) == before


@pytest.mark.parametrize("path", ["vps/550e8400-e29b-41d4-a716-446655440000/admin_ssh", "smtp/deeper/than/admin"])
def test_who_rotates_reads_nothing_but_credentials_of_tenants(
    path: str, client: VaultClient, admin: hvac.Client
) -> None:
    write(admin, path, {"private_key": "x"})
    with pytest.raises(VaultRequestFailed, match="vault-request-failed"):
        read_credential(client, path)


def test_who_rotates_deletes_nothing(client: VaultClient, admin: hvac.Client) -> None:
    with pytest.raises(VaultRequestFailed), client.asked("deletion") as vault:
        vault.secrets.kv.v2.delete_metadata_and_all_versions(f"{TENANT}/admin", mount_point="smtp")
    assert read_credential(client, PATH).data == FIRST
