"""The commands of the documents, and how they are run: as they stand, in a checkout of its own."""

import contextlib
import os
import pty
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
ENABLE = {
    rule: f'aws events enable-rule --region "$STANDBY_REGION" --name {rule}'
    for rule in (
        *("mailark-vault-backup", "mailark-database-backup"),
        *("mailark-vault-restore-test", "mailark-database-restore-test"),
    )
}
_SECRET = 'aws secretsmanager {} --region "$AWS_REGION" {} smtpy-db'
_LOGIN = "--secret-string file://login.json"
MAKE_SECRET = (
    f"{_SECRET.format('create-secret', '--name')} {_LOGIN}",
    f'{_SECRET.format("replicate-secret-to-regions", "--secret-id")} --add-replica-regions Region="$STANDBY_REGION"',
)
CHANGE_SECRET = f"{_SECRET.format('put-secret-value', '--secret-id')} {_LOGIN}"
STATUS = ".venv/bin/python -m lambdas.status"
_APPROVALS = ".venv/bin/python -m lambdas.approvals"
LIST_APPROVALS, SHOW_APPROVAL = f"{_APPROVALS} list", f'{_APPROVALS} show "$APPROVAL"'
APPROVE = f'{_APPROVALS} approve "$APPROVAL" --reason "I have read the preview"'
REFUSE = f'{_APPROVALS} refuse "$APPROVAL" --reason "too many rows"'
SLIP = (
    'aws ssm put-parameter --overwrite --type String --name "/mailark/approvals/$APPROVAL/$NAME"'
    """ --value '{"decision": "approve", "reason": "I have read the preview"}'""",
    r'echo "{\"parameter\": \"/mailark/approvals/$APPROVAL/$NAME\"}" > decision.json',
    "aws lambda invoke --function-name mailark-decide-approval --payload fileb://decision.json /dev/stdout",
)
CONFIGURE = ".venv/bin/python -m lambdas.vault_configuration"
IMPORT = f"{CONFIGURE} --seal-key-file seal.key"

EVIDENCE = (
    'aws kms get-public-key --region "$AWS_REGION" --key-id alias/mailark-evidence --query PublicKey --output text'
    " | openssl base64 -d -A | openssl pkey -pubin -inform DER -out evidence.pem"
)

INSTALL = ("python3 -m venv break-glass", "break-glass/bin/pip install --quiet -r lambdas/requirements.txt")
_BREAK_GLASS = "break-glass/bin/python -m lambdas.break_glass"
INSPECT = f"{_BREAK_GLASS} inspect vault-*.enc --evidence-key evidence.pem"
START = f"{_BREAK_GLASS} start vault-*.enc --key offline-key.pem --evidence-key evidence.pem"
LOGIN = 'bao login -method=userpass username="$ADMINISTRATOR"'
LIST = "bao kv list smtp"
PASSWORD = (
    'bao kv get -mount=smtp -field=password "$TENANT/admin"'
    f' | {_BREAK_GLASS} password vault-*.enc --key offline-key.pem --evidence-key evidence.pem "$TENANT"'
)
OPEN = f"{_BREAK_GLASS} open vault-*.enc --key offline-key.pem --evidence-key evidence.pem"

INSPECT_DUMP = f"{_BREAK_GLASS} inspect smtpy_*.sql.gz.enc --evidence-key evidence.pem"
OPEN_DUMP = f"{_BREAK_GLASS} open smtpy_*.sql.gz.enc --key offline-key.pem --evidence-key evidence.pem"
SUM_OF_DUMP = "gzip --decompress --stdout smtpy_*.sql.gz | sed '1,20{/^-- Dumped /d}' | sha256sum"
LOAD_DUMP = (
    "psql --dbname=postgres --quiet -f smtpy_*.sql.roles",
    "createdb --template=template0 --encoding=UTF8 --locale=C.UTF-8 smtpy",
    "psql --dbname=smtpy --quiet --output=/dev/null --set=ON_ERROR_STOP=1 -f smtpy_*.sql",
    "psql --dbname=postgres --quiet --set=ON_ERROR_STOP=1 -f smtpy_*.sql.settings",
)
COUNT_ROWS = (
    """psql --dbname=smtpy -At -c "select 'select ' || string_agg("""
    "format('(select count(*) from only %I.%I)', schemaname, tablename), ' + ')"
    """ from pg_tables where schemaname not in ('pg_catalog', 'information_schema')" | psql --dbname=smtpy -At"""
)

