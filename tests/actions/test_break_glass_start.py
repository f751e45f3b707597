"""`python -m lambdas.break_glass start`: an OpenBao that serves a backup, and root tokens from recovery keys."""

import base64
import json
import os
import re
import secrets
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import hvac
import pytest

from lab.aws import ROOT
from lab.processes import LOOPBACK, Server, free_port
from lambdas.adapters.local_vault import free_ports_from
from lambdas.break_glass import main
from tests.actions.break_glass_night import WITH_BAO, Night, keys_in, make_night
from tests.actions.conftest import MASTER_KEY as PLATFORM_KEY
from tests.actions.conftest import SEAL_KEY, SECRETS, TENANTS, fill
from tests.actions.house import House, Keys, SavedBackup, make_backup
from tests.scenarios.commands import RECOVERY_KEY, offline, typed
from tests.servers.vault import ADMIN_PASSWORD, Vaults, started

KEYS = (PLATFORM_KEY, SEAL_KEY)


@pytest.fixture
def port() -> int:
    return free_port()


@contextmanager
def _started(night: Night, port: int, name: str = "first") -> Iterator[tuple[hvac.Client, Path]]:
    """The command as it runs in a window of its own, serving; a client, and what the window shows."""
    shown = night.folder / f"{name}.txt"
    command = [sys.executable, "-m", "lambdas.break_glass", "start", night.object.name]
    environment = {"PYTHONPATH": str(ROOT), "PATH": WITH_BAO}
    window = Server(name, [*command, "--key", "offline-key.pem", "--port", str(port)], environment, night.folder, shown)
    try:
        window.wait_until(lambda: "OpenBao serves" in shown.read_text(), 90)
        yield hvac.Client(url=f"http://{LOOPBACK}:{port}", timeout=20), shown
    finally:
        os.kill(window.pid, signal.SIGTERM)  # as a window that is closed
        window.stop()


