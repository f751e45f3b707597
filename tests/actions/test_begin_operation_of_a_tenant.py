"""`begin_operation` of a scenario that is about one tenant: alone on that tenant, and in the tenant's own chain."""

from datetime import UTC, datetime, timedelta
from unittest.mock import patch

import pytest

from lambdas.adapters.lambda_handler import Run
from lambdas.domain.credential_errors import CredentialsNotInEstate
from lambdas.domain.errors import InputInvalid, TargetBusy
from lambdas.domain.mailu_errors import TenantIdInvalid
from lambdas.domain.tenant import tenant_target
from tests.actions.credential_house import SCENARIO, TenantHouse
from tests.actions.house import House, execution_arn, start_execution
from tests.servers.aws import aws

AT = "2026-11-22T02:00:00.123Z"
OTHER = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff"


def _event(given: object, name: str = "op-1") -> dict[str, object]:
    return {"scenario": SCENARIO, "execution": execution_arn(SCENARIO, name), "started_at": AT, "input": given}


def _leak(tenant_id: str, **more: str) -> dict[str, str]:
    return {"tenant_id": tenant_id, "compromise_details": "seen in a paste", **more}


def _is_untouched(house: House) -> bool:
    return not aws("dynamodb").scan(TableName="mailark-leases")["Items"] and house.events() == []


def test_a_response_holds_its_tenant_and_is_told_in_the_tenants_chain(tenant: TenantHouse) -> None:
    house = tenant.house
    found = [house.run("begin_operation", _event(_leak(tenant.id, requested_by="jo"))) for _ in range(2)]
    assert found[0] == found[1]
    operation = found[0]["operation"]
    assert (found[0]["tenant_id"], operation["lease"]["target"]) == (tenant.id, tenant_target(tenant.id))
    assert (operation["reason"], operation["user_id"]) == ("seen in a paste", "jo")
    (event,) = house.events(scope=tenant_target(tenant.id))
    assert (event.event, event.tenant_id) == ("operation_started", tenant.id)


def test_what_answers_to_no_incident_is_one_itself(tenant: TenantHouse) -> None:
    """The marks in Vault name an incident in any case: a reset without one is suspicious."""
    begun = tenant.house.run("begin_operation", _event(_leak(tenant.id)))
    assert begun["operation"]["incident_id"] == "op-1"


def test_an_incident_that_is_given_is_kept_and_an_alarm_is_nobodys_doing(tenant: TenantHouse) -> None:
    given = _leak(tenant.id, incident_id="INC-9", alarm=f"mailark-compromise/{tenant.id}")
    operation = tenant.house.run("begin_operation", _event(given))["operation"]
    assert (operation["incident_id"], operation["user_id"]) == ("INC-9", "system")


def test_two_tenants_do_not_wait_for_each_other(tenant: TenantHouse) -> None:
    first = tenant.house.run("begin_operation", _event(_leak(tenant.id)))
    second = tenant.house.run("begin_operation", _event(_leak(OTHER), "op-2"))
    assert first["operation"]["id"] == "op-1"
    assert second["operation"]["id"] == "op-2"


# --- a second one for the same tenant ---------------------------------------------------------------------


@pytest.mark.parametrize("more", [{}, {"alarm": "mailark-compromise/x"}])
def test_it_joins_the_one_that_has_the_tenant_in_hand(tenant: TenantHouse, more: dict[str, str]) -> None:
    first = start_execution(SCENARIO, "op-1")
    tenant.house.run("begin_operation", _event(_leak(tenant.id)) | {"execution": first})
    begun = tenant.house.run("begin_operation", _event(_leak(tenant.id, **more), "op-2"))
    assert (begun["duplicate_of"], begun["operation"]) == ("op-1", None)


def test_a_rotation_of_the_same_tenant_is_waited_for(tenant: TenantHouse) -> None:
    rotation = start_execution("vault_backup", "op-7")  # of another scenario, whichever it is
    tenant.house.leases().take(tenant_target(tenant.id), rotation, lambda _: True)
    with pytest.raises(TargetBusy, match=r"target-busy: tenant#.* is being changed by op-7"):
        tenant.house.run("begin_operation", _event(_leak(tenant.id)))


