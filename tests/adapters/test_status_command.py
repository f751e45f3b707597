"""`python -m lambdas.status` asks both Vaults of the estate. All else of it is tried on the deployed house."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from lambdas.adapters.estate_parameter import PARAMETER
from lambdas.status import main
from tests.domain.builders import ESTATE
from tests.servers.aws import PRIMARY, STANDBY, aws
from tests.servers.vault import Vaults, VaultServer

pytestmark = pytest.mark.usefixtures("_clean")


def _deploy(vaults: Vaults, live: VaultServer, staging: VaultServer) -> None:
    estate = yaml.safe_load(ESTATE)
    estate["vault"] |= {
        "address": live.address,
        "ca": vaults.authority.pem,
        "staging": {"address": staging.address},
    }
    for region in (PRIMARY, STANDBY):
        aws("ssm", region).put_parameter(Name=PARAMETER, Value=yaml.safe_dump(estate), Type="String", Tier="Advanced")


@pytest.fixture
def checks(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Any:
    """Ask; the verdict and the sentence of the check of each Vault."""

    def ask() -> dict[str, tuple[str, str]]:
        main(["--json", "--region", PRIMARY, "--estate", str(tmp_path / "none.yaml")])
        found = json.loads(capsys.readouterr().out)["checks"]
        return {each["name"]: (each["verdict"], each["said"]) for each in found if "vault" in each["name"]}

    return ask


def test_a_staging_vault_that_is_dead_is_found_before_a_restore_is_tested(
    vaults: Vaults, vault: VaultServer, checks: Any
) -> None:
    dead = vaults.prepare()
    _deploy(vaults, vault, dead)
    found = checks()
    assert found["vault"] == ("good", f"Vault is unsealed, and {vault.address} leads.")
    verdict, said = found["staging-vault"]
    assert verdict == "not good"
    assert said.startswith(
        f"The staging Vault was not reached from this machine: Vault at {dead.address} does not answer"
    )


def test_a_dead_live_vault_is_not_taken_for_the_staging_one(vaults: Vaults, vault: VaultServer, checks: Any) -> None:
    _deploy(vaults, vaults.prepare(), vault)
    found = checks()
    assert found["staging-vault"] == ("good", f"The staging Vault is unsealed, and {vault.address} leads.")
    assert found["vault"][0] == "not good"