@pytest.fixture
def connected_night(
    saved: SavedBackup,
    keys: Keys,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Night:
    """A night on which this very process may use the network, to talk to an OpenBao of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", WITH_BAO)
    return make_night(tmp_path, saved, keys, capsys)


def test_start_serves_the_backup_and_the_same_command_serves_it_again(connected_night: Night) -> None:
    tenant = TENANTS[0]
    for name, port in (("first", free_port()), ("second", free_port())):
        with _started(connected_night, port, name) as (vault, shown):
            vault.auth.userpass.login("admin", ADMIN_PASSWORD)
            answer = vault.secrets.kv.v2.read_secret_version(
                tenant.path, mount_point="smtp", raise_on_deleted_version=True
            )
            assert answer["data"]["data"] == SECRETS[f"smtp/{tenant.path}"]
        assert ("Restoring it" in shown.read_text()) == (name == "first")
        assert f"export BAO_ADDR=http://{LOOPBACK}:{port}" in shown.read_text()
        with socket.socket() as probe:
            assert probe.connect_ex((LOOPBACK, port)) != 0, "it has left a server behind"
    assert not [
        path for path in connected_night.folder.rglob("*") if path.is_file() and keys_in(path.read_bytes(), KEYS)
    ]


def test_a_recovery_key_of_the_backups_time_makes_a_root_token_where_no_login_is_left(
    house: House, vaults: Vaults, keys: Keys, tmp_path: Path, capsys: pytest.CaptureFixture[str], port: int
) -> None:
    own = started(vaults.begin(base64.b64encode(SEAL_KEY).decode()))
    fill(house, own)
    administrator = {"BAO_ADDR": own.address, "BAO_CACERT": str(own.authority.file), "BAO_TOKEN": own.admin().token}
    made = re.search(r"keys_base64\s+\[(\S+)\]", offline(RECOVERY_KEY, tmp_path, administrator))
    assert made
    house.vault = vaults.estate(own)
    house.put_estate()
    night = make_night(tmp_path, make_backup(house), keys, capsys)
    own.node.stop()

    with _started(night, port) as (vault, _):
        assert _root_token(vault, tmp_path, base64.b64encode(secrets.token_bytes(32)).decode()) == (
            "That is no recovery key of this Vault.\nNext: Use those of the backup's time."
        )
        vault.token = _root_token(vault, tmp_path, made[1])
        assert vault.lookup_token()["data"]["policies"] == ["root"]


def test_a_vault_without_a_recovery_key_gives_no_root_token(connected_night: Night, port: int) -> None:
    with _started(connected_night, port) as (vault, _):
        assert main(["root-token", vault.url]) == 1
        assert connected_night.capture.readouterr().err == (
            "This Vault has no recovery key, or is not one that `start` runs.\n"
            "Next: Log in as an administrator of the backup's time; nothing else lets anybody in.\n"
        )


def _root_token(vault: hvac.Client, folder: Path, recovery_key: str) -> str:
    """What the command says when it has got a recovery key at its terminal."""
    command = f"{sys.executable} -m lambdas.break_glass root-token {vault.url}"
    _, shown = typed(command, folder, {"PYTHONPATH": str(ROOT), "PATH": os.defpath}, recovery_key)
    assert recovery_key not in shown
    return shown.partition("Recovery key: ")[2].replace("\r", "").strip()


def test_without_openbao_start_says_so(connected_night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(connected_night.folder))
    assert connected_night.refusal("start", "--key", "offline-key.pem") == (
        "There is no `bao` on the PATH.\nNext: Install OpenBao (openbao.org), and run this again."
    )


def test_where_vaults_own_port_is_taken_another_is_found() -> None:
    with socket.create_server((LOOPBACK, free_port())) as taken:
        port = taken.getsockname()[1]
        assert free_ports_from(port) >= port + 2
        assert free_ports_from(port - 1) >= port + 1


def test_a_taken_port_is_said_with_its_cure(connected_night: Night) -> None:
    with socket.create_server((LOOPBACK, 0)) as taken:
        port = taken.getsockname()[1]
        assert connected_night.refusal("start", "--key", "offline-key.pem", "--port", str(port)) == (
            f"Port {port} is taken.\nNext: Stop what listens on it, or name another with --port."
        )
    assert not (connected_night.folder / "break-glass-vault" / "data").exists()


def test_a_folder_that_serves_another_backup_is_not_touched(connected_night: Night, port: int) -> None:
    folder = connected_night.folder / "break-glass-vault"
    folder.mkdir()
    (folder / "restored").write_text("vault-snapshot-20260101T020000Z\n")
    assert connected_night.refusal("start", "--key", "offline-key.pem", "--port", str(port)).startswith(
        "break-glass-vault holds an OpenBao that serves another backup, vault-snapshot-20260101T020000Z.\n"
    )


def test_what_a_killed_attempt_left_is_not_taken_for_a_restored_vault(connected_night: Night, port: int) -> None:
    (connected_night.folder / "break-glass-vault" / "data").mkdir(parents=True)
    assert connected_night.refusal("start", "--key", "offline-key.pem", "--port", str(port)).startswith(
        "break-glass-vault holds an attempt that did not end.\n"
    )


def test_a_backup_under_another_seal_is_not_started(night: Night) -> None:
    source = json.loads(night.manifest.read_text())["source"]
    night.change_manifest(source=source | {"seal_type": "shamir", "seal_key_id": ""})
    assert night.refusal("start", "--key", "offline-key.pem").startswith(
        "This backup was taken under a seal of the type shamir, whose key is in no backup.\n"
    )


def test_a_seal_key_that_is_not_the_vaults_own_is_said_to_be_that(
    house: House, vaults: Vaults, keys: Keys, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch, port: int,
) -> None:  # fmt: skip
    own = started(vaults.begin(base64.b64encode(secrets.token_bytes(32)).decode()))
    house.vault = vaults.estate(own)
    house.put_estate()
    night = make_night(tmp_path, make_backup(house), keys, capsys)
    own.node.stop()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", WITH_BAO)
    said = night.run("start", "--key", "offline-key.pem", "--port", str(port))
    assert said.code == 1
    assert said.err.splitlines()[-2:] == [
        "OpenBao cannot open the snapshot with the seal key k1 of this backup.",
        'Next: The Vault ran under another key of that name: read "The seal key" in docs/operating.md.',
    ]
    assert not (tmp_path / "break-glass-vault" / "data").exists()
