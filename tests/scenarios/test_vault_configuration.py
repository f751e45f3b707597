"""`python -m lambdas.vault_configuration`, as its user runs it: what it makes, imports, asks for and refuses."""

import base64
import contextlib
import json
import os
import re
import secrets
import shutil
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.aws import ROOT
from lab.processes import LOOPBACK, free_port
from lambdas.adapters.sealed_keys import MASTER_KEY, seal_key_name
from lambdas.domain.vault_duties import DUTIES, Duty
from tests.scenarios.commands import (
    CONFIGURE,
    IMPORT,
    ended,
    environment,
    failed,
    offline,
    plain_vault,
    run,
    typed,
)
from tests.scenarios.house import House


def test_vaults_configuration_is_written_again_with_nothing_changed(house: House, checkout: Path) -> None:
    said = run(house, CONFIGURE, checkout)

    written = checkout / "vault-configuration"
    assert "Written to vault-configuration:" in said
    for path in sorted(house.lab.configuration.rglob("*")):
        if path.is_file():
            assert (written / path.relative_to(house.lab.configuration)).read_bytes() == path.read_bytes()


def test_the_master_key_is_asked_for_twice_and_not_shown(house: House, checkout: Path) -> None:
    key = base64.b64encode(house.lab.master_key).decode()
    with _forgotten(house, MASTER_KEY):
        code, shown = typed(CONFIGURE, checkout, environment(house), key, house.lab.master_key.hex())
        made = _sealed(house, MASTER_KEY)

    assert code == 0, shown
    assert "The platform's master key (base64 or hex): " in shown
    assert "The same once more: " in shown
    assert key not in shown
    assert house.lab.master_key.hex() not in shown
    assert made[0]
    assert made[0] == made[1]


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["a1" * 32, "a2" * 32], "The two master keys differ; nothing was sealed."),
        (["a1" * 31], "That is not a master key of 32 bytes in base64 or hex; nothing was sealed."),
    ],
    ids=["mistyped", "too short"],
)
def test_a_master_key_that_was_mistyped_is_not_sealed(
    house: House, checkout: Path, lines: list[str], said: str
) -> None:
    with _forgotten(house, MASTER_KEY):
        code, shown = typed(CONFIGURE, checkout, environment(house), *lines)
        assert _sealed(house, MASTER_KEY) == [None, None]

    assert code == 1
    assert said in shown
    assert "\nNext: " in shown.replace("\r", "")
    assert lines[0] not in shown


def _sealed(house: House, name: str) -> list[str | None]:
    """What is stored under the name of a sealed key, in both regions."""
    found: list[str | None] = []
    for region in (house.lab.primary, house.lab.standby):
        answer = house.lab.client("ssm", region).get_parameters(Names=[f"/mailark/sealed-keys/{name}"])
        found.append(answer["Parameters"][0]["Value"] if answer["Parameters"] else None)
    return found


@contextlib.contextmanager
def _forgotten(house: House, name: str) -> Iterator[None]:
    """Let a sealed key be unknown in both regions while the block runs."""
    parameter = f"/mailark/sealed-keys/{name}"
    stores = [house.lab.client("ssm", region) for region in (house.lab.primary, house.lab.standby)]
    kept = _sealed(house, name)
    for store in stores:
        store.delete_parameter(Name=parameter)
    try:
        yield
    finally:
        for store, value in zip(stores, kept, strict=True):
            store.put_parameter(Name=parameter, Value=value, Type="String", Overwrite=True)


@pytest.mark.parametrize("form", ["raw", "hex", "base64"])
def test_the_seal_key_of_a_vault_that_runs_already_is_imported(house: House, checkout: Path, form: str) -> None:
    name, own = seal_key_name("k1"), secrets.token_bytes(32)
    forms = {"raw": own, "hex": own.hex().encode() + b"\n", "base64": base64.b64encode(own) + b"\n"}
    (checkout / "seal.key").write_bytes(forms[form])
    with _forgotten(house, name):
        said = run(house, IMPORT, checkout)
        first, second = _sealed(house, name)
        opened = [_as_the_host_opens(house, region, first) for region in (house.lab.primary, house.lab.standby)]

    assert "Seal key k1: imported. seal.key still holds it in the clear: delete it once Vault has started" in said
    assert first == second
    assert opened == [own, own]
    written = [path.read_bytes() for path in (checkout / "vault-configuration").rglob("*") if path.is_file()]
    assert base64.b64decode(first or "") in written
    for secret in forms.values():
        assert not [text for text in [*written, said.encode()] if secret.strip() in text]


def _as_the_host_opens(house: House, region: str, sealed: str | None) -> bytes:
    kms = house.lab.aws.client("kms", region, house.lab.host_key)
    context = {"purpose": "vault-seal-key", "name": "vault-seal-key/k1"}
    answer = kms.decrypt(
        KeyId="alias/mailark-seal", CiphertextBlob=base64.b64decode(sealed or ""), EncryptionContext=context
    )
    return bytes(answer["Plaintext"])


def test_without_a_key_to_import_a_new_one_is_made_and_it_is_said_for_whom(house: House, checkout: Path) -> None:
    with _forgotten(house, seal_key_name("k1")):
        said = run(house, CONFIGURE, checkout)
    assert (
        "Seal key k1: made now, for a new Vault. If your Vault runs already under a static seal key of its own" in said
    )
    assert '"The seal key" in docs/operating.md' in said
    assert "\n## The seal key\n" in (ROOT / "docs" / "operating.md").read_text()


