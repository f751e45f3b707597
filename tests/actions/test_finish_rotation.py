"""`finish_rotation`: the escrow knows which password works, and Vault which version is compromised."""

from lambdas.domain.tenant import admin_path
from tests.actions.credential_house import TenantHouse
from tests.servers.vault import write

_BEFORE = ("create_credential", "set_credential", "prove_credential")


def test_the_new_password_is_current_and_the_old_version_is_marked(tenant: TenantHouse) -> None:
    """platform-facts.md: compromised, incident_id, reset_by, reset_at."""
    finished = tenant.rotate(tenant.operation(), *_BEFORE, "finish_rotation")
    assert finished == {"version": 2, "compromised_version": 1}
    marks = tenant.marks()
    assert marks.pop("reset_at") > "2026-11-22"
    assert marks == {"compromised": "true", "compromised_version": "1", "incident_id": "INC-7", "reset_by": "jo"}
    assert [each.state for each in tenant.escrow().items(admin_path(tenant.id))] == ["current"]


def test_marks_of_others_stay(tenant: TenantHouse) -> None:
    kv = tenant.admin.secrets.kv.v2
    kv.update_metadata(f"{tenant.id}/admin", custom_metadata={"owner": "sales"}, mount_point="smtp")
    tenant.rotate(tenant.operation(), *_BEFORE, "finish_rotation")
    assert tenant.marks()["owner"] == "sales"


def test_a_planned_rotation_marks_nothing(tenant: TenantHouse) -> None:
    operation = tenant.operation()
    for action in (*_BEFORE, "finish_rotation"):
        finished = tenant.run(action, operation, kind="planned")
    assert finished == {"version": 2, "compromised_version": None}
    assert tenant.marks() == {}


def test_it_may_run_twice_and_what_somebody_wrote_since_stays(tenant: TenantHouse) -> None:
    operation = tenant.operation()
    tenant.rotate(operation, *_BEFORE, "finish_rotation")
    since = tenant.stored() | {"rotation_policy": "90_days"}
    write(tenant.admin, admin_path(tenant.id), since)
    assert tenant.rotate(operation, "finish_rotation") == {"version": 2, "compromised_version": 1}
    assert tenant.stored() == since
