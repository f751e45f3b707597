"""Who may log in to Vault, and what each duty's policy lets it do: all of it against a real server."""

import contextlib
import re
import time
from typing import Any

import pytest
from hvac.exceptions import Forbidden, VaultError

from lab.aws import ROOT
from lambdas.adapters.signing import SigningKey
from lambdas.adapters.vault import VaultClient
from lambdas.domain.errors import KeyUnusable
from lambdas.domain.vault_configuration import server_configuration
from lambdas.domain.vault_duties import DUTIES, LOGIN_SECONDS, Duty, DutyName, role
from lambdas.domain.vault_errors import VaultLoginRefused, VaultRequestFailed, VaultUnreachable
from tests.adapters.conftest import Login
from tests.servers.aws import make_signing_key
from tests.servers.vault import CANARY, Vaults, VaultServer, contents, until, write

PAIRS = [(duty, other) for duty in DUTIES for other in DUTIES if duty != other]


class _OtherClock(SigningKey):
    """Signs as a function does whose clock is wrong."""

    seconds_off = 0

    def jwt(self, claims: dict[str, Any]) -> str:
        moved = {name: claims[name] + self.seconds_off for name in ("iat", "nbf", "exp")}
        return super().jwt(claims | moved)


@pytest.mark.parametrize("duty", DUTIES)
def test_each_duty_logs_in_with_its_own_key(duty: DutyName, vault: VaultServer, login: Login) -> None:
    login(vault, duty)


@pytest.mark.parametrize(("duty", "other"), PAIRS)
def test_the_key_of_one_duty_does_not_open_another(
    duty: DutyName, other: DutyName, vaults: Vaults, vault: VaultServer, logins: dict[DutyName, SigningKey]
) -> None:
    with pytest.raises(VaultLoginRefused, match=f"the duty {duty}"):
        VaultClient(vault.address, vaults.estate(vault), Duty(duty), logins[other])


@pytest.mark.parametrize(("duty", "other"), PAIRS)
def test_a_token_of_one_duty_is_not_taken_at_the_mount_of_another(
    duty: DutyName, other: DutyName, vaults: Vaults, vault: VaultServer, logins: dict[DutyName, SigningKey]
) -> None:
    class Impostor(SigningKey):
        def jwt(self, claims: dict[str, Any]) -> str:
            return super().jwt(claims | {"sub": Duty(other).title})

    with pytest.raises(VaultLoginRefused):
        VaultClient(vault.address, vaults.estate(vault), Duty(duty), Impostor(logins[duty].arn))


def test_a_key_that_vault_does_not_know_is_refused_with_the_mount_to_look_at(
    vaults: Vaults, vault: VaultServer
) -> None:
    with pytest.raises(VaultLoginRefused) as failure:
        VaultClient(vault.address, vaults.estate(vault), Duty("backup"), make_signing_key())
    assert f"Vault at {vault.address} refuses the login for the duty backup." in str(failure.value)
    assert "the login method mailark-backup, its key or its policy is missing or differs" in str(failure.value)


def test_a_vault_without_the_login_method_refuses(vaults: Vaults, vault: VaultServer) -> None:
    admin = vault.admin()
    configuration = admin.read("auth/mailark-inventory/config")["data"]
    admin.sys.disable_auth_method("mailark-inventory")
    try:
        with pytest.raises(VaultLoginRefused, match="the duty inventory"):
            VaultClient(vault.address, vaults.estate(vault), Duty("inventory"), vaults.logins["inventory"])
    finally:
        _give_back_login(admin, configuration)


def _give_back_login(admin: Any, configuration: dict[str, Any]) -> None:
    admin.sys.enable_auth_method("jwt", path="mailark-inventory")
    keep = {name: configuration[name] for name in ("jwt_validation_pubkeys", "bound_issuer", "jwt_supported_algs")}
    admin.write_data("auth/mailark-inventory/config", data=keep)
    admin.write_data("auth/mailark-inventory/role/mailark-inventory", data=role(Duty("inventory")))


@pytest.mark.parametrize("seconds_off", [-3600, 3600])
def test_a_login_by_a_clock_that_is_an_hour_off_is_refused(
    seconds_off: int, vaults: Vaults, vault: VaultServer, logins: dict[DutyName, SigningKey]
) -> None:
    key = _OtherClock(logins["backup"].arn)
    key.seconds_off = seconds_off
    with pytest.raises(VaultLoginRefused):
        VaultClient(vault.address, vaults.estate(vault), Duty("backup"), key)


