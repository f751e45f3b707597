"""What a user pastes into Vault's own configuration: the seal, the logins of Mailark's duties, their policies.

For a new or empty Vault it is an `initialize` block (OpenBao self-initialisation), so that a lost cluster comes back
with nobody typing a key; for a running Vault it is a script of `bao` or `vault` commands with the same content.
"""

import json
from collections.abc import Mapping, Sequence

from lambdas.domain.estate import Vault
from lambdas.domain.vault_duties import DUTIES, ISSUER, Duty, DutyName, policy, role

SEAL_VARIABLE = "BAO_SEAL_KEY"
SEAL_KEY_BYTES = 32

_FIND_TOOL = (
    "if command -v bao >/dev/null; then tool=bao",
    "elif command -v vault >/dev/null; then tool=vault",
    "else",
    '  echo "Neither bao nor vault is on the PATH; nothing was changed." >&2',
    '  echo "Next: install the command line tool of your OpenBao or HashiCorp Vault here, and run this again." >&2',
    "  exit 1",
    "fi",
)


def server_configuration(vault: Vault, public_keys: Mapping[DutyName, str]) -> str:
    """`mailark.hcl`: goes beside the server's own configuration, which keeps storage and listeners.

    `public_keys` are those of the duties' signing keys, in PEM.
    """
    kv: Mapping[str, object] = {"type": "kv", "options": {"version": "2"}}
    requests = [(f"mount-{mount}", f"sys/mounts/{mount}", kv) for mount in vault.mounts]
    for name in DUTIES:
        duty = Duty(name)
        requests += [
            (f"login-{name}", f"sys/auth/{duty.title}", {"type": "jwt"}),
            (f"login-key-{name}", f"auth/{duty.title}/config", _login(public_keys[name])),
            (f"policy-{name}", f"sys/policies/acl/{duty.title}", {"policy": policy(name, vault)}),
            (f"role-{name}", f"auth/{duty.title}/role/{duty.title}", role(duty)),
        ]
    blocks = "\n".join(_request(*request) for request in requests)
    return f"""# Written by `python -m lambdas.vault_configuration`. Holds no secret.
{_seal(vault)}
# A read after a write must not be stale.
disable_standby_reads = true

# Runs once, on a Vault that has never been initialised.
initialize "mailark" {{
{blocks}}}
"""


def policies(vault: Vault) -> dict[DutyName, str]:
    """The policy of each duty, in HCL."""
    return {name: policy(name, vault) + "\n" for name in DUTIES}


def apply_script(public_keys: Mapping[DutyName, str]) -> str:
    """A shell script that gives a running Vault the same logins and policies; it may run twice."""
    lines = [
        "#!/bin/sh",
        "# Gives a running Vault the logins and policies of Mailark. Needs the address and an administrator's token in",
        "# BAO_ADDR and BAO_TOKEN (or VAULT_ADDR and VAULT_TOKEN), and the command line tool: bao, or else vault.",
        "set -eu",
        'cd "$(dirname "$0")"',
        *_FIND_TOOL,
    ]
    for name in DUTIES:
        duty = Duty(name)
        lines += [
            "",
            f"$tool policy write {duty.title} policies/{duty.title}.hcl",
            f"$tool auth list | grep -q '^{duty.title}/' || $tool auth enable -path={duty.title} jwt",
            f"$tool write auth/{duty.title}/config - <<'END'\n{json.dumps(_login(public_keys[name]), indent=2)}\nEND",
            f"$tool write auth/{duty.title}/role/{duty.title} - <<'END'\n{json.dumps(role(duty), indent=2)}\nEND",
        ]
    return "\n".join(lines) + "\n"


def start_script(vault: Vault, regions: Sequence[str], key_name: str) -> str:
    """A shell script that opens the static seal key with KMS, in either region, and starts the server with it.

    The key is only ever in the environment of the server's process. A region that does not answer costs seconds.
    """
    return f"""#!/bin/sh
# Starts OpenBao with its seal key, which KMS opens. Needs the AWS CLI, and the credentials of the host that
# vault.host_principal in the estate names. Arguments go to the server: start-vault.sh -config=/etc/openbao
set -eu
here=$(cd "$(dirname "$0")" && pwd)
for region in {" ".join(regions)}; do
  if {SEAL_VARIABLE}=$(AWS_MAX_ATTEMPTS=1 aws kms decrypt --region "$region" --key-id alias/mailark-seal \\
    --cli-connect-timeout 5 --cli-read-timeout 10 \\
    --encryption-context purpose={key_name.split("/")[0]},name={key_name} \\
    --ciphertext-blob "fileb://$here/{vault.seal.key_id}.sealed" --query Plaintext --output text); then
    export {SEAL_VARIABLE}
    exec bao server -config="$here/mailark.hcl" "$@"
  fi
  echo "KMS in $region did not open the seal key; trying the next region." >&2
done
echo "No region opened the seal key: check this host's credentials and the key alias/mailark-seal." >&2
exit 1
"""


def _seal(vault: Vault) -> str:
    if vault.seal.type != "static":
        return f"\n# The {vault.seal.type} seal keeps the stanza that this server has already.\n"
    return f"""
# {SEAL_VARIABLE} is set by start-vault.sh, which has KMS open the key.
seal "static" {{
  current_key_id = "{vault.seal.key_id}"
  current_key    = "env://{SEAL_VARIABLE}"
}}
"""


def _login(public_key: str) -> dict[str, object]:
    return {
        "jwt_validation_pubkeys": [public_key],
        "bound_issuer": ISSUER,
        "jwt_supported_algs": ["ES256"],
    }


def _request(name: str, path: str, data: Mapping[str, object]) -> str:
    return f"""  request "{name}" {{
    operation = "update"
    path      = "{path}"
    data      = {_hcl(data)}
  }}
"""


def _hcl(value: object) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {_hcl(each)}" for key, each in value.items()) + " }"
    return json.dumps(value)
