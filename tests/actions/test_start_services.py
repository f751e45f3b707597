"""`start_services`: all services run again, and that is read back."""

from collections.abc import Iterator

import pytest
import requests

from infra.permissions import ACTIONS
from lab.services import LabServices
from lab.supervisor import Supervisor
from lambdas.adapters import ssm_services, supervisord
from lambdas.adapters.supervisord import Supervisord
from lambdas.domain.database_errors import ServicesNotInEstate
from lambdas.domain.errors import LeaseLost
from lambdas.domain.service_errors import ServicesNotStarted, ServiceUnknown
from tests.actions.database_house import NIGHT, Databases, change_services, control_of, put_secret
from tests.actions.house import House
from tests.servers.supervisor import broken, steady
from tests.servers.vault import until

NAMES = ["smtp-receiver", "api"]


def _start(house: House) -> dict[str, str]:
    started = house.run("start_services", {"operation": house.operation("database_corruption", started_at=NIGHT)})
    states: dict[str, str] = started["states"]
    return states


@pytest.fixture
def stopped(services: LabServices) -> LabServices:
    control_of(services).stop(NAMES)
    return services


def test_the_services_run_and_work_and_starting_what_runs_leaves_it_alone(house: House, stopped: LabServices) -> None:
    assert _start(house) == {"smtp-receiver": "running", "api": "running"}
    (url,) = stopped.health_urls
    until(lambda: _status(url) == 200, "the health of the service")
    before = _begun(stopped)
    assert _start(house) == {"smtp-receiver": "running", "api": "running"}
    assert _begun(stopped) == before


def _status(url: str) -> int:
    try:
        return requests.get(url, timeout=5).status_code
    except requests.ConnectionError:
        return 0


def _begun(services: LabServices) -> int:
    """How often supervisord has started a program."""
    return (services.folder / "main.log").read_text().count("spawned: ")


# --- services that do not start ---------------------------------------------------------------------------


@pytest.fixture
def failing(
    house: House, database: Databases, services: LabServices, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Supervisor]:
    """Another supervisord in the estate, one of whose services exits at once."""
    programs = {"api": steady(), "broken": broken()}
    folder = tmp_path_factory.mktemp("failing")
    with Supervisor(folder, database.live.authority, programs, {"PATH": "/usr/bin:/bin"}).started() as supervisor:
        arn = put_secret("failing", f'{{"username": "{supervisor.username}", "password": "{supervisor.password}"}}')
        change_services(house, address=supervisor.address, secret=arn, names=["broken", "api"])
        yield supervisor


def test_a_service_that_does_not_start_is_named_and_the_others_run(
    house: House, database: Databases, failing: Supervisor
) -> None:
    control = Supervisord(failing.address, failing.username, failing.password, database.live.authority.pem)
    control.stop(["api"])
    with pytest.raises(ServicesNotStarted, match=r"Not all services have started: .*broken"):
        _start(house)
    assert control.states(["api"]) == {"api": "running"}


def test_a_name_that_is_not_known_is_told_before_anything_starts(house: House, stopped: LabServices) -> None:
    change_services(house, names=["mailer", "api"])
    with pytest.raises(ServiceUnknown, match="has no service mailer"):
        _start(house)
    assert control_of(stopped).states(["api"]) == {"api": "stopped"}


def test_an_operation_that_was_taken_over_starts_nothing(house: House, stopped: LabServices) -> None:
    operation = house.operation("database_corruption", started_at=NIGHT)
    house.take_over(operation)
    with pytest.raises(LeaseLost, match=r"lease-lost: .*database: another has taken it over"):
        house.run("start_services", {"operation": operation})
    assert control_of(stopped).states(NAMES) == dict.fromkeys(NAMES, "stopped")


def test_an_estate_without_services_has_none_to_start(house: House, database: Databases) -> None:
    with pytest.raises(ServicesNotInEstate, match="services-not-in-estate"):
        _start(house)


def test_the_function_lives_as_long_as_it_may_wait_for_five_services() -> None:
    """By SSM it also waits for the host to take the command, and to read the state of each service."""
    assert ACTIONS["start_services"].seconds > ssm_services.START_SECONDS + 280
    assert ACTIONS["start_services"].seconds > supervisord.START_SECONDS + 60
