"""`set_credential`: the mail server gets the new password and Vault at once after it, or neither does."""

from typing import Any

import pytest

from lab.mailu.running import broken
from lambdas.adapters.mailu_http import Answer, MailuHttp
from lambdas.domain.errors import LeaseLost
from lambdas.domain.mailu_errors import MailUserDisabled, MailuTokenRefused, MailuUnreachable
from lambdas.domain.tenant import mailu_token_path
from tests.actions.credential_house import TenantHouse
from tests.servers.vault import write


def test_the_same_password_is_at_the_mail_server_and_in_vault_however_often_it_runs(tenant: TenantHouse) -> None:
    operation = tenant.operation()
    tenant.rotate(operation, "create_credential")
    found = [tenant.rotate(operation, "set_credential") for _ in range(2)]
    assert found == [{"version": 2}] * 2
    assert tenant.in_vault() != tenant.leaked
    assert tenant.works(tenant.in_vault())
    assert not tenant.works(tenant.leaked)
    assert {"webmail_url", "created_at", "rotation_policy", "username"} < tenant.stored().keys()


def test_an_operation_that_was_taken_over_sets_nothing(tenant: TenantHouse) -> None:
    operation = tenant.operation()
    tenant.rotate(operation, "create_credential")
    tenant.house.take_over(operation)
    with pytest.raises(LeaseLost, match="lease-lost"):
        tenant.rotate(operation, "set_credential")
    assert _is_untouched(tenant)


def test_a_mail_server_that_is_down_leaves_all_as_it_was(tenant: TenantHouse) -> None:
    operation = tenant.operation()
    tenant.rotate(operation, "create_credential")
    with tenant.mailu.host.down(tenant.mailu.server), pytest.raises(MailuUnreachable, match="mailu-unreachable"):
        tenant.rotate(operation, "set_credential")
    assert _is_untouched(tenant)


def test_a_wrong_api_token_is_tried_once(tenant: TenantHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    """Five in an hour lock the right one out (platform-facts.md)."""
    operation = tenant.operation()
    tenant.rotate(operation, "create_credential")
    write(tenant.admin, mailu_token_path(tenant.id), {"token": "another"})
    asked, ask = list[str](), MailuHttp.ask

    def counted(http: MailuHttp, method: str, *more: Any) -> Answer:
        asked.append(method)
        return ask(http, method, *more)

    monkeypatch.setattr(MailuHttp, "ask", counted)
    with pytest.raises(MailuTokenRefused, match="mailu-token-refused"):
        tenant.rotate(operation, "set_credential")
    assert asked == ["GET"]
    monkeypatch.undo()
    assert _is_untouched(tenant)


def test_a_disabled_user_is_told_before_anything_is_set(tenant: TenantHouse) -> None:
    operation = tenant.operation()
    tenant.rotate(operation, "create_credential")
    tenant.mailu.server.state.users[tenant.email].enabled = False
    with pytest.raises(MailUserDisabled, match="mail-user-disabled"):
        tenant.rotate(operation, "set_credential")
    assert tenant.in_vault() == tenant.leaked


def test_a_mail_server_that_says_yes_and_does_nothing_is_not_found_out_here(tenant: TenantHouse) -> None:
    """It is by `prove_credential`; Vault has the new one by then, so the same operation can go on."""
    operation = tenant.operation()
    tenant.rotate(operation, "create_credential")
    with broken(tenant.mailu.server, unchanged=True):
        tenant.rotate(operation, "set_credential")
    assert tenant.works(tenant.leaked)
    tenant.rotate(operation, "set_credential")
    assert tenant.works(tenant.in_vault())


def _is_untouched(tenant: TenantHouse) -> bool:
    return tenant.in_vault() == tenant.leaked and tenant.works(tenant.leaked)