def test_a_login_by_a_clock_that_is_seconds_off_is_taken(
    vaults: Vaults, vault: VaultServer, logins: dict[DutyName, SigningKey]
) -> None:
    key = _OtherClock(logins["backup"].arn)
    key.seconds_off = 20
    assert key.seconds_off < LOGIN_SECONDS
    VaultClient(vault.address, vaults.estate(vault), Duty("backup"), key)


def test_a_login_lasts_as_long_as_a_function_and_cannot_be_prolonged(vault: VaultServer, login: Login) -> None:
    began = time.time()
    token = login(vault, "restore")._client.token
    found = vault.admin().lookup_token(token)["data"]
    assert found["type"] == "batch"
    assert found["policies"] == ["mailark-restore"]
    assert 15 * 60 - 5 <= found["ttl"] + (time.time() - began) <= 15 * 60 + 5
    assert not found["renewable"]


def test_a_login_to_a_vault_that_is_gone_says_that_it_does_not_answer(
    vaults: Vaults, logins: dict[DutyName, SigningKey]
) -> None:
    gone = vaults.prepare()
    with pytest.raises(VaultUnreachable):
        VaultClient(gone.address, vaults.estate(gone), Duty("backup"), logins["backup"])


def test_a_login_with_a_key_that_is_gone_blames_the_key_and_not_vault(vaults: Vaults, vault: VaultServer) -> None:
    gone = SigningKey(vaults.logins["backup"].arn[:-4] + "0000")
    with pytest.raises(KeyUnusable, match="NotFoundException"):
        VaultClient(vault.address, vaults.estate(vault), Duty("backup"), gone)


def test_the_administrator_that_the_documents_describe_may_do_everything(vaults: Vaults, seal_key: str) -> None:
    page = (ROOT / "docs" / "operating.md").read_text()
    block = re.search(r"```hcl\n(initialize .*?)```", page, re.DOTALL)
    assert block
    own = server_configuration(vaults.estate(), vaults.public_keys) + "\n" + block[1]
    server = vaults.prepare(seal_key, own=own)
    server.start()
    client = server.client()

    def logs_in() -> bool:
        with contextlib.suppress(VaultError, OSError):
            client.auth.userpass.login("administrator", "change it at the first login")
            return True
        return False

    until(logs_in, "the administrator logs in")
    assert "administrator" in client.sys.list_policies()["data"]["keys"]
    client.sys.enable_secrets_engine("kv", "another", options={"version": "2"})


# --- policies ---------------------------------------------------------------------------------------------

