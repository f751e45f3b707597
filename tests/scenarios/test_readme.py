"""The commands of the documents that need a deployed house, run as they stand."""

import base64
import os
import pty
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import hvac
import pytest
import requests

from lab.aws import ACCOUNT, ROOT
from lab.processes import free_port
from lab.tenants import Platform, Tenant
from lab.vault import VaultNode
from lambdas.adapters.sealed_keys import MASTER_KEY
from lambdas.domain.backup import manifest_key
from tests.scenarios.house import House

RECOVER = (
    "aws stepfunctions start-execution"
    ' --state-machine-arn "arn:aws:states:$AWS_REGION:$AWS_ACCOUNT_ID:stateMachine:mailark-vault-restore"'
    """ --input '{"reason": "Vault lost its disk"}'"""
)
ENABLE = 'aws events enable-rule --region "$STANDBY_REGION" --name mailark-vault-backup'
CONFIGURE = ".venv/bin/python -m lambdas.vault_configuration"

INITIALISE = "bao operator init -recovery-shares=1 -recovery-threshold=1"
RESTORE = "bao operator raft snapshot restore snapshot.gz"

COMMANDS = (RECOVER, ENABLE, CONFIGURE, INITIALISE, RESTORE)


@pytest.fixture
def checkout(house: House, tmp_path: Path) -> Path:
    """A checkout with the estate of this lab, as its owner has it."""
    shutil.copytree(ROOT / "lambdas", tmp_path / "lambdas", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(house.lab.estate_file, tmp_path / "estate.yaml")
    (tmp_path / ".venv").symlink_to(ROOT / ".venv")
    return tmp_path


def _environment(house: House) -> dict[str, str]:
    tools = ROOT / ".venv-emulator" / "bin"
    own = {
        "PATH": f"{tools}:{os.environ['PATH']}",
        "AWS_REGION": house.lab.primary,
        "AWS_DEFAULT_REGION": house.lab.primary,
        "AWS_ACCOUNT_ID": ACCOUNT,
        "STANDBY_REGION": house.lab.standby,
    }
    return own | house.lab.aws.environment()


def _run(house: House, command: str, folder: Path) -> str:
    done = subprocess.run(
        ["sh", "-c", command],
        cwd=folder,
        env=_environment(house),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_recovery_from_a_terminal(house: House, tenants: list[Tenant], backup_id: str, checkout: Path) -> None:
    assert backup_id
    house.lab.platform().destroy(tenants[:3])

    started = re.search(r'"executionArn": "([^"]+)"', _run(house, RECOVER, checkout))

    assert started
    assert house.follow(started[1]).status == "SUCCEEDED"
    assert house.lab.platform().wrong(tenants) == []


def test_the_standby_is_told_to_make_the_backups(house: House, checkout: Path) -> None:
    events = house.lab.client("events", house.lab.standby)
    _run(house, ENABLE, checkout)
    assert events.describe_rule(Name="mailark-vault-backup")["State"] == "ENABLED"

    _run(house, ENABLE.replace("enable", "disable"), checkout)
    assert events.describe_rule(Name="mailark-vault-backup")["State"] == "DISABLED"


def test_vaults_configuration_is_written_again_with_nothing_changed(house: House, checkout: Path) -> None:
    said = _run(house, CONFIGURE, checkout)

    written = checkout / "vault-configuration"
    assert "Written to vault-configuration:" in said
    for path in sorted(house.lab.configuration.rglob("*")):
        if path.is_file():
            assert (written / path.relative_to(house.lab.configuration)).read_bytes() == path.read_bytes()


def test_the_master_key_is_asked_for_once_and_not_shown(house: House, checkout: Path) -> None:
    name = f"/mailark/sealed-keys/{MASTER_KEY}"
    regions = (house.lab.primary, house.lab.standby)
    kept = {
        region: house.lab.client("ssm", region).get_parameter(Name=name)["Parameter"]["Value"] for region in regions
    }
    for region in regions:
        house.lab.client("ssm", region).delete_parameter(Name=name)
    try:
        shown = _typed(house, checkout, base64.b64encode(house.lab.master_key).decode())
        made = [house.lab.client("ssm", region).get_parameter(Name=name)["Parameter"]["Value"] for region in regions]
    finally:
        for region, value in kept.items():
            house.lab.client("ssm", region).put_parameter(Name=name, Value=value, Type="String", Overwrite=True)

    assert "The platform's master key (base64 or hex): " in shown
    assert base64.b64encode(house.lab.master_key).decode() not in shown
    assert made[0] == made[1]


def _typed(house: House, folder: Path, line: str) -> str:
    """Run the command at a terminal, and type a line at its prompt; what the terminal shows."""
    terminal, other_end = pty.openpty()
    process = subprocess.Popen(
        CONFIGURE.split(),
        cwd=folder,
        env=_environment(house),
        stdin=other_end,
        stdout=other_end,
        stderr=other_end,
        start_new_session=True,
        preexec_fn=lambda: os.close(terminal),
    )
    os.close(other_end)
    shown = b""
    try:
        while b"hex): " not in shown:
            shown += os.read(terminal, 1024)
        os.write(terminal, line.encode() + b"\n")
        while chunk := os.read(terminal, 1024):
            shown += chunk
    except OSError:
        pass  # the terminal's other end is closed: the command has ended
    finally:
        os.close(terminal)
    assert process.wait(60) == 0, shown
    return shown.decode()


def test_without_aws_the_break_glass_page_brings_the_passwords_back(
    house: House, tenants: list[Tenant], backup_id: str, checkout: Path
) -> None:
    """Only the object, its manifest and the operator's key: what the page says, to a tenant's password in the clear."""
    page = (ROOT / "docs" / "break-glass.md").read_text()
    script, seal = (re.search(rf"```{kind}\n(.*?)```", page, re.DOTALL) for kind in ("python", "hcl"))
    assert script
    assert seal
    (checkout / "open_backup.py").write_text(script[1])
    _download(house, backup_id, checkout)

    names = ["backup.enc", "manifest.json", str(house.lab.offline.private), "snapshot.gz"]
    printed = _offline([sys.executable, "open_backup.py", *names], checkout)
    keys = dict(line.split() for line in printed.splitlines())
    node = VaultNode("break-glass", free_port(), checkout, house.lab.authority, own_configuration=seal[1])
    node.start_plain(free_port(), keys["vault-seal-key/k1"])
    try:
        node.wait_until_answering()
        vault = {"BAO_ADDR": node.address, "BAO_CACERT": str(house.lab.authority.file)}
        token = re.search(r"Initial Root Token: (\S+)", _offline(INITIALISE.split(), checkout, vault))
        assert token
        node.wait_until_serving()
        _offline(RESTORE.split(), checkout, vault | {"BAO_TOKEN": token[1]})
        node.wait_until_serving()
        assert _passwords(house, node.address, base64.b64decode(keys[MASTER_KEY])).wrong(tenants) == []
    finally:
        node.stop()


def _download(house: House, backup_id: str, folder: Path) -> None:
    row, s3 = house.catalog()[backup_id], house.lab.client("s3")
    (folder / "backup.enc").write_bytes(house.object_bytes(row))
    manifest = s3.get_object(Bucket=house.bucket(), Key=manifest_key(row.key))["Body"].read()
    (folder / "manifest.json").write_bytes(manifest)


def _offline(command: list[str], folder: Path, environment: dict[str, str] | None = None) -> str:
    """Run a command with nothing of AWS in its environment."""
    path = {"PATH": f"{ROOT / '.venv' / 'bin'}:{os.environ['PATH']}", "HOME": str(folder)}
    own = path | (environment or {})
    done = subprocess.run(command, cwd=folder, env=own, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _passwords(house: House, address: str, master_key: bytes) -> Platform:
    """The platform at the new Vault; the restored logins may need a moment."""
    deadline = time.monotonic() + 30
    while True:
        try:
            return Platform(house.lab.vault_client(address), master_key)
        except (hvac.exceptions.VaultError, requests.RequestException):
            assert time.monotonic() < deadline, "the restored login is not there"
            time.sleep(0.2)
