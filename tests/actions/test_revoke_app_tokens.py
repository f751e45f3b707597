"""`revoke_app_tokens`: each opens IMAP and SMTP whatever the password is, so each is written down and deleted."""

import pytest

from lab.mailu.running import broken
from lambdas.adapters.mail_logins import log_in
from lambdas.adapters.mailu import MailuApi
from lambdas.domain.credential_errors import AppTokensRemain
from lambdas.domain.mail_login import MailServer, Way
from lambdas.domain.mailu import NewAppToken
from lambdas.domain.mailu_errors import MailuUnreachable
from tests.actions.credential_house import TenantHouse


def _api(tenant: TenantHouse) -> MailuApi:
    return MailuApi(MailServer(tenant.mailu.address, tenant.mailu.authority.pem), tenant.mailu.token)


def _make(tenant: TenantHouse, *comments: str) -> list[NewAppToken]:
    made = [_api(tenant).create_token(tenant.email, each) for each in comments]
    tenant.house.secrets |= {each.secret for each in made}
    return made


def _opens(tenant: TenantHouse, token: NewAppToken) -> bool:
    ports = tenant.mailu.server.ports
    server = MailServer(tenant.mailu.address, tenant.mailu.authority.pem, ports.imaps, ports.smtps, ports.submission)
    return log_in(server, Way.IMAP, tenant.email, token.secret).is_right


def test_no_token_opens_the_mailbox_any_more_and_each_is_on_record(tenant: TenantHouse) -> None:
    made = _make(tenant, "phone", "an intruder's")
    assert all(_opens(tenant, each) for each in made)
    answer = tenant.run("revoke_app_tokens", tenant.operation())
    assert not any(_opens(tenant, each) for each in made)
    assert (answer["count"], [each["comment"] for each in answer["tokens"]]) == (2, ["phone", "an intruder's"])
    assert answer["record"] == "op-1/app-tokens.json"
    assert answer["record"] in tenant.house.objects("work")


def test_without_tokens_there_is_nothing_to_do(tenant: TenantHouse) -> None:
    assert tenant.run("revoke_app_tokens", tenant.operation())["count"] == 0


def test_a_second_run_tells_of_those_that_the_first_has_deleted(tenant: TenantHouse) -> None:
    _make(tenant, "phone")
    operation = tenant.operation()
    found = [tenant.run("revoke_app_tokens", operation)["tokens"] for _ in range(2)]
    assert found[0] == found[1]
    assert len(found[0]) == 1


def test_what_was_written_down_is_not_lost_when_deleting_fails(
    tenant: TenantHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    _make(tenant, "phone", "laptop")
    operation = tenant.operation()
    deleted: list[str] = []

    def dies_at_the_second(api: MailuApi, token_id: str, delete: object = MailuApi.delete_token) -> bool:
        if deleted:
            raise MailuUnreachable(address=api.address, problem="it answered 502")
        deleted.append(token_id)
        assert callable(delete)
        return bool(delete(api, token_id))

    monkeypatch.setattr(MailuApi, "delete_token", dies_at_the_second)
    with pytest.raises(MailuUnreachable, match="mailu-unreachable"):
        tenant.run("revoke_app_tokens", operation)
    monkeypatch.undo()
    answer = tenant.run("revoke_app_tokens", operation)
    assert [each["comment"] for each in answer["tokens"]] == ["phone", "laptop"]
    assert _api(tenant).tokens(tenant.email) == []


def test_somebody_who_makes_new_ones_all_the_time_is_told(tenant: TenantHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    _make(tenant, "first")
    delete = MailuApi.delete_token

    def makes_another(api: MailuApi, token_id: str) -> bool:
        _make(tenant, "again")
        return delete(api, token_id)

    monkeypatch.setattr(MailuApi, "delete_token", makes_another)
    with pytest.raises(AppTokensRemain, match=r"app-tokens-remain: .* still lists app tokens of .* \(1\)"):
        tenant.run("revoke_app_tokens", tenant.operation())


def test_a_page_of_html_deletes_nothing(tenant: TenantHouse) -> None:
    _make(tenant, "phone")
    with broken(tenant.mailu.server, html_status=502), pytest.raises(MailuUnreachable, match="it answered 502"):
        tenant.run("revoke_app_tokens", tenant.operation())
    assert len(_api(tenant).tokens(tenant.email)) == 1