def test_one_that_died_is_taken_over(tenant: TenantHouse) -> None:
    tenant.house.run("begin_operation", _event(_leak(tenant.id)))  # an execution that nobody knows any more
    begun = tenant.house.run("begin_operation", _event(_leak(tenant.id), "op-2"))
    assert begun["operation"]["lease"]["token"] == 2


def _has_succeeded(tenant: TenantHouse) -> None:
    operation = tenant.house.run("begin_operation", _event(_leak(tenant.id)))["operation"]
    with patch("lambdas.actions.complete_operation._passages", return_value=[]):
        tenant.house.run("complete_operation", {"operation": operation, "details": {"tenant_id": tenant.id}})


def test_a_late_alarm_joins_the_response_that_has_just_succeeded(tenant: TenantHouse) -> None:
    """What an alarm tells of is up to some minutes old: the response came after it."""
    _has_succeeded(tenant)
    alarm = _leak(tenant.id, alarm="mailark-compromise/x")
    assert tenant.house.run("begin_operation", _event(alarm, "op-2"))["duplicate_of"] == "op-1"


def test_a_person_who_starts_another_one_gets_another_one(tenant: TenantHouse) -> None:
    _has_succeeded(tenant)
    begun = tenant.house.run("begin_operation", _event(_leak(tenant.id), "op-2"))
    assert begun["operation"]["id"] == "op-2"


def test_an_alarm_of_later_is_another_leak(tenant: TenantHouse) -> None:
    _has_succeeded(tenant)
    alarm, later = _leak(tenant.id, alarm="mailark-compromise/x"), datetime.now(UTC) + timedelta(minutes=6)
    with patch.object(Run, "now", staticmethod(lambda: later)):
        begun = tenant.house.run("begin_operation", _event(alarm, "op-2"))
    assert begun["operation"]["id"] == "op-2"


def test_an_alarm_does_not_join_a_response_that_has_failed(tenant: TenantHouse) -> None:
    operation = tenant.house.run("begin_operation", _event(_leak(tenant.id)))["operation"]
    caught = {"failed_state": "SetCredential", "error": "MailuUnreachable", "cause": "{}"}
    tenant.house.run("fail_operation", {"scenario": SCENARIO, "execution": operation["execution"], **caught})
    begun = tenant.house.run("begin_operation", _event(_leak(tenant.id, alarm="a"), "op-2"))
    assert begun["operation"]["id"] == "op-2"


# --- what is refused --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "tenant_id",
    [
        *(
            "42",
            "../../sys/raw",
            "550e8400-e29b-41d4-a716-446655440000/../other",
            "550E8400-E29B-41D4-A716-446655440000",
        ),
        *("550e8400-e29b-11d4-a716-446655440000", "550e8400e29b41d4a716446655440000", "tenant#x", "ünïcode"),
    ],
)
def test_what_is_no_tenant_id_begins_nothing(tenant: TenantHouse, tenant_id: str) -> None:
    with pytest.raises(TenantIdInvalid, match="tenant-id-invalid"):
        tenant.house.run("begin_operation", _event(_leak(tenant_id)))
    assert _is_untouched(tenant.house)


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"tenant_id": OTHER}, "compromise_details: this key is required and missing"),
        ({"compromise_details": "x"}, "tenant_id: this key is required and missing"),
        (_leak(OTHER, reason="x"), "reason: "),
        (_leak(OTHER) | {"compromise_details": " "}, "compromise_details: expected some words"),
    ],
)
def test_an_input_with_a_mistake_begins_nothing(tenant: TenantHouse, given: object, problem: str) -> None:
    with pytest.raises(InputInvalid, match=problem):
        tenant.house.run("begin_operation", _event(given))
    assert _is_untouched(tenant.house)


def test_without_a_section_for_credentials_nothing_begins(house: House) -> None:
    with pytest.raises(CredentialsNotInEstate, match="credentials-not-in-estate"):
        house.run("begin_operation", _event(_leak(OTHER)))
    assert _is_untouched(house)
