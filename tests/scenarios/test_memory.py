"""Constant memory, whatever the size: a snapshot of 200 MB passes through each action under 256 MB resident."""

import base64
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.actions import an_operation, run_action
from lab.lab import Lab
from lab.processes import free_port
from lab.tenants import make_tenants
from lab.vault import VaultNode
from lambdas.adapters.catalog import Catalog
from tests.scenarios.house import House

pytestmark = pytest.mark.last

SNAPSHOT_BYTES = 200 * 1000 * 1000
PEAK_BYTES = 256 * 1000 * 1000

_SECRET_BYTES = 700_000


class Actions:
    """Runs actions, and keeps the most memory that each had."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self.peaks: dict[str, int] = {}

    def run(self, action: str, event: dict[str, Any]) -> Any:
        ran = run_action(self._lab, action, event)
        self.peaks[action] = ran.peak_bytes
        return ran.result


@pytest.fixture
def large_vault(house: House, tmp_path: Path) -> Iterator[VaultNode]:
    """A second Vault, holding more than 200 MB, that the deployed estate points to for a while."""
    lab = house.lab
    text = (lab.folder / "vault" / "server.hcl").read_text()
    node = VaultNode("large", free_port(), tmp_path, lab.authority, own_configuration=text[text.index("audit ") :])
    node.start(lab.configuration, lab.aws, lab.host_key, free_port(), lab.aws.endpoint)
    node.wait_until_serving()
    kv = lab.vault_client(node.address).secrets.kv.v2
    for number in range(SNAPSHOT_BYTES // _SECRET_BYTES + 20):
        value = base64.b64encode(os.urandom(_SECRET_BYTES // 4 * 3)).decode()
        kv.create_or_update_secret(f"large/{number}", {"value": value}, mount_point="api_keys")
    assert list(lab.platform(node.address).store(make_tenants(5)))
    estate = yaml.safe_load(lab.estate_file.read_text())
    estate["vault"] |= {"address": node.address, "nodes": [node.address]}
    _put_estate(house, yaml.safe_dump(estate))
    yield node
    _put_estate(house, lab.estate_file.read_text())
    node.stop()


def _put_estate(house: House, text: str) -> None:
    ssm = house.lab.client("ssm")
    ssm.put_parameter(Name="/mailark/estate", Value=text, Type="String", Overwrite=True)


def test_a_snapshot_of_200_mb_is_taken_proved_copied_and_restored_under_256_mb(
    house: House, large_vault: VaultNode
) -> None:
    actions = Actions(house.lab)
    with an_operation(house.lab, "vault_backup", "a large Vault") as operation:
        run = {"operation": operation}
        canary = actions.run("plant_canary", run)
        marks = actions.run("list_vault_secrets", run)["marks"]
        snapshot = actions.run("take_vault_snapshot", run | {"started_at": canary["started_at"]})
        named = {"backup_id": snapshot["backup_id"]}
        inventory = actions.run("read_vault_inventory", run | named | {"series": "daily", "marks": marks})
        keys = actions.run("wrap_keys", run | named | {"source": snapshot["source"]})["keys"]
        actions.run("write_manifest", run | snapshot | {"keys": keys, "contents": inventory["contents"]})
        actions.run("verify_backup", run | named)
        actions.run("copy_backup", run | named)
    with an_operation(house.lab, "vault_restore", "a large Vault") as operation:
        run = {"operation": operation}
        actions.run("restore_vault_snapshot", run | named)
        actions.run("verify_vault", run | named)

    with house.lab.as_root():  # as the newest, it would make the house take its own Vault for a replaced one
        for region in (house.lab.primary, house.lab.standby):
            Catalog(region, "mailark-catalog").delete(snapshot["backup_id"])
    assert snapshot["stored"]["plaintext_size"] > SNAPSHOT_BYTES
    assert {action: peak for action, peak in actions.peaks.items() if peak > PEAK_BYTES} == {}
    assert len(actions.peaks) == 10
    peaks = ", ".join(f"{action} {peak / 1e6:.0f}" for action, peak in actions.peaks.items())
    house.measured.append(f"peak resident memory in MB, with a snapshot of 200 MB: {peaks}")
    assert large_vault.health() == 200
