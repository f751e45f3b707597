"""`python -m lambdas.vault_configuration`: write what goes into Vault's own configuration, after `cdk deploy`.

On the first run it makes the static seal key (or imports the one that a running Vault has), and asks for the
platform's master key. It may be run again at any time: what exists is kept.
"""

import argparse
import base64
import getpass
import sys
from pathlib import Path

from botocore.exceptions import ClientError

from lambdas.adapters.aws import AWS_ERRORS, client, error_code, lacks_identity
from lambdas.adapters.sealed_keys import MASTER_KEY, SealedKeys, seal_key_name
from lambdas.adapters.signing import SigningKey
from lambdas.domain.errors import KeyUnusable
from lambdas.domain.estate import Estate, parse_estate
from lambdas.domain.mailark_error import Failure, MailarkError
from lambdas.domain.refusal import Refused
from lambdas.domain.tenant_password import MASTER_KEY_BYTES
from lambdas.domain.vault_configuration import (
    SEAL_KEY_BYTES,
    apply_script,
    policies,
    server_configuration,
    start_script,
)
from lambdas.domain.vault_duties import DUTIES, Duty

_SEAL_ALIAS, _ESCROW_ALIAS = "alias/mailark-seal", "alias/mailark-escrow"


def main(arguments: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    given = _arguments(arguments)
    try:
        estate = parse_estate(given.estate.read_text(), str(given.estate))
        # Asked first: without valid credentials nothing else is worth asking for.
        account = client("sts", estate.regions.primary).get_caller_identity()["Account"]
        own_key = _key_to_import(estate, given.seal_key_file)
        _seal_master_key(estate, given.master_key_file)
        done = _seal_seal_key(estate, own_key, given.seal_key_file)
        _write(estate, account, given.output)
    except (MailarkError, Refused, *AWS_ERRORS, OSError, ValueError) as error:
        print(_in_words(error), file=sys.stderr)  # noqa: T201  # a command line tool
        return 1
    print(_WRITTEN.format(folder=given.output) + done)  # noqa: T201  # a command line tool
    return 0


def _arguments(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m lambdas.vault_configuration", description=__doc__)
    parser.add_argument("--estate", default="estate.yaml", type=Path, help="the estate that was deployed")
    parser.add_argument("--output", default="vault-configuration", type=Path, help="the folder to write to")
    parser.add_argument(
        "--master-key-file",
        type=Path,
        help="a file with the platform's master key in base64 or hex; asked for otherwise",
    )
    parser.add_argument(
        "--seal-key-file",
        type=Path,
        help="a file with the static seal key that a running Vault has already, 32 bytes raw, in hex or in base64; "
        "a new key is made otherwise",
    )
    return parser.parse_args(arguments)


_WRITTEN = """Written to {folder}:
  mailark.hcl      seal, and the setup of a new Vault: put it beside the server's own configuration
  start-vault.sh   starts the server with its seal key, which KMS opens: it needs the file *.sealed beside it, and the
                   AWS CLI on that host
  apply.sh         gives a Vault that runs already the same logins and policies
  policies/        the policies by themselves, to read"""

_MADE = """
Seal key {key_id}: made now, for a new Vault. If your Vault runs already under a static seal key of its own, every
backup would carry this one, which does not open it: do what "The seal key" in docs/operating.md says, before the
first backup."""
_IMPORTED = """
Seal key {key_id}: imported. {file} still holds it in the clear: delete it once Vault has started by start-vault.sh."""
_KEPT = """
Seal key {key_id}: kept as it was sealed before."""


# --- what went wrong --------------------------------------------------------------------------------------


def _in_words(error: Exception) -> str:
    """A line of fact and a line of what to do, for whatever has stopped the command."""
    if isinstance(error, KeyUnusable) and (failure := Failure.parse(str(error))):
        cure = (
            "Check that `cdk deploy --all` has run in this account, and that you may use the key; then run this again."
        )
        return str(Refused(failure.sentence, cure))
    if isinstance(error, MailarkError | Refused):
        return str(error)
    if isinstance(error, AWS_ERRORS):
        if lacks_identity(error):
            fact = f"This shell has no valid credentials for AWS: {error_code(error)}."
            cure = "Set those of the account that was deployed to (`aws sts get-caller-identity` proves them)"
        elif isinstance(error, ClientError):
            fact, cure = f"AWS has refused it: {error}", "If it is a permission, use the credentials that deployed"
        else:
            fact, cure = f"AWS has not answered: {error}", "Check this machine's network and the estate's regions"
        return str(Refused(fact, f"{cure}; then run this again, what is done is kept."))
    return str(Refused(str(error), "Check that file, and run this again; --help names every option."))


# --- the keys ---------------------------------------------------------------------------------------------


def _stores(estate: Estate, alias: str) -> list[SealedKeys]:
    return [SealedKeys(region, alias) for region in (estate.regions.primary, estate.regions.standby)]


def _in_both_regions(estate: Estate, name: str, alias: str, key: bytes | None) -> bytes:
    """The ciphertext of a sealed key, the same in both regions: kept, else made, or sealed from `key`."""
    stores = _stores(estate, alias)
    holding = next((store for store in stores if store.has(name)), None)
    if holding is not None:
        ciphertext = holding.ciphertext(name)
    else:
        ciphertext = stores[0].make(name) if key is None else stores[0].seal(name, key)
    for store in stores:
        if not store.has(name):
            store.store(name, ciphertext)
    return ciphertext


def _key_to_import(estate: Estate, file: Path | None) -> bytes | None:
    """The seal key that Vault has already, if one is given; refused unless it can be taken over."""
    if file is None:
        return None
    seal = estate.vault.seal
    if seal.type != "static":
        cure = "Leave --seal-key-file out, or set vault.seal in the estate to the seal that Vault runs under."
        raise Refused(f"The estate has the seal {seal.type}, which has no key to import; nothing was changed.", cure)
    given = file.read_bytes()
    key = given if len(given) == SEAL_KEY_BYTES else _decoded(given, SEAL_KEY_BYTES)
    if key is None:
        fact = f"{file} holds no seal key of {SEAL_KEY_BYTES} bytes, raw, in hex or in base64; nothing was changed."
        raise Refused(fact, "Give it what current_key in Vault's own configuration stands for.")
    if any(store.has(seal_key_name(seal.key_id)) for store in _stores(estate, _SEAL_ALIAS)):
        fact = f"A seal key with the id {seal.key_id} is sealed already, and is never replaced; nothing was changed."
        cure = 'If it is Vault\'s own, leave --seal-key-file out; if not, see "The seal key" in docs/operating.md.'
        raise Refused(fact, cure)
    return key


def _seal_seal_key(estate: Estate, own_key: bytes | None, file: Path | None) -> str:
    """Make the static seal key, or seal the one that Vault has; what was done, in words."""
    seal = estate.vault.seal
    if seal.type != "static":
        return ""
    name = seal_key_name(seal.key_id)
    kept = any(store.has(name) for store in _stores(estate, _SEAL_ALIAS))
    _in_both_regions(estate, name, _SEAL_ALIAS, own_key)
    text = _KEPT if kept else _MADE if own_key is None else _IMPORTED
    return text.format(key_id=seal.key_id, file=file)


def _seal_master_key(estate: Estate, file: Path | None) -> None:
    known = [store.has(MASTER_KEY) for store in _stores(estate, _ESCROW_ALIAS)]
    if not all(known):
        _in_both_regions(estate, MASTER_KEY, _ESCROW_ALIAS, None if any(known) else _read_master_key(file))


def _read_master_key(file: Path | None) -> bytes:
    if file:
        return _master_key(file.read_bytes())
    key = _typed("The platform's master key (base64 or hex): ")
    # A mistyped key would be sealed for good, and be missed on the day that it is needed.
    if _typed("The same once more: ") != key:
        raise Refused("The two master keys differ; nothing was sealed.", "Run this again, and type or paste it twice.")
    return key


def _typed(prompt: str) -> bytes:
    try:
        return _master_key(getpass.getpass(prompt).encode())
    except (EOFError, KeyboardInterrupt, UnicodeError):
        cure = "Run this again at a terminal, or name a file with --master-key-file."
        raise Refused("No master key was typed; nothing was sealed.", cure) from None


def _master_key(text: bytes) -> bytes:
    key = _decoded(text, MASTER_KEY_BYTES)
    if key is None:
        fact = f"That is not a master key of {MASTER_KEY_BYTES} bytes in base64 or hex; nothing was sealed."
        raise Refused(fact, "Look up the key that the platform runs with, and run this again.")
    return key


def _decoded(text: bytes, size: int) -> bytes | None:
    """The key of `size` bytes that a text in hex or base64 holds; None when it holds none."""
    value = text.decode(errors="replace").strip()
    for decode in (bytes.fromhex, lambda each: base64.b64decode(each, validate=True)):
        try:
            key = decode(value)
        except ValueError:  # never shown: it may quote the secret
            continue
        if len(key) == size:
            return key
    return None


# --- the files --------------------------------------------------------------------------------------------


def _write(estate: Estate, account: str, folder: Path) -> None:
    vault, region = estate.vault, estate.regions.primary
    public_keys = {name: SigningKey(_alias_arn(region, account, Duty(name).title)).public_pem() for name in DUTIES}
    (folder / "policies").mkdir(parents=True, exist_ok=True)
    (folder / "mailark.hcl").write_text(server_configuration(vault, public_keys))
    for duty, text in policies(vault).items():
        (folder / "policies" / f"{Duty(duty).title}.hcl").write_text(text)
    _script(folder / "apply.sh", apply_script(public_keys))
    if vault.seal.type == "static":
        name = seal_key_name(vault.seal.key_id)
        (folder / f"{vault.seal.key_id}.sealed").write_bytes(SealedKeys(region, _SEAL_ALIAS).ciphertext(name))
        regions = [estate.regions.primary, estate.regions.standby]
        _script(folder / "start-vault.sh", start_script(vault, regions, name))


def _script(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


def _alias_arn(region: str, account: str, title: str) -> str:
    """The ARN of a duty's key by its alias; the account is the caller's own."""
    return f"arn:aws:kms:{region}:{account}:alias/{title.replace('mailark-', 'mailark-vault-')}"


if __name__ == "__main__":
    sys.exit(main())
