"""One lab for all scenario tests: the real template deployed once, with IAM enforced."""

import secrets
from collections.abc import Iterator

import pytest
from rich.console import Console

from lab.lab import Lab
from lab.tenants import Tenant, make_tenants
from lab.timeline_table import timeline
from tests.scenarios.house import House, backup_of

TENANTS = 40
_HOUSE = pytest.StashKey[House]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What looks back on all runs comes last."""
    items.sort(key=lambda item: item.get_closest_marker("last") is not None)


@pytest.fixture(scope="session")
def house(pytestconfig: pytest.Config) -> Iterator[House]:
    """The deployed house, with tenants in its Vault and one good backup of them."""
    with Lab.started(progress=lambda _: None) as lab:
        found = House(lab)
        pytestconfig.stash[_HOUSE] = found
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
    assert tenants
    return backup_of(house, house.run_well("vault_backup", {"reason": "a backup for the tests"}))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the timeline of every run that succeeded."""
    house = config.stash.get(_HOUSE, None)
    if house is None:
        return
    terminalreporter.section("timelines")
    console = Console(width=100)
    for title, measured in house.notes:
        console.print(f"{title}: " + ", ".join(f"{name} {value}" for name, value in measured.items()))
    for scenario, finished in house.timelines:
        if finished.output and "steps" in finished.output:
            console.print(timeline(f"{scenario} in {finished.arn.split(':')[3]}", finished.output))
