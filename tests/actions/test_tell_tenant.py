"""`tell_tenant`: admin and contacts of a tenant are told once, wherever one of them refuses."""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import hvac
import pytest

from lab.tenants import Tenant
from lambdas.domain.credential_errors import CredentialMissing, CredentialsNotInEstate
from lambdas.domain.errors import AwsUnavailable
from lambdas.domain.estate_credentials import Credentials
from lambdas.domain.mailu_errors import TenantIdInvalid
from lambdas.domain.operation import Operation
from lambdas.domain.tenant import admin_path, tenant_target
from tests.actions.credential_house import SENDER, give_contacts
from tests.actions.house import House
from tests.servers.aws import forget
from tests.servers.mail import let_send, mails, refused_mail
from tests.servers.vault import VaultServer, write

OPS = "ops@example.net"


@dataclass
class Told:
    """A tenant, and the operation that tells it."""

    house: House
    operation: Operation
    tenant: Tenant
    admin: hvac.Client

    @property
    def email(self) -> str:
        return f"admin@{self.tenant.domain}"

    def tell(self, kind: str = "compromise", **more: object) -> Any:
        event = {"operation": self.operation, "tenant_id": self.tenant.id, "kind": kind} | more
        return self.house.run("tell_tenant", event)


@pytest.fixture
def told(house: House, server: VaultServer, tenants: list[Tenant]) -> Iterator[Told]:
    let_send(SENDER)
    house.credentials = Credentials(SENDER)
    house.put_estate()
    tenant, admin = tenants[0], server.admin()
    give_contacts(admin, tenant, OPS)
    operation = house.operation("credential_compromise", target=tenant_target(tenant.id))
    yield Told(house, operation, tenant, admin)
    forget("ses")


def _result(recipient: str, status: str, out_of_band: bool, problem: str = "") -> dict[str, object]:
    return {"recipient": recipient, "status": status, "out_of_band": out_of_band, "problem": problem}


def test_admin_and_contact_are_told_once_however_often_this_runs(told: Told) -> None:
    for _ in range(2):
        assert told.tell() == {
            "told": [_result(told.email, "sent", False), _result(OPS, "sent", True)],
            "all_sent": True,
            "out_of_band": True,
        }
    assert [each.to for each in mails()] == [[told.email], [OPS]]
    for mail in mails():
        assert (mail.sender, mail.subject) == (SENDER, "SMTP Credentials Rotated - Security Incident")
        assert "Incident ID: INC-7.\nNo action required on your part.\n" in mail.body
        assert not [secret for secret in told.house.secrets if secret in mail.body]


def test_an_operation_without_an_incident_id_is_named_itself(told: Told) -> None:
    told.operation = dataclasses.replace(told.operation, incident_id=None)
    told.tell()
    assert "Incident ID: op-1.\n" in mails()[0].body


def test_the_result_has_nothing_of_the_mails_text(told: Told) -> None:
    assert "rotated" not in str(told.tell())


def test_the_notice_says_when_the_credential_in_vault_was_replaced(told: Told) -> None:
    values = told.admin.secrets.kv.v2.read_secret_version(
        f"{told.tenant.id}/admin", mount_point="smtp", raise_on_deleted_version=True
    )["data"]["data"]
    write(told.admin, admin_path(told.tenant.id), values | {"last_rotated": "2026-11-22T03:04:05+00:00"})
    told.tell(tokens_revoked=2)
    assert f"The password of {told.email} was replaced, 2026-11-22 03:04 UTC.\n  Its app tokens" in mails()[0].body


def test_a_rotation_that_is_due_is_announced_with_its_day(told: Told) -> None:
    assert told.tell("due", due_on="2026-12-01")["all_sent"]
    assert mails()[0].subject == "SMTP Credentials Will Be Rotated on 2026-12-01 - Planned Rotation"


def test_a_rotation_that_is_due_is_announced_seven_days_before_it(told: Told) -> None:
    told.tell("due")
    assert mails()[0].subject == "SMTP Credentials Will Be Rotated on 2026-11-29 - Planned Rotation"


def test_a_mailbox_that_refuses_keeps_the_contact_from_nothing_and_is_tried_again(told: Told) -> None:
    with refused_mail(told.email):
        found = told.tell()
    assert found == {
        "told": [_result(told.email, "refused", False, "MessageRejected"), _result(OPS, "sent", True)],
        "all_sent": False,
        "out_of_band": True,
    }
    assert told.tell()["all_sent"]
    assert [each.to for each in mails()] == [[OPS], [told.email]]


def test_a_contact_in_the_tenants_own_domain_is_told_and_not_out_of_band(told: Told) -> None:
    give_contacts(told.admin, told.tenant, f"boss@{told.tenant.domain}")
    found = told.tell()
    assert (found["all_sent"], found["out_of_band"]) == (True, False)
    assert [each.to for each in mails()] == [[told.email], [f"boss@{told.tenant.domain}"]]


def test_a_tenant_without_contacts_is_told_by_its_admin_alone(told: Told) -> None:
    give_contacts(told.admin, told.tenant, "")
    assert told.tell() == {"told": [_result(told.email, "sent", False)], "all_sent": True, "out_of_band": False}


def test_what_would_add_a_header_or_a_recipient_is_told_and_gets_no_mail(told: Told) -> None:
    give_contacts(told.admin, told.tenant, f"Ops <{OPS}>,{OPS} Bcc: eve@evil.example,{OPS}")
    write(told.admin, admin_path(told.tenant.id), {"username": f"{told.email}\r\nBcc: eve@evil.example"})
    found = told.tell()
    assert [(each["recipient"], each["status"]) for each in found["told"]] == [
        (OPS, "sent"),
        (f"{told.email}??Bcc: eve@evil.example", "malformed"),
        (f"Ops <{OPS}>", "malformed"),
        (f"{OPS} Bcc: eve@evil.example", "malformed"),
    ]
    assert (found["all_sent"], found["out_of_band"]) == (False, False)
    (mail,) = mails()
    assert mail.to == [OPS]
    assert "\nBcc" not in mail.body


def test_two_tenants_of_one_operation_that_share_a_contact_are_each_told(told: Told, tenants: list[Tenant]) -> None:
    give_contacts(told.admin, tenants[1], OPS)
    told.tell()
    told.tell(tenant_id=tenants[1].id)
    assert [each.to for each in mails()].count([OPS]) == 2


def test_mail_that_ses_may_take_later_is_an_error_that_is_tried_again(told: Told) -> None:
    with refused_mail(told.email, "TooManyRequestsException", 429), pytest.raises(AwsUnavailable):
        told.tell()
    assert told.tell()["all_sent"]


def test_a_tenant_without_a_credential_is_told_as_such(told: Told) -> None:
    with pytest.raises(CredentialMissing):
        told.tell(tenant_id="550e8400-e29b-41d4-a716-446655440000")


@pytest.mark.parametrize("tenant_id", ["../admin", "", "550E8400-E29B-41D4-A716-446655440000"])
def test_what_is_no_tenant_id_reaches_neither_vault_nor_ses(told: Told, tenant_id: str) -> None:
    with pytest.raises(TenantIdInvalid):
        told.tell(tenant_id=tenant_id)
    assert mails() == []


def test_an_estate_without_tenants_credentials_is_told_what_it_lacks(told: Told) -> None:
    told.house.credentials = None
    told.house.put_estate()
    with pytest.raises(CredentialsNotInEstate, match="credentials-not-in-estate"):
        told.tell()