_AUDIT = "s3://mailark-audit-$AWS_ACCOUNT_ID-$AWS_REGION"
EXPORT = (
    f"aws s3 sync {_AUDIT}/chained copy/chained",
    f"aws s3 sync {_AUDIT}/spool copy/spool",
    f"aws s3 sync {_AUDIT}/heads copy/heads",
    f"aws s3 sync {_AUDIT}/events copy/events",
    "aws kms get-public-key --key-id alias/mailark-evidence --query PublicKey --output text"
    " | base64 -d | openssl pkey -pubin -inform DER -out evidence.pem",
)
VERIFY_TRAIL = ".venv/bin/python -m lambdas.verify_audit_trail copy --public-key evidence.pem"

VERIFY = (
    r"""sed 's/,"signature":{[^}]*}//' vault-*.manifest.json | tr -d '\n' > signed.json""",
    r"""sed 's/.*"signature":{[^}]*"value":"\([^"]*\)".*/\1/' vault-*.manifest.json"""
    " | openssl base64 -d -A -out signed.der",
    "openssl dgst -sha256 -verify evidence.pem -signature signed.der signed.json",
)
RECOVERY_KEY = "bao write sys/rotate/recovery/init secret_shares=1 secret_threshold=1"

COMMANDS = (
    *(RECOVER, *ENABLE.values(), STATUS, CONFIGURE, IMPORT, EVIDENCE, RECOVERY_KEY),
    *(*MAKE_SECRET, CHANGE_SECRET),
    *(LIST_APPROVALS, SHOW_APPROVAL, APPROVE, REFUSE, *SLIP),
    *(*INSTALL, INSPECT, START, LOGIN, LIST, PASSWORD, OPEN),
    *(INSPECT_DUMP, OPEN_DUMP, *LOAD_DUMP, COUNT_ROWS),
    *(*VERIFY, SUM_OF_DUMP),
    *(*EXPORT, VERIFY_TRAIL),
)


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


def typed(command: str, folder: Path, environment: dict[str, str], *lines: str) -> tuple[int, str]:
    """Run a command at a terminal, and type a line at each of its prompts; its exit code, and what was shown."""
    terminal, other_end = pty.openpty()
    process = subprocess.Popen(
        ["sh", "-c", command],
        cwd=folder,
        env=environment,
        stdin=other_end,
        stdout=other_end,
        stderr=other_end,
        start_new_session=True,
        preexec_fn=lambda: os.close(terminal),
    )
    os.close(other_end)
    shown = b""
    try:
        for line in lines:
            shown += os.read(terminal, 1024)
            while not shown.endswith(b": "):
                shown += os.read(terminal, 1024)
            os.write(terminal, line.encode() + b"\n")
        while chunk := os.read(terminal, 1024):
            shown += chunk
    except OSError:
        pass  # the terminal's other end is closed: the command has ended
    finally:
        os.close(terminal)
    return process.wait(60), shown.decode()


_STATIC_SEAL = """seal "static" {
  current_key_id = "k1"
  current_key    = "env://BAO_SEAL_KEY"
}"""
_INITIALISE = "bao operator init -recovery-shares=1 -recovery-threshold=1"


@contextlib.contextmanager
def plain_vault(house: House, folder: Path, seal_key: str) -> Iterator[tuple[VaultNode, dict[str, str]]]:
    """A new Vault under a static seal, and what its administrator has in the environment."""
    node = VaultNode("plain", free_port(), folder, house.lab.authority, own_configuration=_STATIC_SEAL)
    node.start_plain(free_port(), seal_key)
    try:
        node.wait_until_answering()
        vault = {"BAO_ADDR": node.address, "BAO_CACERT": str(house.lab.authority.file)}
        token = re.search(r"Initial Root Token: (\S+)", offline(_INITIALISE, folder, vault))
        assert token
        node.wait_until_serving()
        yield node, vault | {"BAO_TOKEN": token[1]}
    finally:
        node.stop()
