"""What the audit log of a real Vault shows of reads and marks of credentials, and what is read from it."""

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hvac
import pytest
import requests
from hvac.exceptions import VaultError

from lambdas.adapters.signing import SigningKey
from lambdas.adapters.vault import VaultClient
from lambdas.adapters.vault_credentials import mark_credential, read_credential
from lambdas.domain.rotation import reset_marks
from lambdas.domain.tenant import admin_path
from lambdas.domain.vault_duties import Duty, DutyName
from lambdas.domain.vault_lines import CredentialRead, ResetWithoutIncident, VaultLine, read_vault_line
from tests.servers.vault import Vaults, VaultServer, started, write

TENANT = "550e8400-e29b-41d4-a716-446655440000"
UNKNOWN = "11111111-e29b-41d4-a716-446655440000"
PASSWORD = "untold-password"
METADATA = f"smtp/metadata/{TENANT}/admin"


@dataclass
class Audited:
    """A Vault with a file audit device, and what has come into that file since it was last looked at."""

    server: VaultServer
    file: Path
    vaults: Vaults
    seen: int = 0

    def new_lines(self) -> list[str]:
        lines = self.file.read_text().splitlines()
        new, self.seen = lines[self.seen :], len(lines)
        return new

    def said(self, deed: Callable[[], Any]) -> list[VaultLine]:
        """What the lines of a deed say; it may be refused."""
        self.new_lines()
        with suppress(VaultError):
            deed()
        return [said for said in map(read_vault_line, self.new_lines()) if said is not None]

    def patch(self, token: str, marks: dict[str, str | None]) -> None:
        """A merge patch of the custom metadata, as Mailark makes it too."""
        headers = {"X-Vault-Token": token, "Content-Type": "application/merge-patch+json"}
        url, ca = f"{self.server.address}/v1/{METADATA}", str(self.vaults.authority.file)
        answer = requests.patch(url, headers=headers, json={"custom_metadata": marks}, verify=ca, timeout=20)
        assert answer.status_code == 204

    def logged_in(self, duty: DutyName, key: SigningKey) -> VaultClient:
        return VaultClient(self.server.address, self.vaults.estate(self.server), Duty(duty), key)


@pytest.fixture(scope="module")
def audited(vaults: Vaults, seal_key: str, tmp_path_factory: pytest.TempPathFactory) -> Audited:
    file = tmp_path_factory.mktemp("audit") / "audit.log"
    device = f'audit "file" "to-file" {{\n  options {{ file_path = "{file}" }}\n}}\n'
    server = started(vaults.begin(seal_key, device))
    admin = server.admin()
    readers = 'path "smtp/data/*" { capabilities = ["read"] }'
    admin.sys.create_or_update_acl_policy("readers", readers)
    admin.auth.userpass.create_or_update_user("bob", PASSWORD, policies=["readers"])
    return Audited(server, file, vaults)


@pytest.fixture
def admin(audited: Audited) -> Iterator[hvac.Client]:
    """An administrator who has stored one credential."""
    admin = audited.server.admin()
    write(admin, admin_path(TENANT), {"username": "admin@example.org", "password": PASSWORD})
    yield admin
    admin.secrets.kv.v2.delete_metadata_and_all_versions(f"{TENANT}/admin", mount_point="smtp")


@pytest.fixture
def bob(audited: Audited, admin: hvac.Client) -> hvac.Client:
    """A person who may read."""
    bob = audited.server.client()
    bob.auth.userpass.login("bob", PASSWORD)
    return bob


def test_a_read_is_seen_once_with_who_it_was(audited: Audited, bob: hvac.Client) -> None:
    (said,) = audited.said(lambda: bob.read(f"smtp/data/{TENANT}/admin"))
    assert isinstance(said, CredentialRead)
    assert (said.tenant_id, said.person.name) == (TENANT, "userpass-bob")
    assert said.person.id == bob.lookup_token()["data"]["entity_id"]


def test_a_person_is_the_same_one_with_another_token(audited: Audited, bob: hvac.Client, admin: hvac.Client) -> None:
    child = audited.server.client(admin.auth.token.create(display_name="eve")["auth"]["client_token"])
    (own,) = audited.said(lambda: admin.read(f"smtp/data/{TENANT}/admin"))
    (by_child,) = audited.said(lambda: child.read(f"smtp/data/{TENANT}/admin"))
    assert own.person.id == by_child.person.id
    assert by_child.person.name == "token-eve"


