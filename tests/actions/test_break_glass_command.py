"""`python -m lambdas.break_glass`, on backups that the actions made: what it proves, opens, starts and refuses."""

import base64
import io
import json
import os
import re
import secrets
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import botocore.client
import hvac
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from lab.aws import ROOT
from lab.processes import LOOPBACK, Server, free_port
from lambdas.adapters.local_vault import free_ports_from
from lambdas.adapters.sealed_keys import MASTER_KEY
from lambdas.adapters.signing import SigningKey
from lambdas.break_glass import main
from tests.actions.conftest import MASTER_KEY as PLATFORM_KEY
from tests.actions.conftest import SEAL_KEY, SECRETS, TENANTS, fill
from tests.actions.damage import DAMAGES, Damage, swapped
from tests.actions.house import House, Keys, SavedBackup, make_backup
from tests.domain.builders import measure
from tests.scenarios.commands import RECOVERY_KEY, offline, typed
from tests.servers.vault import ADMIN_PASSWORD, Vaults, started

_WITH_BAO = f"{ROOT / '.venv' / 'bin'}:{os.defpath}"
PASSPHRASE = "correct horse battery staple"


@dataclass(frozen=True)
class Said:
    """How the command ended, and what it said on both outputs."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Night:
    """A folder with what somebody has at night: the object, its manifest, and two keys. No AWS, no network."""

    folder: Path
    id: str
    capture: pytest.CaptureFixture[str]

    @property
    def object(self) -> Path:
        return self.folder / f"{self.id}.enc"

    @property
    def manifest(self) -> Path:
        return self.folder / f"{self.id}.manifest.json"

    def change_manifest(self, **fields: Any) -> None:
        self.manifest.write_text(json.dumps(json.loads(self.manifest.read_text()) | fields))

    def run(self, command: str, *arguments: str) -> Said:
        self.capture.readouterr()
        code = main([command, self.object.name, *arguments])
        return Said(code, *self.capture.readouterr())

    def open(self, *arguments: str) -> Said:
        return self.run("open", "--key", "offline-key.pem", *arguments)

    def refusal(self, command: str, *arguments: str) -> str:
        """What it says when it is to refuse: two lines, and nothing on the other output."""
        said = self.run(command, *arguments)
        assert said.code == 1
        assert said.out == ""
        lines = [line for line in said.err.splitlines() if not line.startswith("Signature: ")]
        assert len(lines) == 2, said.err
        assert lines[1].startswith("Next: ")
        return "\n".join(lines)

    def names(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir())


@pytest.fixture
def night(
    saved: SavedBackup,
    keys: Keys,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Night:
    evidence = SigningKey(keys.arn("evidence")).public_pem()
    night = _night(tmp_path, saved, keys, capsys)
    (tmp_path / "evidence.pem").write_text(evidence)
    monkeypatch.chdir(tmp_path)
    for place, name in ((socket, "socket"), (boto3, "client"), (botocore.client.ClientCreator, "create_client")):
        monkeypatch.setattr(place, name, _never)
    return night


def _night(folder: Path, saved: SavedBackup, keys: Keys, capture: pytest.CaptureFixture[str]) -> Night:
    night = Night(folder, saved.id, capture)
    night.object.write_bytes(saved.content)
    night.manifest.write_bytes(saved.manifest)
    (folder / "offline-key.pem").write_text(keys.offline_private)
    return night


def _never(*_: object, **__: object) -> None:
    raise AssertionError("it calls AWS, or the network")


# --- inspect ----------------------------------------------------------------------------------------------


def test_inspect_says_what_a_backup_is_and_that_nobody_vouches_for_it(night: Night, saved: SavedBackup) -> None:
    said = night.run("inspect")
    manifest = saved.read()
    assert said.code == 0
    assert said.out.splitlines()[:2] == [
        f"Backup:    {saved.id} (daily)",
        f"Taken:     {manifest.started_at} to {manifest.finished_at}",
    ]
    assert "Seal:      static k1\n" in said.out
    assert f"Secrets:   {manifest.contents.secret_count} in smtp, vps, " in said.out
    assert "Keys:      platform-master-key, vault-seal-key/k1\n" in said.out
    assert said.out.endswith("Signature: NOT verified, since no --evidence-key was given\n")


def test_inspect_needs_the_manifest_alone(night: Night) -> None:
    night.object.unlink()
    assert night.run("inspect", "--evidence-key", "evidence.pem").out.endswith(
        "Signature: verified with evidence.pem\n"
    )


def test_a_manifest_that_was_changed_is_refused_where_its_signature_is_verified(night: Night) -> None:
    night.change_manifest(finished_at="2026-11-22T02:59:59+00:00")
    for command in ("inspect", "open", "start"):
        key = () if command == "inspect" else ("--key", "offline-key.pem")
        assert night.refusal(command, *key, "--evidence-key", "evidence.pem").startswith(
            f"{night.id}.manifest.json is not signed by evidence.pem, or was changed after.\n"
        )


def test_a_manifest_that_somebody_else_has_signed_is_refused(night: Night) -> None:
    other = ec.generate_private_key(ec.SECP256R1()).public_key()
    (night.folder / "evidence.pem").write_bytes(other.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    assert "is not signed by evidence.pem" in night.refusal("inspect", "--evidence-key", "evidence.pem")


def test_what_is_no_key_of_evidence_is_refused(night: Night) -> None:
    assert night.refusal("inspect", "--evidence-key", "offline-key.pem").startswith(
        "offline-key.pem holds no public key of an elliptic curve in PEM.\n"
    )


# --- open -------------------------------------------------------------------------------------------------


def test_open_writes_the_snapshot_that_was_backed_up_and_shows_no_key(night: Night, saved: SavedBackup) -> None:
    before = night.names()
    said = night.open("--evidence-key", "evidence.pem")
    assert said.code == 0
    assert said.out == ""
    assert said.err.startswith("Signature: verified with evidence.pem.\n")
    assert measure((night.folder / "snapshot.gz").read_bytes()) == saved.read().plaintext
    assert night.names() == sorted([*before, "snapshot.gz"])
    assert not _keys_in(said.err.encode() + (night.folder / "snapshot.gz").read_bytes())


def test_keys_are_printed_when_asked_for_and_written_nowhere(night: Night) -> None:
    said = night.open("--show-keys")
    assert dict(line.split() for line in said.out.splitlines()) == {
        MASTER_KEY: base64.b64encode(PLATFORM_KEY).decode(),
        "vault-seal-key/k1": base64.b64encode(SEAL_KEY).decode(),
    }
    assert not [path for path in night.folder.rglob("*") if _keys_in(path.read_bytes())]


def _keys_in(content: bytes) -> bool:
    """Whether a key is there, in any form."""
    forms = [form for key in (PLATFORM_KEY, SEAL_KEY) for form in (key, key.hex().encode(), base64.b64encode(key))]
    return any(form in content for form in forms)


@pytest.mark.parametrize("damage", DAMAGES)
def test_of_a_damaged_object_nothing_is_written(night: Night, damage: Damage) -> None:
    night.object.write_bytes(damage(night.object.read_bytes()))
    (night.folder / "snapshot.gz").write_text("an earlier one")
    before = night.names()
    said = night.refusal("open", "--key", "offline-key.pem")
    assert re.match(rf"({night.id}\.enc has \d+ bytes, and its|backup-damaged: {night.id} is damaged: )", said), said
    assert night.names() == before
    assert (night.folder / "snapshot.gz").read_text() == "an earlier one"


def test_a_cut_object_is_said_to_be_cut(night: Night, saved: SavedBackup) -> None:
    night.object.write_bytes(saved.content[:-100])
    assert night.refusal("open", "--key", "offline-key.pem") == (
        f"{night.id}.enc has {len(saved.content) - 100} bytes, and its manifest says {len(saved.content)}.\n"
        "Next: Copy it again, whole; a nightly backup lies in the other region's bucket too."
    )


def test_the_manifest_of_another_backup_is_said_to_be_that(
    house: House, saved: SavedBackup, keys: Keys, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    night = _night(tmp_path, saved, keys, capsys)
    night.object.write_bytes(swapped(house, saved))
    said = Said(main(["open", str(night.object), "--key", str(tmp_path / "offline-key.pem")]), *capsys.readouterr())
    assert said.err.splitlines()[1:] == [
        f"{night.object} is the object of vault-snapshot-20261121T020000Z, "
        f"and {night.manifest} the manifest of {saved.id}.",
        "Next: Take the object and the manifest of one backup.",
    ]


def test_a_key_of_another_backup_in_the_manifest_is_not_taken(night: Night) -> None:
    manifest = json.loads(night.manifest.read_text())
    first = manifest["keys"][0]
    first["message"] = manifest["contents"]["digest_key"]["message"]
    first["context"] = manifest["contents"]["digest_key"]["context"]
    night.change_manifest(keys=manifest["keys"])
    assert "does not open platform-master-key" in night.refusal("open", "--key", "offline-key.pem")


def test_what_the_manifest_says_of_the_snapshot_is_held_against_it(night: Night) -> None:
    night.change_manifest(plaintext={"size": 1, "sha256": "0" * 64})
    assert night.refusal("open", "--key", "offline-key.pem").startswith(f"backup-damaged: {night.id} is damaged: the ")
    assert "snapshot.gz" not in night.names()


def test_a_manifest_of_another_format_is_said_to_be_that(night: Night) -> None:
    night.change_manifest(format="mailark-backup/2", more=1)
    assert night.refusal("inspect") == (
        f"{night.id}.manifest.json has the format mailark-backup/2, and this version reads mailark-backup/1.\n"
        "Next: Use a checkout of Mailark from the time of that backup, or a newer one."
    )


@pytest.mark.parametrize("text", ["", "{}", "no JSON"])
def test_what_is_no_manifest_is_refused(night: Night, text: str) -> None:
    night.manifest.write_text(text)
    assert night.refusal("inspect").startswith(
        f"manifest-invalid: The manifest of {night.id}.manifest.json is not what was signed: it cannot be read.\n"
    )


def test_a_file_that_is_not_there_is_named(night: Night) -> None:
    night.object.unlink()
    assert night.refusal("open", "--key", "offline-key.pem").startswith(f"{night.id}.enc: No such file or directory.\n")


# --- the offline key --------------------------------------------------------------------------------------


def test_another_offline_key_is_said_to_be_another(night: Night) -> None:
    other = rsa.generate_private_key(public_exponent=65537, key_size=3072)
    (night.folder / "other.pem").write_bytes(other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    said = night.refusal("open", "--key", "other.pem")
    assert said.startswith(
        f"other.pem does not open platform-master-key in {night.id}.manifest.json: "
        "it does not open under the offline key.\n"
        "Next: Use the private half of the offline_public_key that the estate had on 2026-11-22; "
    )


def test_what_is_no_private_key_is_refused(night: Night, keys: Keys) -> None:
    (night.folder / "public.pem").write_text(keys.offline_public)
    for name in ("public.pem", f"{night.id}.enc"):
        assert night.refusal("open", "--key", name).startswith(
            f"{name} does not open: it is no private key in PEM, or its passphrase is another.\n"
        )


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
def test_a_passphrase_is_asked_for_at_the_terminal_and_not_shown(night: Night, keys: Keys, form: PrivateFormat) -> None:
    key = load_pem_private_key(keys.offline_private.encode(), None)
    protected = key.private_bytes(Encoding.PEM, form, BestAvailableEncryption(PASSPHRASE.encode()))
    (night.folder / "offline-key.pem").write_bytes(protected)
    assert _typed(night, "wrong") == (1, False)
    assert _typed(night, PASSPHRASE) == (0, True)


def _typed(night: Night, passphrase: str) -> tuple[int, bool]:
    """Type a passphrase at a terminal; the exit code, and whether there is a snapshot."""
    command = f"{sys.executable} -m lambdas.break_glass open {night.object.name} --key offline-key.pem"
    environment = {"PYTHONPATH": str(ROOT), "PATH": os.defpath}
    code, shown = typed(command, night.folder, environment, passphrase)
    assert passphrase not in shown
    return code, (night.folder / "snapshot.gz").exists()


# --- password ---------------------------------------------------------------------------------------------


def test_a_tenants_password_is_decrypted_with_the_manifest_and_the_offline_key(
    night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    night.object.unlink()
    tenant = TENANTS[0]
    stored = SECRETS[f"smtp/{tenant.path}"]["password"]
    monkeypatch.setattr(sys, "stdin", io.StringIO(stored + "\n"))
    said = night.run("password", "--key", "offline-key.pem", tenant.id)
    assert (said.code, said.out, said.err) == (0, tenant.password + "\n", "")


def test_a_password_of_another_tenant_does_not_decrypt(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    stored = SECRETS[f"smtp/{TENANTS[0].path}"]["password"]
    monkeypatch.setattr(sys, "stdin", io.StringIO(stored + "\n"))
    assert night.refusal("password", "--key", "offline-key.pem", TENANTS[1].id).startswith(
        f"That does not decrypt as a password of the tenant {TENANTS[1].id}.\n"
    )


# --- start ------------------------------------------------------------------------------------------------


@pytest.fixture
def port() -> int:
    return free_port()


@contextmanager
def _started(night: Night, port: int, name: str = "first") -> Iterator[tuple[hvac.Client, Path]]:
    """The command as it runs in a window of its own, serving; a client, and what the window shows."""
    shown = night.folder / f"{name}.txt"
    command = [sys.executable, "-m", "lambdas.break_glass", "start", night.object.name]
    environment = {"PYTHONPATH": str(ROOT), "PATH": _WITH_BAO}
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
    monkeypatch.setenv("PATH", _WITH_BAO)
    return _night(tmp_path, saved, keys, capsys)


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
    assert not [path for path in connected_night.folder.rglob("*") if path.is_file() and _keys_in(path.read_bytes())]


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
    night = _night(tmp_path, make_backup(house), keys, capsys)
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
    night = _night(tmp_path, make_backup(house), keys, capsys)
    own.node.stop()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", _WITH_BAO)
    said = night.run("start", "--key", "offline-key.pem", "--port", str(port))
    assert said.code == 1
    assert said.err.splitlines()[-2:] == [
        "OpenBao cannot open the snapshot with the seal key k1 of this backup.",
        'Next: The Vault ran under another key of that name: read "The seal key" in docs/operating.md.',
    ]
    assert not (tmp_path / "break-glass-vault" / "data").exists()
