"""One lab for all scenario tests: the real template deployed once, with IAM enforced."""

import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.aws import ROOT
from lab.lab import Lab
from lab.tenants import Tenant, make_tenants
from tests.scenarios.commands import check_out
from tests.scenarios.house import House, backup_of
from tests.scenarios.leaks import Leak, leak

TENANTS = 40


@pytest.fixture(scope="session")
def house(measured: list[str]) -> Iterator[House]:
    """The deployed house, and the eyes on it."""
    with Lab.started(progress=lambda _: None) as lab:
        found = House(lab, measured)
        found.listen()
        yield found


@pytest.fixture(scope="session")
def tenants(house: House) -> list[Tenant]:
    """Tenants whose credentials the platform has stored."""
    made = make_tenants(TENANTS, seed=secrets.randbits(32))
    assert len(list(house.lab.platform().store(made))) == TENANTS
    return made


@pytest.fixture(scope="session")
def backup_id(house: House, tenants: list[Tenant]) -> str:
    """A backup that holds all tenants."""
    return backup_of(house, house.run_well("vault_backup", {"reason": "a backup for the tests"}))


@pytest.fixture(scope="session")
def dump_id(house: House) -> str:
    """A dump of the database as it is."""
    return backup_of(house, house.run_well("database_backup", {"reason": "a dump for the tests"}))


@pytest.fixture
def leaked(house: House) -> Iterator[Leak]:
    """A tenant whose credential has leaked."""
    with leak(house) as found:
        yield found


@pytest.fixture
def checkout(house: House, tmp_path: Path) -> Path:
    """A checkout with the estate of this lab, as its owner has it."""
    check_out(tmp_path)
    shutil.copy(house.lab.estate_file, tmp_path / "estate.yaml")
    (tmp_path / ".venv").symlink_to(ROOT / ".venv")
    return tmp_path
