"""The canary, and what Vault holds: marks from metadata alone and secrets as read, against a real server."""

import traceback
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import hvac
import pytest
import requests

from lambdas.adapters.vault import VaultClient
from lambdas.domain.inventory import Secret, SecretMark, mark_of
from lambdas.domain.mailark_error import MailarkError
from lambdas.domain.vault_errors import CanaryPathTaken, VaultRequestFailed
from tests.adapters.conftest import Login
from tests.servers.vault import CANARY, MOUNTS, VaultServer, contents, empty, write

MARKED = "marked-secret-3f9c"


@pytest.fixture
def admin(vault: VaultServer) -> Iterator[hvac.Client]:
    """An administrator of the shared Vault, who cleans up behind each test."""
    admin = vault.admin()
    empty(admin)
    yield admin
    empty(admin)


# --- the canary -------------------------------------------------------------------------------------------


def test_a_vault_without_a_canary_names_no_backup(admin: hvac.Client, vault: VaultServer, login: Login) -> None:
    assert login(vault, "backup").canary(CANARY) is None
    assert login(vault, "inventory").canary(CANARY) is None


def test_a_canary_that_was_planted_is_found_by_both_duties_that_look_for_it(
    admin: hvac.Client, vault: VaultServer, login: Login
) -> None:
    login(vault, "backup").plant_canary(CANARY, "vault-snapshot-1")
    assert login(vault, "backup").canary(CANARY) == "vault-snapshot-1"
    assert login(vault, "inventory").canary(CANARY) == "vault-snapshot-1"


def test_a_canary_is_planted_over_an_earlier_one(admin: hvac.Client, vault: VaultServer, login: Login) -> None:
    client = login(vault, "backup")
    client.plant_canary(CANARY, "vault-snapshot-1")
    client.plant_canary(CANARY, "vault-snapshot-2")
    client.plant_canary(CANARY, "vault-snapshot-2")
    assert client.canary(CANARY) == "vault-snapshot-2"


def test_another_secret_on_the_canary_path_is_left_untouched(
    admin: hvac.Client, vault: VaultServer, login: Login
) -> None:
    write(admin, CANARY, {"password": MARKED})
    before = contents(admin)
    with pytest.raises(CanaryPathTaken, match=CANARY) as failure:
        login(vault, "backup").plant_canary(CANARY, "vault-snapshot-1")
    assert contents(admin) == before
    assert MARKED not in _everything(failure.value)


@pytest.mark.parametrize("gone", ["deleted", "destroyed", "removed"])
def test_a_canary_that_was_deleted_in_any_way_can_be_planted_again(
    gone: str, admin: hvac.Client, vault: VaultServer, login: Login
) -> None:
    client, name = login(vault, "backup"), CANARY.removeprefix("smtp/")
    client.plant_canary(CANARY, "vault-snapshot-1")
    kv = admin.secrets.kv.v2
    if gone == "deleted":
        kv.delete_latest_version_of_secret(name, mount_point="smtp")
    elif gone == "destroyed":
        kv.destroy_secret_versions(name, [1], mount_point="smtp")
    else:
        kv.delete_metadata_and_all_versions(name, mount_point="smtp")
    assert client.canary(CANARY) is None
    client.plant_canary(CANARY, "vault-snapshot-2")
    assert client.canary(CANARY) == "vault-snapshot-2"


def test_a_secret_that_appears_between_reading_and_writing_is_not_overwritten(
    admin: hvac.Client, vault: VaultServer, login: Login
) -> None:
    client = login(vault, "backup")

    def write_first(answer: requests.Response, *_: Any, **__: Any) -> None:
        if answer.request.method == "GET" and not contents(admin):
            write(admin, CANARY, {"password": MARKED})

    client._client.adapter.session.hooks["response"].append(write_first)
    with pytest.raises(VaultRequestFailed, match=f"write of {CANARY}"):
        client.plant_canary(CANARY, "vault-snapshot-1")
    assert contents(admin) == {CANARY: (1, {"password": MARKED})}


# --- marks and secrets ------------------------------------------------------------------------------------


def _fill(admin: hvac.Client) -> None:
    """One secret of every sort, in two mounts and at several depths."""
    kv: Any = admin.secrets.kv.v2
    write(admin, "smtp/plain", {"password": MARKED})
    write(admin, "smtp/a/b/c/deep", {"password": MARKED, "list": [1, {"x": None}], "flag": True})
    write(admin, "smtp/a/b", {"password": "beside a folder of its name"})
    write(admin, "smtp/grüße/日本 語", {"ключ": "值 🔑", "empty": ""})
    write(admin, "vps/host/root", {"key": MARKED})
    for name in ("deleted", "destroyed", "undeleted", "rewritten"):
        write(admin, f"smtp/{name}", {"password": "first"})
        write(admin, f"smtp/{name}", {"password": MARKED})
    kv.delete_latest_version_of_secret("deleted", mount_point="smtp")
    kv.destroy_secret_versions("destroyed", [2], mount_point="smtp")
    kv.delete_latest_version_of_secret("undeleted", mount_point="smtp")
    kv.undelete_secret_versions("undeleted", [2], mount_point="smtp")
    kv.update_metadata("plain", mount_point="smtp", custom_metadata={"owner": "tenänt", "tier": "gold"})
    kv.update_metadata("rewritten", mount_point="smtp", delete_version_after="1h")


