"""`create_credential`: the new password lies in the escrow before anything is set, and is made once."""

import pytest

from lambdas.domain.credential import open_password
from lambdas.domain.credential_errors import CredentialMissing, CredentialsNotInEstate
from lambdas.domain.tenant import admin_path
from tests.actions.credential_house import TenantHouse


def test_the_password_is_pending_in_the_escrow_and_nothing_is_set(tenant: TenantHouse) -> None:
    operation = tenant.operation()
    made = tenant.run("create_credential", operation, kind="emergency")
    (item,) = tenant.escrow().items(admin_path(tenant.id))
    assert (item.item, item.state) == ("op-1", "pending")
    assert (made["item"], made["created_at"]) == (item.item, item.created_at)
    assert tenant.works(tenant.leaked)
    assert tenant.in_vault() == tenant.leaked


def test_a_leak_is_answered_with_48_random_bytes_and_a_planned_rotation_with_32(tenant: TenantHouse) -> None:
    sizes = []
    for name, kind in (("op-1", "emergency"), ("op-2", "planned")):
        operation = tenant.operation(name)
        tenant.run("create_credential", operation, kind=kind)
        values = tenant.escrow().open(tenant.escrow().get(admin_path(tenant.id), name))
        sizes.append(len(open_password(tenant.house.master_key, tenant.id, values["password"])))
        tenant.house.leases().release(operation.lease.target, operation.execution)
    assert sizes == [64, 43]


def test_however_often_it_runs_it_is_the_same_password(tenant: TenantHouse) -> None:
    operation = tenant.operation()
    made = [tenant.run("create_credential", operation, kind="emergency") for _ in range(2)]
    assert made[0] == made[1]
    assert len(tenant.escrow().items(admin_path(tenant.id))) == 1


def test_a_tenant_without_a_credential_gets_none(tenant: TenantHouse) -> None:
    operation = tenant.operation()
    tenant.admin.secrets.kv.v2.delete_metadata_and_all_versions(f"{tenant.id}/admin", mount_point="smtp")
    with pytest.raises(CredentialMissing, match="credential-missing"):
        tenant.run("create_credential", operation, kind="emergency")
    assert tenant.escrow().items(admin_path(tenant.id)) == []


def test_without_a_section_for_credentials_nothing_is_made(tenant: TenantHouse) -> None:
    tenant.house.credentials = None
    tenant.house.put_estate()
    with pytest.raises(CredentialsNotInEstate, match="credentials-not-in-estate"):
        tenant.run("create_credential", tenant.operation(), kind="emergency")
