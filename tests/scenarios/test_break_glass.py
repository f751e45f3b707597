"""Break glass: a backup becomes passwords again without AWS, by the page and nothing else."""

import base64
import json
import shutil
import time
from pathlib import Path

import hvac
import pytest
import requests

from lab.tenants import Platform, Tenant
from lambdas.adapters.sealed_keys import MASTER_KEY
from lambdas.domain.backup import manifest_key
from tests.scenarios.commands import (
    INSTALL,
    OPEN,
    RESTORE,
    check_out,
    environment_offline,
    failed,
    offline,
    on_the_page,
    plain_vault,
)
from tests.scenarios.house import House


@pytest.fixture(scope="module")
def night(house: House, backup_id: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout in which somebody has done the page's first two steps, with the object, its manifest and the key."""
    folder = tmp_path_factory.mktemp("night")
    check_out(folder)
    row, s3 = house.catalog()[backup_id], house.lab.client("s3")
    (folder / f"{backup_id}.enc").write_bytes(house.object_bytes(row))
    manifest = s3.get_object(Bucket=house.bucket(), Key=manifest_key(row.key))["Body"].read()
    (folder / f"{backup_id}.manifest.json").write_bytes(manifest)
    shutil.copy(house.lab.offline.private, folder / "offline-key.pem")
    for command in INSTALL:
        offline(command, folder)
    (folder / "open_backup.py").write_text(on_the_page("python"))
    return folder


def test_without_aws_the_break_glass_page_brings_the_passwords_back(
    house: House, tenants: list[Tenant], night: Path
) -> None:
    """Only the object, its manifest and the operator's key: what the page says, to a tenant's password in the clear."""
    keys = dict(line.split() for line in offline(OPEN, night).splitlines())
    with plain_vault(house, night, keys["vault-seal-key/k1"]) as (node, vault):
        offline(RESTORE, night, vault)
        node.wait_until_serving()
        assert _passwords(house, node.address, base64.b64decode(keys[MASTER_KEY])).wrong(tenants) == []


@pytest.mark.parametrize("part", ["ciphertext", "plaintext"])
def test_without_aws_what_differs_from_the_manifest_is_not_taken(night: Path, backup_id: str, part: str) -> None:
    file = night / f"{backup_id}.manifest.json"
    kept = file.read_bytes()
    manifest = json.loads(kept)
    manifest[part]["sha256"] = "0" * 64
    file.write_text(json.dumps(manifest))
    try:
        said = failed(OPEN, night, environment_offline(night))
    finally:
        file.write_bytes(kept)
    name = f"{backup_id}.enc" if part == "ciphertext" else "snapshot.gz"
    assert said.startswith(f"{name} is not what the manifest says: ")


def _passwords(house: House, address: str, master_key: bytes) -> Platform:
    """The platform at the new Vault; the restored logins may need a moment."""
    deadline = time.monotonic() + 30
    while True:
        try:
            return Platform(house.lab.vault_client(address), master_key)
        except (hvac.exceptions.VaultError, requests.RequestException):
            assert time.monotonic() < deadline, "the restored login is not there"
            time.sleep(0.2)