PATHS = sorted(
    ["smtp/plain", "smtp/a/b/c/deep", "smtp/a/b", "smtp/grüße/日本 語", "vps/host/root"]
    + [f"smtp/{name}" for name in ("deleted", "destroyed", "undeleted", "rewritten")]
)


def _marks_as_read(login: Login, vault: VaultServer, mounts: list[str]) -> list[SecretMark]:
    def mark(secret: Secret) -> SecretMark:
        return mark_of(
            secret.path,
            secret.version,
            secret.created_time,
            secret.deletion_time,
            secret.destroyed,
            secret.custom_metadata,
        )

    return login(vault, "inventory").secrets(mounts, mark)


def test_every_secret_of_every_mount_is_found_however_deep_it_lies(
    admin: hvac.Client, vault: VaultServer, login: Login
) -> None:
    _fill(admin)
    assert sorted(mark.path for mark in login(vault, "backup").marks(MOUNTS)) == PATHS
    assert sorted(login(vault, "inventory").secrets(MOUNTS, lambda secret: secret.path)) == PATHS


def test_a_full_reading_marks_every_secret_as_its_metadata_does(
    admin: hvac.Client, vault: VaultServer, login: Login
) -> None:
    _fill(admin)
    from_metadata = sorted(login(vault, "backup").marks(MOUNTS), key=lambda mark: mark.path)
    as_read = sorted(_marks_as_read(login, vault, MOUNTS), key=lambda mark: mark.path)
    assert as_read == from_metadata


def test_secrets_are_read_as_they_were_written(admin: hvac.Client, vault: VaultServer, login: Login) -> None:
    _fill(admin)
    found = {secret.path: secret for secret in login(vault, "inventory").secrets(MOUNTS, lambda secret: secret)}
    assert found["smtp/a/b/c/deep"].data == {"password": MARKED, "list": [1, {"x": None}], "flag": True}
    assert found["smtp/grüße/日本 語"].data == {"ключ": "值 🔑", "empty": ""}
    assert found["smtp/plain"].custom_metadata == {"owner": "tenänt", "tier": "gold"}
    assert (found["smtp/deleted"].version, found["smtp/deleted"].data) == (2, None)
    assert found["smtp/deleted"].deletion_time
    assert not found["smtp/deleted"].destroyed
    assert (found["smtp/destroyed"].version, found["smtp/destroyed"].data) == (2, None)
    assert found["smtp/destroyed"].destroyed
    assert found["smtp/undeleted"].data == {"password": MARKED}
    assert found["smtp/rewritten"].version == 2


def _change(admin: hvac.Client, what: str) -> None:
    kv: Any = admin.secrets.kv.v2
    if what == "a new version":
        write(admin, "smtp/plain", {"password": MARKED})
    elif what == "a deletion":
        kv.delete_latest_version_of_secret("plain", mount_point="smtp")
    elif what == "a destruction":
        kv.destroy_secret_versions("plain", [1], mount_point="smtp")
    elif what == "custom metadata":
        kv.update_metadata("plain", mount_point="smtp", custom_metadata={"compromised": "yes"})
    else:
        kv.delete_metadata_and_all_versions("plain", mount_point="smtp")
        write(admin, "smtp/plain", {"password": MARKED})


@pytest.mark.parametrize(
    "what", ["a new version", "a deletion", "a destruction", "custom metadata", "another secret of the same version"]
)
def test_a_mark_changes_with(what: str, admin: hvac.Client, vault: VaultServer, login: Login) -> None:
    write(admin, "smtp/plain", {"password": MARKED})
    write(admin, "smtp/other", {"password": MARKED})
    client = login(vault, "backup")
    before = {mark.path: mark.mark for mark in client.marks(["smtp"])}
    assert before == {mark.path: mark.mark for mark in client.marks(["smtp"])}
    _change(admin, what)
    after = {mark.path: mark.mark for mark in client.marks(["smtp"])}
    assert after["smtp/other"] == before["smtp/other"]
    assert after["smtp/plain"] != before["smtp/plain"]


def test_a_mount_that_is_empty_holds_nothing(admin: hvac.Client, vault: VaultServer, login: Login) -> None:
    assert login(vault, "backup").marks(MOUNTS) == []
    assert login(vault, "inventory").secrets(MOUNTS, lambda secret: secret.path) == []


def test_a_mount_that_is_missing_holds_nothing(admin: hvac.Client, vault: VaultServer, login: Login) -> None:
    write(admin, "smtp/plain", {"password": MARKED})
    admin.sys.disable_secrets_engine("vps")
    try:
        assert [mark.path for mark in login(vault, "backup").marks(MOUNTS)] == ["smtp/plain"]
        assert login(vault, "inventory").secrets(MOUNTS, lambda secret: secret.path) == ["smtp/plain"]
    finally:
        admin.sys.enable_secrets_engine("kv", "vps", options={"version": "2"})


