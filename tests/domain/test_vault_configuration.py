"""What a user pastes into Vault's own configuration: whole, the same in both forms, and without a secret."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from lambdas.domain.estate import Vault
from lambdas.domain.vault_configuration import apply_script, policies, server_configuration, start_script
from lambdas.domain.vault_duties import DUTIES, Duty, DutyName, policy, role
from tests.domain.builders import ESTATE, estate_of

VAULT = estate_of().vault
KEYS: dict[DutyName, str] = {
    name: f"-----BEGIN PUBLIC KEY-----\nthe key of {name}\n-----END PUBLIC KEY-----\n" for name in DUTIES
}


def sealed_by(seal: str) -> Vault:
    return estate_of(ESTATE.replace("{ type: static, key_id: k1 }", seal)).vault


def requests_of(text: str) -> dict[str, tuple[str, str]]:
    """The requests of the `initialize` block: name, path and data."""
    found = re.findall(
        r'request "([^"]+)" \{\n    operation = "update"\n    path      = "([^"]+)"\n    data      = (.*)\n', text
    )
    assert len(found) == text.count("request ")
    return {name: (path, data) for name, path, data in found}


def stand_in(path: Path, script: str) -> None:
    """A program that stands in for a tool of that name."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def run(script: str, folder: Path, *tools: str) -> subprocess.CompletedProcess[str]:
    """Run a script where there is nothing but some tools of the system and the stand-ins in `bin`."""
    for tool in ("sh", *tools):
        found = shutil.which(tool)
        assert found is not None
        (folder / "bin").mkdir(exist_ok=True)
        (folder / "bin" / tool).symlink_to(found)
    stand_in(folder / "written" / "script.sh", script)
    command = [str(folder / "bin" / "sh"), str(folder / "written" / "script.sh")]
    only = {"PATH": str(folder / "bin")}
    return subprocess.run(command, env=only, capture_output=True, text=True, timeout=20, check=False)


# --- the server's configuration ---------------------------------------------------------------------------


def test_a_new_vault_gets_its_mounts_its_logins_and_their_policies() -> None:
    requests = requests_of(server_configuration(VAULT, KEYS))
    assert {name: path for name, (path, _) in requests.items()} == {
        "mount-smtp": "sys/mounts/smtp",
        "mount-vps": "sys/mounts/vps",
        "login-backup": "sys/auth/mailark-backup",
        "login-key-backup": "auth/mailark-backup/config",
        "policy-backup": "sys/policies/acl/mailark-backup",
        "role-backup": "auth/mailark-backup/role/mailark-backup",
        "login-inventory": "sys/auth/mailark-inventory",
        "login-key-inventory": "auth/mailark-inventory/config",
        "policy-inventory": "sys/policies/acl/mailark-inventory",
        "role-inventory": "auth/mailark-inventory/role/mailark-inventory",
        "login-restore": "sys/auth/mailark-restore",
        "login-key-restore": "auth/mailark-restore/config",
        "policy-restore": "sys/policies/acl/mailark-restore",
        "role-restore": "auth/mailark-restore/role/mailark-restore",
        "login-rotate": "sys/auth/mailark-rotate",
        "login-key-rotate": "auth/mailark-rotate/config",
        "policy-rotate": "sys/policies/acl/mailark-rotate",
        "role-rotate": "auth/mailark-rotate/role/mailark-rotate",
    }


def test_a_login_is_mounted_before_it_is_configured() -> None:
    names = list(requests_of(server_configuration(VAULT, KEYS)))
    for duty in DUTIES:
        places = [names.index(f"{what}-{duty}") for what in ("login", "login-key", "policy", "role")]
        assert places == sorted(places)


def test_the_mounts_hold_versions() -> None:
    requests = requests_of(server_configuration(VAULT, KEYS))
    assert requests["mount-smtp"][1] == '{ type = "kv", options = { version = "2" } }'


