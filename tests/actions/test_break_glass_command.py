"""`python -m lambdas.break_glass`, on backups that the actions made: what it proves, opens and refuses."""

import base64
import io
import json
import os
import re
import sys
from pathlib import Path

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
from lambdas.adapters.sealed_keys import MASTER_KEY
from lambdas.break_glass import main
from tests.actions.break_glass_night import Night, Said, keys_in, make_night
from tests.actions.conftest import MASTER_KEY as PLATFORM_KEY
from tests.actions.conftest import SEAL_KEY, SECRETS, TENANTS
from tests.actions.damage import DAMAGES, Damage, swapped
from tests.actions.house import House, Keys, SavedBackup
from tests.domain.builders import measure
from tests.scenarios.commands import typed

PASSPHRASE = "correct horse battery staple"
KEYS = (PLATFORM_KEY, SEAL_KEY)


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
    assert not keys_in(said.err.encode() + (night.folder / "snapshot.gz").read_bytes(), KEYS)


def test_keys_are_printed_when_asked_for_and_written_nowhere(night: Night) -> None:
    said = night.open("--show-keys")
    assert dict(line.split() for line in said.out.splitlines()) == {
        MASTER_KEY: base64.b64encode(PLATFORM_KEY).decode(),
        "vault-seal-key/k1": base64.b64encode(SEAL_KEY).decode(),
    }
    assert not [path for path in night.folder.rglob("*") if keys_in(path.read_bytes(), KEYS)]


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
    night = make_night(tmp_path, saved, keys, capsys)
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