def test_a_mount_that_the_policy_does_not_name_is_refused_and_not_taken_for_empty(
    vault: VaultServer, login: Login
) -> None:
    with pytest.raises(VaultRequestFailed, match="listing of secrets"):
        login(vault, "backup").marks(["dkim"])


def test_a_secret_that_has_metadata_and_no_version_yet_is_none(
    admin: hvac.Client, vault: VaultServer, login: Login
) -> None:
    admin.secrets.kv.v2.update_metadata("empty", mount_point="smtp", max_versions=3)
    assert login(vault, "backup").marks(["smtp"]) == _marks_as_read(login, vault, ["smtp"]) == []


def test_a_secret_that_is_removed_after_it_was_listed_is_left_out(
    admin: hvac.Client, vault: VaultServer, login: Login
) -> None:
    for name in ("gone/admin", "kept/admin"):
        write(admin, f"smtp/{name}", {"password": "x"})

    def removed_in_between(client: VaultClient) -> VaultClient:
        listing = client._list

        def then_remove(mount: str, folder: str) -> list[str]:
            found = listing(mount, folder)
            if folder == "gone/":
                admin.secrets.kv.v2.delete_metadata_and_all_versions("gone/admin", mount_point="smtp")
            return found

        client._list = then_remove  # type: ignore[method-assign]  # the moment between two calls, made certain
        return client

    marks = removed_in_between(login(vault, "backup")).marks(["smtp"])
    assert [mark.path for mark in marks] == ["smtp/kept/admin"]
    write(admin, "smtp/gone/admin", {"password": "x"})
    seen = removed_in_between(login(vault, "inventory")).secrets(["smtp"], lambda secret: secret.path)
    assert seen == ["smtp/kept/admin"]


def test_vaults_clock_is_the_one_that_stamps_its_secrets(admin: hvac.Client, vault: VaultServer, login: Login) -> None:
    client = login(vault, "backup")
    before = client.clock()
    write(admin, "smtp/now/admin", {"password": "x"})
    stamped = admin.secrets.kv.v2.read_secret_metadata("now/admin", mount_point="smtp")["data"]["updated_time"]
    assert before <= datetime.fromisoformat(stamped).timestamp() < client.clock() + 1


@pytest.mark.parametrize("duty", ["backup", "inventory"])
def test_a_secret_that_is_removed_while_it_is_looked_at_does_not_break_the_reading(
    duty: str, admin: hvac.Client, vault: VaultServer, login: Login
) -> None:
    write(admin, "smtp/leaving", {"password": MARKED})
    write(admin, "smtp/staying", {"password": MARKED})
    client = login(vault, "backup" if duty == "backup" else "inventory")

    def remove(answer: requests.Response, *_: Any, **__: Any) -> None:
        if answer.request.method == "LIST":
            admin.secrets.kv.v2.delete_metadata_and_all_versions("leaving", mount_point="smtp")

    client._client.adapter.session.hooks["response"].append(remove)
    if duty == "backup":
        paths = [mark.path for mark in client.marks(["smtp"])]
    else:
        paths = client.secrets(["smtp"], lambda secret: secret.path if secret.data is not None else None)
    assert "smtp/staying" in paths


def test_more_secrets_than_are_read_at_once_are_each_found_once(
    admin: hvac.Client, vault: VaultServer, login: Login
) -> None:
    paths = [f"smtp/tenant-{i:02}/admin" for i in range(40)]
    for path in paths:
        write(admin, path, {"password": path})
    found = login(vault, "inventory").secrets(["smtp"], lambda secret: (secret.path, dict(secret.data or {})))
    assert sorted(found) == [(path, {"password": path}) for path in paths]


# --- what is never said -----------------------------------------------------------------------------------


def test_a_secret_does_not_print_its_content(admin: hvac.Client, vault: VaultServer, login: Login) -> None:
    write(admin, "smtp/plain", {"password": MARKED})
    (secret,) = login(vault, "inventory").secrets(["smtp"], lambda secret: secret)
    assert secret.data == {"password": MARKED}
    assert MARKED not in f"{secret} {secret!r} {[secret]}"


def test_no_content_is_in_an_error_of_a_reading_that_fails(
    admin: hvac.Client, vault: VaultServer, login: Login
) -> None:
    write(admin, "smtp/plain", {"password": MARKED})
    client = login(vault, "inventory")

    def fail(answer: requests.Response, *_: Any, **__: Any) -> None:
        if answer.request.method == "GET" and MARKED in answer.text:
            answer.status_code = 500

    client._client.adapter.session.hooks["response"].append(fail)
    with pytest.raises(VaultRequestFailed) as failure:
        client.secrets(["smtp"], lambda secret: secret)
    assert MARKED not in _everything(failure.value)


def _everything(error: MailarkError) -> str:
    """All that a log or a console would show of an error."""
    return "".join(traceback.format_exception(error)) + repr(error) + repr(error.args) + repr(vars(error))
