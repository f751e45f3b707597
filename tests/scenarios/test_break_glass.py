"""Break glass: with AWS and Vault gone, a backup becomes passwords again, by the page and nothing else."""

import re
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.processes import LOOPBACK, Server, stopped_at_end
from lab.tenants import Tenant
from lambdas.domain.backup import manifest_key
from tests.domain.builders import measure
from tests.scenarios.commands import (
    EVIDENCE,
    INSPECT,
    INSTALL,
    LIST,
    LOGIN,
    OPEN,
    PASSWORD,
    START,
    check_out,
    environment_offline,
    offline,
    run,
    typed,
)
from tests.scenarios.house import House

pytestmark = pytest.mark.ends_the_house


@pytest.fixture(scope="module")
def night(house: House, backup_id: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout with the object, its manifest and the two keys; after that, AWS and Vault are gone."""
    folder = tmp_path_factory.mktemp("night")
    check_out(folder)
    row, s3 = house.catalog()[backup_id], house.lab.client("s3")
    (folder / f"{backup_id}.enc").write_bytes(house.object_bytes(row))
    manifest = s3.get_object(Bucket=house.bucket(), Key=manifest_key(row.key))["Body"].read()
    (folder / f"{backup_id}.manifest.json").write_bytes(manifest)
    shutil.copy(house.lab.offline.private, folder / "offline-key.pem")
    run(house, EVIDENCE, folder)
    expected = house.manifest(row).plaintext

    house.lab.vault.kill()
    house.lab.aws.stop()
    for port in (house.lab.vault.port, house.lab.aws.port):
        with socket.socket() as probe:
            assert probe.connect_ex((LOOPBACK, port)) != 0

    for command in INSTALL:
        offline(command, folder)
    offline(OPEN, folder)
    assert measure((folder / "snapshot.gz").read_bytes()) == expected
    return folder


@pytest.fixture(scope="module")
def address(night: Path) -> Iterator[str]:
    """Where the OpenBao answers that the page's command has started, as its window says."""
    shown = night / "window.txt"
    window = Server("break glass", ["sh", "-c", START], environment_offline(night), night, shown)
    with stopped_at_end(window):
        window.wait_until(lambda: "OpenBao serves" in shown.read_text(), 90)
        said = re.search(r"export BAO_ADDR=(\S+)", shown.read_text())
        assert said
        yield said[1]


def test_without_aws_the_page_says_which_backup_it_is_and_who_made_it(night: Path, backup_id: str) -> None:
    said = offline(INSPECT, night)
    assert said.startswith(f"Backup:    {backup_id} (daily)\n")
    assert said.endswith("Signature: verified with evidence.pem\n")


def test_without_aws_the_page_brings_a_tenants_password_back(
    house: House, tenants: list[Tenant], night: Path, address: str
) -> None:
    tenant = tenants[0]
    own = {"BAO_ADDR": address, "ADMINISTRATOR": "platform", "TENANT": tenant.id}
    code, shown = typed(LOGIN, night, environment_offline(night) | own, house.lab.platform_password)
    assert code == 0, shown
    assert f"{tenant.id}/" in offline(LIST, night, own).split()
    assert offline(PASSWORD, night, own) == tenant.password + "\n"
