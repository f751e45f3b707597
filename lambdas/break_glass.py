"""`python -m lambdas.break_glass`: open a backup with its object, its manifest and the operator's offline key.

It needs no AWS, no settings and no network. The object (`….enc`) and its manifest (`….manifest.json`) lie side by
side, and BACKUP names either of the two. docs/break-glass.md is the page for the night.
"""

import argparse
import base64
import getpass
import logging
import signal
import sys
from pathlib import Path
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from msgspec import UNSET

from lambdas.adapters.database_rules import rules_as_sql
from lambdas.adapters.envelope import OfflineEnvelope
from lambdas.adapters.local_vault import LocalVault, free_ports_from, make_root_token
from lambdas.adapters.offline_backup import OfflineBackup, private_file
from lambdas.adapters.sealed_keys import MASTER_KEY, seal_key_name
from lambdas.domain.database_manifest import GLOBALS, DatabaseManifest
from lambdas.domain.database_properties import SETTINGS, recorded_rules
from lambdas.domain.mailark_error import MailarkError
from lambdas.domain.refusal import Refused
from lambdas.domain.tenant_password import decrypt_password

_USUAL_PORT = 8200
"""Vault's own."""


def main(arguments: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    given = _arguments(arguments)
    logging.getLogger("aws_encryption_sdk").setLevel(logging.CRITICAL)  # it prints a traceback beside what we say
    try:
        given.run(given)
    except (MailarkError, Refused) as error:
        _say(str(error))
    except OSError as error:
        what = f"{error.filename}: {error.strerror}." if error.filename else f"{error}."
        _say(str(Refused(what, "Check that file and this machine, and run this again; --help says more.")))
    except KeyboardInterrupt:
        _say(str(Refused("Stopped.", "The same command starts it again.")))
    else:
        return 0
    return 1


def _arguments(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m lambdas.break_glass", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    deed = "print a root token of a started OpenBao, by its recovery key, which it asks for"
    token = commands.add_parser("root-token", help=deed, description=deed)
    token.set_defaults(run=_root_token)
    token.add_argument("address", metavar="ADDRESS", help="of the OpenBao that `start` runs, as it says")
    for run, deed in (
        (_inspect, "say what a backup is; needs its manifest alone"),
        (_open, "prove a backup, and write what is inside: a snapshot, still sealed, or a dump as SQL"),
        (_start, "the same, and start an OpenBao on this machine that serves it"),
        (_password, "decrypt one tenant's password, which it reads as Vault holds it"),
    ):
        command = commands.add_parser(run.__name__.lstrip("_"), help=deed, description=deed)
        command.set_defaults(run=run)
        command.add_argument("backup", metavar="BACKUP", type=Path, help="its object or its manifest")
        command.add_argument(
            "--evidence-key", type=Path, help="verify who signed: the key `evidence`, public half, PEM"
        )
        if run is not _inspect:
            command.add_argument("--key", type=Path, required=True, help="the operator's offline key, private, in PEM")
        if run is _open:
            command.add_argument("--output", type=Path, help="where it goes [snapshot.gz, or the dump's own name]")
            command.add_argument("--show-keys", action="store_true", help="print the keys inside, in the clear")
        if run is _start:
            command.add_argument("--folder", type=Path, default=Path("break-glass-vault"), help="where OpenBao lives")
            command.add_argument("--port", type=int, help="its port; the next one must be free too [from 8200 on]")
        if run is _password:
            command.add_argument("tenant", metavar="TENANT", help="its id: the first part of the secret's path")
    return parser.parse_args(arguments)


# --- what a person asks for -------------------------------------------------------------------------------


def _inspect(given: argparse.Namespace) -> None:
    _show(OfflineBackup.read(given.backup, given.evidence_key).described)


def _open(given: argparse.Namespace) -> None:
    backup = OfflineBackup.read(given.backup, given.evidence_key)
    envelope, keys = _opened(backup, given.key)
    _say(f"Signature: {backup.signed}.")
    if isinstance(backup.manifest, DatabaseManifest):
        target = given.output or Path(backup.manifest.backup_id.removesuffix(".gz"))
        roles = target.with_name(target.name + ".roles")
        backup.write_contents(envelope, target, _progress)
        with private_file(roles) as file:
            file.write(keys[GLOBALS])
        _say(f"Proved, and written to {target}, and the roles of its server to {roles}: give psql the roles first.")
        _write_settings(backup.manifest, keys, target.with_name(target.name + ".settings"))
        return
    target = given.output or Path("snapshot.gz")
    backup.write_contents(envelope, target, _progress)
    if given.show_keys:
        for name, key in keys.items():
            _show(f"{name} {base64.b64encode(key).decode()}")
    _say(f"Proved, and written to {target}. It is sealed still: only Vault opens it, under its seal key.")


def _write_settings(manifest: DatabaseManifest, keys: dict[str, bytes], target: Path) -> None:
    """What the server kept of the database itself, as SQL."""
    properties = manifest.contents.properties
    if properties is UNSET:
        _say("Owner, rights, limit and settings of the database itself are in no dump of the version that made it.")
        return
    with private_file(target) as file:
        rules = recorded_rules(properties, keys[SETTINGS])
        file.write(rules_as_sql(manifest.source.database, rules).encode())
    _say(f"Owner, rights, limit and settings of the database itself are in {target}: give psql them last.")


def _start(given: argparse.Namespace) -> None:
    backup = OfflineBackup.read(given.backup, given.evidence_key)
    manifest = backup.require_vault()
    source = manifest.source
    if source.seal_type != "static":
        fact = f"This backup was taken under a seal of the type {source.seal_type}, whose key is in no backup."
        raise Refused(fact, _OTHER_SEAL)
    envelope, keys = _opened(backup, given.key)
    seal_key = _named(keys, seal_key_name(source.seal_key_id))
    _say(f"Signature: {backup.signed}.")
    port = free_ports_from(_USUAL_PORT) if given.port is None else given.port
    vault = LocalVault(given.folder, port, source.seal_key_id, backup.manifest.backup_id)
    snapshot, restored = given.folder / "snapshot.gz", vault.prepare()
    if not restored:
        backup.write_contents(envelope, snapshot, _progress)
    # A window that is closed must not leave a server behind that nobody sees.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    with vault.running(seal_key):
        if not restored:
            _say("Proved. Restoring it into an OpenBao of its own.")
            vault.restore(snapshot)
        vault.await_serving()
        mount = manifest.contents.mounts[0]
        told = {"backup_id": backup.manifest.backup_id, "address": vault.address, "mount": mount}
        _show(_SERVING.format(**told, python=sys.executable))
        vault.wait()


def _password(given: argparse.Namespace) -> None:
    backup = OfflineBackup.read(given.backup, given.evidence_key)
    backup.require_vault()
    _, keys = _opened(backup, given.key)
    master_key = _named(keys, MASTER_KEY)
    if sys.stdin.isatty():
        _say("The password as Vault holds it:")
    try:
        _show(decrypt_password(sys.stdin.readline().strip(), master_key, given.tenant))
    except ValueError:
        fact = f"That does not decrypt as a password of the tenant {given.tenant}."
        cure = "Give the id that the secret's path begins with, and what `bao kv get -field=password` prints."
        raise Refused(fact, cure) from None


def _root_token(given: argparse.Namespace) -> None:
    _show(make_root_token(given.address, lambda: _typed("Recovery key: ").decode().strip()))


_OTHER_SEAL = (
    "Write the snapshot with `open`, start a Vault under the seal that it had, and restore it there "
    "(`bao operator raft snapshot restore -force`): it takes the unseal keys or the KMS key of that time."
)
_SERVING = """
OpenBao serves {backup_id} at {address}
until Ctrl-C ends it; the same command starts it again. In another window, with an administrator's login of that time:

  export BAO_ADDR={address}
  bao login -method=userpass username=…
  bao kv list {mount}

Logins by AWS do not work without AWS. Who has a recovery key of that time, and no login, asks for a root token:

  export BAO_TOKEN=$({python} -m lambdas.break_glass root-token {address})"""


# --- the keys ---------------------------------------------------------------------------------------------


def _opened(backup: OfflineBackup, file: Path) -> tuple[OfflineEnvelope, dict[str, bytes]]:
    """What opens the backup, and the keys in it; they are never shown unless asked for."""
    envelope = OfflineEnvelope(_private_key(file))
    return envelope, backup.keys(envelope, file)


def _named(keys: dict[str, bytes], name: str) -> bytes:
    if name not in keys:
        raise Refused(f"This backup carries no {name}.", "Take another backup; `inspect` says what each carries.")
    return keys[name]


def _private_key(file: Path) -> str:
    """The operator's key in PEM, its passphrase taken off in memory. Raises `Refused`."""
    pem = file.read_bytes()
    try:
        try:
            key: Any = load_pem_private_key(pem, None)
        except TypeError:  # it has a passphrase
            key = load_pem_private_key(pem, _typed(f"Passphrase of {file}: "))
    except (ValueError, TypeError, UnsupportedAlgorithm):
        fact = f"{file} does not open: it is no private key in PEM, or its passphrase is another."
        raise Refused(fact, "Give the file that `openssl genrsa` wrote, whose public half is in the estate.") from None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise Refused(f"{file} is no RSA key.", "Give the private half of the estate's offline_public_key.")
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def _typed(prompt: str) -> bytes:
    """What somebody types at the terminal, unseen."""
    try:
        return getpass.getpass(prompt).encode()
    except (EOFError, UnicodeError):
        raise Refused("Nothing was typed.", "Run this again at a terminal.") from None


# --- at the terminal --------------------------------------------------------------------------------------


def _progress(done: int, size: int) -> None:
    """How far it is, for somebody who watches."""
    if sys.stderr.isatty():
        end = "\n" if done == size else ""
        sys.stderr.write(f"\rProving the backup: {done * 100 // size} %{end}")
        sys.stderr.flush()


def _say(text: str) -> None:
    """What happens, and what went wrong."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201  # a command line tool


def _show(text: str) -> None:
    """What was asked for."""
    print(text, flush=True)  # noqa: T201  # a command line tool


if __name__ == "__main__":
    sys.exit(main())
