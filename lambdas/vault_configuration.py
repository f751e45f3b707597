"""`python -m lambdas.vault_configuration`: write what goes into Vault's own configuration, after `cdk deploy`.

Makes the static seal key on the first run, asks for the platform's master key if it is not sealed yet, and may be
run again at any time: what exists is kept.
"""

import argparse
import base64
import binascii
import getpass
import sys
from pathlib import Path

from lambdas.adapters.aws import client
from lambdas.adapters.sealed_keys import MASTER_KEY, SealedKeys, seal_key_name
from lambdas.adapters.signing import SigningKey
from lambdas.domain.errors import MailarkError
from lambdas.domain.estate import Estate, parse_estate
from lambdas.domain.tenant_password import MASTER_KEY_BYTES
from lambdas.domain.vault_configuration import apply_script, policies, server_configuration, start_script
from lambdas.domain.vault_duties import DUTIES, Duty

_SEAL_ALIAS, _ESCROW_ALIAS = "alias/mailark-seal", "alias/mailark-escrow"


def main(arguments: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m lambdas.vault_configuration", description=__doc__)
    parser.add_argument("--estate", default="estate.yaml", type=Path, help="the estate that was deployed")
    parser.add_argument("--output", default="vault-configuration", type=Path, help="the folder to write to")
    parser.add_argument(
        "--master-key-file",
        type=Path,
        help="a file with the platform's master key in base64 or hex; asked for otherwise",
    )
    given = parser.parse_args(arguments)
    try:
        estate = parse_estate(given.estate.read_text(), str(given.estate))
        _seal_master_key(estate, given.master_key_file)
        _write(estate, given.output)
    except (MailarkError, OSError, ValueError) as error:
        print(error, file=sys.stderr)  # noqa: T201  # a command line tool
        return 1
    print(_NEXT.format(folder=given.output))  # noqa: T201
    return 0


_NEXT = """Written to {folder}:
  mailark.hcl      seal, and the setup of a new Vault: put it beside the server's own configuration
  start-vault.sh   starts the server with its seal key, which KMS opens
  apply.sh         gives a Vault that runs already the same logins and policies
  policies/        the policies by themselves, to read"""


def _write(estate: Estate, folder: Path) -> None:
    vault, region = estate.vault, estate.regions.primary
    public_keys = {name: SigningKey(_alias_arn(region, Duty(name).title)).public_pem() for name in DUTIES}
    (folder / "policies").mkdir(parents=True, exist_ok=True)
    (folder / "mailark.hcl").write_text(server_configuration(vault, public_keys))
    for duty, text in policies(vault).items():
        (folder / "policies" / f"{Duty(duty).title}.hcl").write_text(text)
    _script(folder / "apply.sh", apply_script(public_keys))
    if vault.seal.type == "static":
        name = seal_key_name(vault.seal.key_id)
        (folder / f"{vault.seal.key_id}.sealed").write_bytes(_in_both_regions(estate, name, _SEAL_ALIAS, None))
        regions = [estate.regions.primary, estate.regions.standby]
        _script(folder / "start-vault.sh", start_script(vault, regions, name))


def _script(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


def _alias_arn(region: str, title: str) -> str:
    """The ARN of a duty's key by its alias; the account is the caller's own."""
    account = client("sts", region).get_caller_identity()["Account"]
    return f"arn:aws:kms:{region}:{account}:alias/{title.replace('mailark-', 'mailark-vault-')}"


def _in_both_regions(estate: Estate, name: str, alias: str, key: bytes | None) -> bytes:
    """The ciphertext of a sealed key, the same in both regions: kept, else made, or sealed from `key`."""
    stores = [SealedKeys(region, alias) for region in (estate.regions.primary, estate.regions.standby)]
    holding = next((store for store in stores if store.has(name)), None)
    if holding is not None:
        ciphertext = holding.ciphertext(name)
    else:
        ciphertext = stores[0].make(name) if key is None else stores[0].seal(name, key)
    for store in stores:
        if not store.has(name):
            store.store(name, ciphertext)
    return ciphertext


def _seal_master_key(estate: Estate, file: Path | None) -> None:
    store = SealedKeys(estate.regions.primary, _ESCROW_ALIAS)
    key = None if store.has(MASTER_KEY) else _read_master_key(file)
    if key is not None or not SealedKeys(estate.regions.standby, _ESCROW_ALIAS).has(MASTER_KEY):
        _in_both_regions(estate, MASTER_KEY, _ESCROW_ALIAS, key)


def _read_master_key(file: Path | None) -> bytes:
    text = file.read_text() if file else getpass.getpass("The platform's master key (base64 or hex): ")
    text = text.strip()
    for decode in (bytes.fromhex, lambda value: base64.b64decode(value, validate=True)):
        try:
            key = decode(text)
        except (ValueError, binascii.Error):
            continue
        if len(key) == MASTER_KEY_BYTES:
            return key
    raise ValueError(
        f"That is not a master key: expected {MASTER_KEY_BYTES} bytes in base64 or hex. Nothing was stored."
    )


if __name__ == "__main__":
    sys.exit(main())