NOBODY: set[DutyName] = set()
REQUESTS: dict[tuple[str, str], set[DutyName]] = {
    ("get", "sys/storage/raft/snapshot"): {"backup"},
    ("post", "sys/storage/raft/snapshot"): {"restore"},
    ("post", "sys/storage/raft/snapshot-force"): NOBODY,
    ("list", "smtp/metadata/"): {"backup", "inventory", "rotate"},
    ("list", "smtp/metadata/tenant"): {"backup", "inventory"},
    ("get", "smtp/metadata/tenant/admin"): {"backup", "rotate"},
    ("get", "smtp/data/tenant/admin"): {"inventory", "rotate"},
    ("get", "smtp/data/tenant/admin?version=1"): {"inventory", "rotate"},
    ("get", "vps/data/tenant/admin"): {"inventory"},
    ("get", f"smtp/data/{CANARY.removeprefix('smtp/')}"): {"backup", "inventory", "rotate"},
    ("post", f"smtp/data/{CANARY.removeprefix('smtp/')}"): {"backup", "rotate"},
    ("post", "smtp/data/tenant/admin"): {"rotate"},
    ("post", "smtp/data/somebody-new/admin"): NOBODY,
    ("post", "smtp/data/new"): NOBODY,
    ("patch", "smtp/data/tenant/admin"): NOBODY,
    ("delete", "smtp/data/tenant/admin"): NOBODY,
    ("delete", f"smtp/data/{CANARY.removeprefix('smtp/')}"): NOBODY,
    ("post", "smtp/delete/tenant/admin"): NOBODY,
    ("post", "smtp/undelete/tenant/admin"): NOBODY,
    ("post", "smtp/destroy/tenant/admin"): NOBODY,
    ("post", "smtp/metadata/tenant/admin"): NOBODY,
    ("patch", "smtp/metadata/tenant/admin"): {"rotate"},
    ("delete", "smtp/metadata/tenant/admin"): NOBODY,
    ("get", "smtp/subkeys/tenant/admin"): NOBODY,
    ("post", "smtp/config"): NOBODY,
    ("get", "other/data/tenant/admin"): NOBODY,
    ("list", "other/metadata/"): NOBODY,
    ("get", "cubbyhole/anything"): NOBODY,
    ("get", "sys/mounts"): NOBODY,
    ("post", "sys/mounts/mine"): NOBODY,
    ("delete", "sys/mounts/smtp"): NOBODY,
    ("get", "sys/auth"): NOBODY,
    ("post", "sys/auth/mine"): NOBODY,
    ("delete", "sys/auth/mailark-restore"): NOBODY,
    ("post", "auth/mailark-restore/config"): NOBODY,
    ("post", "auth/mailark-restore/role/mailark-restore"): NOBODY,
    ("post", "auth/userpass/users/mine"): NOBODY,
    ("get", "sys/policies/acl/mailark-restore"): NOBODY,
    ("post", "sys/policies/acl/mailark-restore"): NOBODY,
    ("post", "auth/token/create"): NOBODY,
    ("get", "auth/token/lookup-self"): NOBODY,
    ("post", "sys/seal"): NOBODY,
    ("post", "sys/step-down"): NOBODY,
    ("get", "sys/raw/core/keyring"): NOBODY,
    ("get", "sys/storage/raft/configuration"): NOBODY,
    ("post", "sys/storage/raft/remove-peer"): NOBODY,
    ("post", "sys/rotate/keyring"): NOBODY,
    ("get", "sys/audit"): NOBODY,
    ("post", "sys/audit/mine"): NOBODY,
    ("post", "sys/capabilities-self"): NOBODY,
}


@pytest.mark.parametrize("duty", DUTIES)
def test_a_duty_may_do_exactly_what_it_needs(duty: DutyName, vault: VaultServer, login: Login) -> None:
    admin = vault.admin()
    write(admin, "smtp/tenant/admin", {"password": "untold"})
    write(admin, "vps/tenant/admin", {"password": "untold"})
    login(vault, "backup").plant_canary(CANARY, "vault-snapshot-1")
    before = contents(admin)
    client = login(vault, duty)._client
    allowed = {request for request in REQUESTS if _is_allowed(client, *request)}
    assert allowed == {request for request, duties in REQUESTS.items() if duty in duties}
    expected = dict(before)
    for path in {"backup": [CANARY], "rotate": [CANARY, "smtp/tenant/admin"]}.get(duty, []):
        expected[path] = (before[path][0] + 1, {"a": "b"})
    assert contents(admin) == expected
    admin.secrets.kv.v2.delete_metadata_and_all_versions("test-tenant-id/admin", mount_point="smtp")


def _is_allowed(client: Any, method: str, path: str) -> bool:
    body = {"data": {"a": "b"}} if "/data/" in path else {}
    headers = {"Content-Type": "application/merge-patch+json"} if method == "patch" else {}
    try:
        client.adapter.request(
            method, f"/v1/{path}", json=body if method in ("post", "patch") else None, headers=headers
        )
    except Forbidden:
        return False
    except VaultError:
        return True  # allowed, and wrong in another way: a snapshot that is none, a path where nothing lies
    return True


def test_what_a_policy_forbids_is_said_with_the_duty_whose_policy_it_is(vault: VaultServer, login: Login) -> None:
    with pytest.raises(VaultRequestFailed) as failure:
        list(login(vault, "restore").snapshot())
    assert f"Vault at {vault.address} answered Forbidden to GET sys/storage/raft/snapshot." in str(failure.value)
    assert "the policy of the duty restore may lack this path" in str(failure.value)
    with pytest.raises(VaultRequestFailed, match="duty inventory"):
        login(vault, "inventory").restore([b"x"], 1, "k1")
    with pytest.raises(VaultRequestFailed, match="duty restore"):
        login(vault, "restore").marks(["smtp"])
    write(vault.admin(), "smtp/tenant/admin", {"password": "untold"})
    with pytest.raises(VaultRequestFailed, match="duty backup"):
        login(vault, "backup").secrets(["smtp"], lambda secret: secret.data)
