"""The platform's tenants in a real Vault: credentials, the way into their mail servers, and their contacts."""

import dataclasses
import secrets

import pytest

from lab.tenants import Mailbox, Platform, Tenant, make_tenants
from lambdas.domain.tenant import mailu_token_path
from tests.lab.platform_vault import MASTER_KEY
from tests.servers.vault import VaultServer, write

MAILBOX = Mailbox("https://localhost:20443", "api-token-of-the-server")


@pytest.fixture
def tenant() -> Tenant:
    """Somebody new, with a mailbox."""
    return dataclasses.replace(make_tenants(1, seed=secrets.randbits(32))[0], mailbox=MAILBOX)


def _store(platform: Platform, *tenants: Tenant) -> None:
    assert list(platform.store(tenants)) == list(tenants)


def test_a_tenant_with_a_mailbox_has_its_address_and_the_token_of_its_api(
    platform: Platform, platform_vault: VaultServer, tenant: Tenant
) -> None:
    _store(platform, tenant)
    assert platform.read(tenant)["webmail_url"] == MAILBOX.address
    assert platform.read(tenant)["username"] == f"admin@{tenant.domain}"
    mount, _, path = mailu_token_path(tenant.id).partition("/")
    answer = platform_vault.admin().secrets.kv.v2.read_secret_version(
        path, mount_point=mount, raise_on_deleted_version=True
    )
    assert answer["data"]["data"] == {"token": MAILBOX.api_token}


def test_a_tenant_without_one_has_an_address_that_nobody_serves_and_no_token(
    platform: Platform, platform_vault: VaultServer, tenant: Tenant
) -> None:
    alone = dataclasses.replace(tenant, mailbox=None)
    _store(platform, alone)
    assert platform.read(alone)["webmail_url"] == f"https://mail.{alone.domain}"
    mount, _, path = mailu_token_path(alone.id).partition("/")
    assert platform_vault.admin().read(f"{mount}/data/{path}") is None


def test_contacts_stand_in_the_metadata_beside_other_marks(
    platform: Platform, platform_vault: VaultServer, tenant: Tenant
) -> None:
    told = dataclasses.replace(tenant, contacts=("owner@contact.example.net", "second@contact.example.net"))
    _store(platform, tenant)
    assert platform.marks(tenant) == {}
    kv = platform_vault.admin().secrets.kv.v2
    kv.update_metadata(tenant.path, mount_point="smtp", custom_metadata={"compromised": "true"})
    _store(platform, told)
    assert platform.marks(told) == {
        "compromised": "true",
        "contacts": "owner@contact.example.net,second@contact.example.net",
    }


def test_the_password_is_what_vault_says_now(platform: Platform, tenant: Tenant) -> None:
    _store(platform, tenant)
    assert platform.password(tenant) == tenant.password
    assert platform.wrong([tenant]) == []
    changed = dataclasses.replace(tenant, password="another")
    _store(platform, changed)
    assert platform.password(tenant) == "another"
    assert platform.wrong([tenant, changed]) == [tenant.id]


def test_a_password_under_another_key_or_none_at_all_is_wrong(
    platform: Platform, platform_vault: VaultServer, tenant: Tenant
) -> None:
    assert platform.wrong([tenant]) == [tenant.id]
    other = Platform(platform_vault.admin(), bytes(reversed(MASTER_KEY)))
    _store(other, tenant)
    assert platform.wrong([tenant]) == [tenant.id]
    write(platform_vault.admin(), f"smtp/{tenant.path}", {"username": tenant.email})
    assert platform.wrong([tenant]) == [tenant.id]


def test_what_is_destroyed_is_gone(platform: Platform, tenant: Tenant) -> None:
    _store(platform, tenant)
    platform.destroy([tenant])
    assert platform.wrong([tenant]) == [tenant.id]


def test_ids_follow_from_the_seed_and_domains_from_the_first_number() -> None:
    first, again, later = make_tenants(3), make_tenants(3), make_tenants(2, seed=2, first=3)
    assert [each.id for each in first] == [each.id for each in again]
    assert first[0].password != again[0].password
    assert [each.domain for each in later] == ["tenant-3.example.org", "tenant-4.example.org"]
    assert not {each.id for each in first} & {each.id for each in later}