def test_an_old_version_and_a_wrapped_answer_are_reads_too(audited: Audited, bob: hvac.Client) -> None:
    url = f"{audited.server.address}/v1/smtp/data/{TENANT}/admin"
    headers = {"X-Vault-Token": bob.token, "X-Vault-Wrap-TTL": "60s"}
    ca = str(audited.vaults.authority.file)
    assert len(audited.said(lambda: bob.read(f"smtp/data/{TENANT}/admin?version=1"))) == 1
    assert len(audited.said(lambda: requests.get(url, headers=headers, verify=ca, timeout=20))) == 1


def test_what_was_refused_missing_or_deleted_was_not_read(
    audited: Audited, bob: hvac.Client, admin: hvac.Client
) -> None:
    nobody = audited.server.client(admin.auth.token.create(policies=["default"])["auth"]["client_token"])
    assert audited.said(lambda: nobody.read(f"smtp/data/{TENANT}/admin")) == []
    assert audited.said(lambda: bob.read(f"smtp/data/{UNKNOWN}/admin")) == []
    admin.secrets.kv.v2.delete_latest_version_of_secret(f"{TENANT}/admin", mount_point="smtp")
    assert audited.said(lambda: bob.read(f"smtp/data/{TENANT}/admin")) == []


def test_names_and_metadata_are_no_credential(audited: Audited, admin: hvac.Client) -> None:
    assert audited.said(lambda: admin.read(METADATA)) == []
    assert audited.said(lambda: admin.list("smtp/metadata/")) == []


def test_mailarks_own_reads_and_marks_are_not_seen(
    audited: Audited, admin: hvac.Client, logins: dict[DutyName, SigningKey]
) -> None:
    inventory = audited.logged_in("inventory", logins["inventory"])
    rotate = audited.logged_in("rotate", logins["rotate"])
    assert audited.said(lambda: inventory.read(admin_path(TENANT))) == []
    assert audited.said(lambda: read_credential(rotate, admin_path(TENANT))) == []
    marks = reset_marks("INC-7", "system", "2026-11-22T02:00:00Z", 1)
    assert audited.said(lambda: mark_credential(rotate, admin_path(TENANT), marks)) == []


def test_a_token_that_only_calls_itself_mailark_is_a_person(audited: Audited, admin: hvac.Client) -> None:
    answer = admin.auth.token.create(policies=["mailark-inventory"], display_name="mailark-inventory-mailark-inventory")
    own = audited.server.client(answer["auth"]["client_token"])
    (said,) = audited.said(lambda: own.read(f"smtp/data/{TENANT}/admin"))
    assert said.person.name.endswith("mailark-inventory-mailark-inventory")


def test_a_mark_without_an_incident_is_seen_and_one_with_it_is_not(audited: Audited, admin: hvac.Client) -> None:
    (said,) = audited.said(lambda: audited.patch(admin.token, {"compromised": "true", "reset_by": "jo"}))
    assert isinstance(said, ResetWithoutIncident)
    assert (said.tenant_id, said.person.name) == (TENANT, "userpass-admin")
    known = {"compromised": "true", "incident_id": "INC-7"}
    assert audited.said(lambda: audited.patch(admin.token, dict(known))) == []
    (said,) = audited.said(lambda: audited.patch(admin.token, {"compromised": "true", "incident_id": None}))
    assert isinstance(said, ResetWithoutIncident)
    assert audited.said(lambda: audited.patch(admin.token, {"compromised": None})) == []
    assert audited.said(lambda: audited.patch(admin.token, {"owner": "jo"})) == []


def test_a_mark_that_replaces_all_metadata_is_seen_too(audited: Audited, admin: hvac.Client) -> None:
    kv = admin.secrets.kv.v2

    def replace(marks: dict[str, str]) -> None:
        kv.update_metadata(f"{TENANT}/admin", mount_point="smtp", custom_metadata=marks)

    assert len(audited.said(lambda: replace({"compromised": "true"}))) == 1
    assert audited.said(lambda: replace({"compromised": "true", "incident_id": "INC-7"})) == []
    with pytest.raises(VaultError, match="length of value for key"):  # so a key without a value cannot come
        replace({"compromised": "true", "incident_id": ""})


def test_the_log_shows_keys_and_no_values(audited: Audited, bob: hvac.Client) -> None:
    """What the reading relies on; and why a log group of it holds no password."""
    audited.new_lines()
    bob.read(f"smtp/data/{TENANT}/admin")
    request, response = audited.new_lines()
    assert json.loads(request)["type"] == "request"
    data = json.loads(response)["response"]["data"]["data"]
    assert {name: value.partition(":")[0] for name, value in data.items()} == {
        "username": "hmac-sha256",
        "password": "hmac-sha256",
    }
    assert PASSWORD not in audited.file.read_text()