@pytest.mark.parametrize("name", DUTIES)
def test_each_login_trusts_one_key_and_one_issuer(name: DutyName) -> None:
    requests = requests_of(server_configuration(VAULT, KEYS))
    assert requests[f"login-{name}"][1] == '{ type = "jwt" }'
    assert requests[f"login-key-{name}"][1] == (
        f"{{ jwt_validation_pubkeys = [{json.dumps(KEYS[name])}], "
        'bound_issuer = "mailark", jwt_supported_algs = ["ES256"] }'
    )


@pytest.mark.parametrize("name", DUTIES)
def test_each_duty_gets_its_own_policy_and_role(name: DutyName) -> None:
    requests = requests_of(server_configuration(VAULT, KEYS))
    text = policy(name, VAULT)
    assert requests[f"policy-{name}"][1] == f"{{ policy = {json.dumps(text)} }}"
    for key, value in role(Duty(name)).items():
        assert f"{key} = {json.dumps(value)}" in requests[f"role-{name}"][1]


def test_a_read_after_a_write_is_never_stale() -> None:
    assert "\ndisable_standby_reads = true\n" in server_configuration(VAULT, KEYS)


def test_a_static_seal_takes_its_key_from_the_environment() -> None:
    assert (
        'seal "static" {\n  current_key_id = "k1"\n  current_key    = "env://BAO_SEAL_KEY"\n}\n'
        in server_configuration(VAULT, KEYS)
    )


@pytest.mark.parametrize(
    ("seal", "kind"), [("{ type: awskms, key_id: mrk-1 }", "awskms"), ("{ type: shamir }", "shamir")]
)
def test_any_other_seal_keeps_the_servers_own_stanza(seal: str, kind: str) -> None:
    text = server_configuration(sealed_by(seal), KEYS)
    assert f"\n# The {kind} seal keeps the stanza that this server has already.\n" in text
    assert 'seal "' not in text
    assert "BAO_SEAL_KEY" not in text


def test_but_for_the_seal_the_configuration_is_the_same_under_any() -> None:
    static = server_configuration(VAULT, KEYS)
    awskms = server_configuration(sealed_by("{ type: awskms, key_id: mrk-1 }"), KEYS)
    assert static.partition("# A read after")[2] == awskms.partition("# A read after")[2]


@pytest.mark.parametrize(
    "text",
    [
        server_configuration(VAULT, KEYS),
        apply_script(KEYS),
        start_script(VAULT, ["eu-central-1", "eu-west-1"], "vault-seal-key/k1"),
    ],
    ids=["server", "apply", "start"],
)
def test_nothing_that_is_written_holds_a_secret(text: str) -> None:
    assert "PRIVATE KEY" not in text
    assert not re.search(r"\b[0-9a-fA-F]{32,}\b", text)  # a key or a digest in hex
    assert not re.search(r"[A-Za-z0-9+/]{40,}={1,2}", text)  # a key in base64
    assert not re.search(r"\b(hvs|s|b)\.[A-Za-z0-9]{20,}", text)  # a token
    assigned = re.findall(r'(?:key|token|password|secret)\s*=\s*"([^"]*)"', text)
    assert set(assigned) <= {"env://BAO_SEAL_KEY"}


# --- a Vault that runs already ----------------------------------------------------------------------------


def test_the_policies_by_themselves_are_those_of_the_configuration() -> None:
    assert policies(VAULT) == {name: policy(name, VAULT) + "\n" for name in DUTIES}


@pytest.mark.parametrize("name", DUTIES)
def test_a_running_vault_gets_the_same_logins(name: DutyName) -> None:
    text, title = apply_script(KEYS), Duty(name).title
    assert f"\n$tool policy write {title} policies/{title}.hcl\n" in text
    assert f"\n$tool auth list | grep -q '^{title}/' || $tool auth enable -path={title} jwt\n" in text
    config = re.search(rf"\n\$tool write auth/{title}/config - <<'END'\n(.*?)\nEND\n", text, re.DOTALL)
    assert config is not None
    assert json.loads(config[1]) == {
        "jwt_validation_pubkeys": [KEYS[name]],
        "bound_issuer": "mailark",
        "jwt_supported_algs": ["ES256"],
    }
    body = re.search(rf"\n\$tool write auth/{title}/role/{title} - <<'END'\n(.*?)\nEND\n", text, re.DOTALL)
    assert body is not None
    assert json.loads(body[1]) == role(Duty(name))


