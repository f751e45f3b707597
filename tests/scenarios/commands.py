"""The commands of the documents, and how they are run: as they stand, in a checkout of its own."""

import contextlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from lab.aws import ACCOUNT, ROOT
from lab.processes import free_port
from lab.vault import VaultNode
from tests.scenarios.house import House

RECOVER = (
    "aws stepfunctions start-execution"
    ' --state-machine-arn "arn:aws:states:$AWS_REGION:$(aws sts get-caller-identity --query Account --output text)'
    ':stateMachine:mailark-vault-restore"'
    """ --input '{"reason": "Vault lost its disk"}'"""
)
ENABLE = 'aws events enable-rule --region "$STANDBY_REGION" --name mailark-vault-backup'
CONFIGURE = ".venv/bin/python -m lambdas.vault_configuration"
IMPORT = f"{CONFIGURE} --seal-key-file seal.key"

INSTALL = ("python3 -m venv break-glass", "break-glass/bin/pip install --quiet -r lambdas/requirements.txt")
OPEN = "break-glass/bin/python open_backup.py vault-*.enc vault-*.manifest.json offline-key.pem snapshot.gz"
INITIALISE = "bao operator init -recovery-shares=1 -recovery-threshold=1"
RESTORE = "bao operator raft snapshot restore snapshot.gz"

COMMANDS = (RECOVER, ENABLE, CONFIGURE, IMPORT, *INSTALL, OPEN, INITIALISE, RESTORE)


def check_out(folder: Path) -> None:
    """As much of a checkout as the commands need."""
    shutil.copytree(ROOT / "lambdas", folder / "lambdas", ignore=shutil.ignore_patterns("__pycache__"))


def environment(house: House) -> dict[str, str]:
    """What the owner of this lab has in the environment."""
    tools = ROOT / ".venv-emulator" / "bin"
    own = {
        "PATH": f"{tools}:{os.environ['PATH']}",
        "AWS_REGION": house.lab.primary,
        "AWS_DEFAULT_REGION": house.lab.primary,
        "AWS_ACCOUNT_ID": ACCOUNT,
        "STANDBY_REGION": house.lab.standby,
    }
    return own | house.lab.aws.environment()


def run(house: House, command: str, folder: Path) -> str:
    """Run a command that is to end well; what it says."""
    done = ended(command, folder, environment(house))
    assert done.returncode == 0, done.stderr
    return done.stdout


def ended(command: str, folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a command in a shell, however it ends."""
    return subprocess.run(
        ["sh", "-c", command], cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False
    )


def failed(command: str, folder: Path, environment: dict[str, str]) -> str:
    """Run a command that is to fail in two lines, what is the matter and what to do; the two."""
    done = ended(command, folder, environment)
    assert done.returncode == 1, done.stdout
    assert re.fullmatch(r"[^\n]+\nNext: [^\n]+\n", done.stderr), done.stderr
    assert done.stdout == ""
    return done.stderr


def environment_offline(folder: Path) -> dict[str, str]:
    """An environment with nothing of AWS in it."""
    return {"PATH": f"{ROOT / '.venv' / 'bin'}:{os.environ['PATH']}", "HOME": str(folder)}


def offline(command: str, folder: Path, environment: dict[str, str] | None = None) -> str:
    """Run a command that is to end well without AWS; what it says."""
    done = ended(command, folder, environment_offline(folder) | (environment or {}))
    assert done.returncode == 0, done.stderr
    return done.stdout


def on_the_page(kind: str) -> str:
    found = re.search(rf"```{kind}\n(.*?)```", (ROOT / "docs" / "break-glass.md").read_text(), re.DOTALL)
    assert found
    return found[1]


@contextlib.contextmanager
def plain_vault(house: House, folder: Path, seal_key: str) -> Iterator[tuple[VaultNode, dict[str, str]]]:
    """A new Vault by the page's words, and what its administrator has in the environment."""
    node = VaultNode("break-glass", free_port(), folder, house.lab.authority, own_configuration=on_the_page("hcl"))
    node.start_plain(free_port(), seal_key)
    try:
        node.wait_until_answering()
        vault = {"BAO_ADDR": node.address, "BAO_CACERT": str(house.lab.authority.file)}
        token = re.search(r"Initial Root Token: (\S+)", offline(INITIALISE, folder, vault))
        assert token
        node.wait_until_serving()
        yield node, vault | {"BAO_TOKEN": token[1]}
    finally:
        node.stop()