def test_a_seal_key_that_is_sealed_already_is_never_replaced(house: House, checkout: Path) -> None:
    (checkout / "seal.key").write_bytes(secrets.token_bytes(32))
    before = _sealed(house, seal_key_name("k1"))

    said = failed(IMPORT, checkout, environment(house))

    assert said.startswith(
        "A seal key with the id k1 is sealed already, and is never replaced; nothing was changed.\n"
        "Next: If it is Vault's own, leave --seal-key-file out"
    )
    assert _sealed(house, seal_key_name("k1")) == before
    assert not (checkout / "vault-configuration").exists()


def test_what_is_no_seal_key_is_not_imported(house: House, checkout: Path) -> None:
    (checkout / "seal.key").write_bytes(secrets.token_bytes(31))
    with _forgotten(house, seal_key_name("k1")):
        said = failed(IMPORT, checkout, environment(house))
        assert _sealed(house, seal_key_name("k1")) == [None, None]
    assert said.startswith("seal.key holds no seal key of 32 bytes, raw, in hex or in base64; nothing was changed.")


def test_what_aws_does_not_do_is_said_with_its_cure(house: House, checkout: Path) -> None:
    root = environment(house)
    nobody = {name: value for name, value in root.items() if not name.startswith("AWS_")}
    nobody |= {"AWS_EC2_METADATA_DISABLED": "true", "HOME": str(checkout)}
    assert failed(CONFIGURE, checkout, nobody) == (
        "This shell has no valid credentials for AWS: NoCredentialsError.\n"
        "Next: Set those of the account that was deployed to (`aws sts get-caller-identity` proves them); "
        "then run this again, what is done is kept.\n"
    )
    too_few = root | house.lab.aws.environment(house.lab.host_key)
    assert re.match(r"AWS has refused it: .*AccessDenied.*GetParameter", failed(CONFIGURE, checkout, too_few))
    unreachable = root | {"AWS_ENDPOINT_URL": f"https://127.0.0.1:{free_port()}"}
    assert failed(CONFIGURE, checkout, unreachable).startswith("AWS has not answered: Could not connect")


def test_where_nothing_is_deployed_it_is_said_to_deploy_first(house: House, checkout: Path) -> None:
    estate = checkout / "estate.yaml"
    estate.write_text(
        estate.read_text().replace(house.lab.primary, "us-east-2").replace(house.lab.standby, "us-west-2")
    )
    (checkout / "master.key").write_text("a1" * 32)
    said = failed(f"{CONFIGURE} --master-key-file master.key", checkout, environment(house))
    assert (
        "alias/mailark-escrow: NotFoundException.\nNext: Check that `cdk deploy --all` has run in this account" in said
    )


def test_a_seal_without_a_key_of_ours_has_none_to_import(house: House, checkout: Path) -> None:
    estate = checkout / "estate.yaml"
    estate.write_text(estate.read_text().replace("type: static", "type: awskms"))
    (checkout / "seal.key").write_bytes(secrets.token_bytes(32))
    said = failed(IMPORT, checkout, environment(house))
    assert said.startswith("The estate has the seal awskms, which has no key to import; nothing was changed.")


def test_an_estate_that_is_not_there_is_said_with_its_cure(house: House, checkout: Path) -> None:
    assert "No such file or directory: 'elsewhere.yaml'\nNext: " in failed(
        f"{CONFIGURE} --estate elsewhere.yaml", checkout, environment(house)
    )


def test_a_vault_starts_in_seconds_from_the_standby_when_the_primary_is_silent(house: House, tmp_path: Path) -> None:
    """The primary region takes connections, and never says a word."""
    lab, tools = house.lab, tmp_path / "bin"
    with socket.create_server((LOOPBACK, 0)) as silent:
        nobody = f"http://{LOOPBACK}:{silent.getsockname()[1]}"
        _tool(
            tools / "aws",
            f'case "$*" in *{lab.primary}*) export AWS_ENDPOINT_URL={nobody};; esac\n'
            f'exec {ROOT / ".venv-emulator" / "bin" / "aws"} "$@"',
        )
        _tool(tools / "bao", 'test -n "$BAO_SEAL_KEY" && echo started')
        own = lab.aws.environment(lab.host_key) | {"PATH": f"{tools}:{os.environ['PATH']}", "HOME": str(tmp_path)}
        began = time.monotonic()
        done = ended(str(lab.configuration / "start-vault.sh"), tmp_path, own)

    assert done.stdout == "started\n", done.stderr
    assert f"KMS in {lab.primary} did not open the seal key; trying the next region." in done.stderr
    assert time.monotonic() - began < 30


def _tool(path: Path, script: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


# --- without AWS ------------------------------------------------------------------------------------------


def test_a_vault_that_runs_already_gets_its_logins_from_either_tool(house: House, tmp_path: Path) -> None:
    seal_key = base64.b64encode(secrets.token_bytes(32)).decode()
    bao = ROOT / ".venv" / "bin" / "bao"
    with plain_vault(house, tmp_path, seal_key) as (_, vault):
        for name in ("vault", "bao"):
            folder = tmp_path / f"with-{name}"
            shutil.copytree(house.lab.configuration, folder)
            (folder / "bin").mkdir()
            (folder / "bin" / name).symlink_to(bao)
            only = {key.replace("BAO", name.upper()): value for key, value in vault.items()}
            done = ended("./apply.sh", folder, only | {"PATH": f"{folder / 'bin'}:/usr/bin:/bin", "HOME": str(folder)})
            assert done.returncode == 0, done.stderr
        for duty in DUTIES:
            title = Duty(duty).title
            config, role = (
                json.loads(offline(f"bao read -format=json auth/{title}/{what}", tmp_path, vault))["data"]
                for what in ("config", f"role/{title}")
            )
            assert config["bound_issuer"] == "mailark"
            assert role["token_policies"] == [title]
            text = (house.lab.configuration / "policies" / f"{title}.hcl").read_text()
            assert offline(f"bao policy read {title}", tmp_path, vault).strip() == text.strip()