@pytest.mark.parametrize(
    ("there", "used"), [(["bao"], "bao"), (["vault"], "vault"), (["bao", "vault"], "bao")], ids=["bao", "vault", "both"]
)
def test_a_running_vault_is_told_by_whichever_tool_is_there(there: list[str], used: str, tmp_path: Path) -> None:
    for tool in there:
        stand_in(tmp_path / "bin" / tool, f"echo {tool} $1 $2 >>{tmp_path}/called; cat >/dev/null")
    done = run(apply_script(KEYS), tmp_path, "grep", "cat", "dirname")
    assert done.returncode == 0, done.stderr
    called = (tmp_path / "called").read_text().splitlines()
    assert f"{used} policy write" in called
    assert f"{used} write auth/mailark-restore/role/mailark-restore" in called
    assert {line.split()[0] for line in called} == {used}


def test_without_a_tool_it_is_said_that_there_is_none(tmp_path: Path) -> None:
    done = run(apply_script(KEYS), tmp_path, "dirname")
    assert done.returncode == 1
    assert done.stderr == (
        "Neither bao nor vault is on the PATH; nothing was changed.\n"
        "Next: install the command line tool of your OpenBao or HashiCorp Vault here, and run this again.\n"
    )


# --- the start --------------------------------------------------------------------------------------------


def test_the_start_script_asks_the_regions_in_their_order_for_the_key_of_this_seal() -> None:
    text = start_script(VAULT, ["eu-central-1", "eu-west-1"], "vault-seal-key/k1")
    assert "\nfor region in eu-central-1 eu-west-1; do\n" in text
    assert "--encryption-context purpose=vault-seal-key,name=vault-seal-key/k1 " in text
    assert 'fileb://$here/k1.sealed"' in text


def test_a_region_that_does_not_answer_is_given_up_after_seconds_and_the_next_is_asked(tmp_path: Path) -> None:
    asked = tmp_path / "asked"
    stand_in(tmp_path / "bin" / "aws", f'echo "$AWS_MAX_ATTEMPTS $*" >>{asked}; grep -q eu-west-1 {asked} && echo key')
    stand_in(tmp_path / "bin" / "bao", 'echo "$BAO_SEAL_KEY $*"')
    done = run(start_script(VAULT, ["eu-central-1", "eu-west-1"], "vault-seal-key/k1"), tmp_path, "grep", "dirname")
    assert done.stdout.startswith("key server -config="), done.stderr
    calls = asked.read_text().splitlines()
    assert ["eu-central-1" in calls[0], "eu-west-1" in calls[1]] == [True, True]
    for call in calls:
        assert call.startswith("1 kms decrypt ")
        assert "--cli-connect-timeout 5 --cli-read-timeout 10 " in call


def test_the_seal_key_is_never_an_argument_of_the_server() -> None:
    text = start_script(VAULT, ["eu-central-1"], "vault-seal-key/k1")
    assert '\n    exec bao server -config="$here/mailark.hcl" "$@"\n' in text
    assert "$BAO_SEAL_KEY" not in text


@pytest.mark.parametrize(
    "script", [apply_script(KEYS), start_script(VAULT, ["eu-central-1"], "vault-seal-key/k1")], ids=["apply", "start"]
)
def test_a_shell_can_read_the_scripts(script: str) -> None:
    shell = shutil.which("sh")
    assert shell is not None
    assert script.startswith("#!/bin/sh\n")
    subprocess.run([shell, "-n"], input=script, text=True, check=True)
