"""`stop_services`: nothing writes to the database any more, and that is read back."""

import contextlib
import functools
import socket
from collections.abc import Iterator

import pytest

from infra.permissions import ACTIONS
from lab.processes import LOOPBACK, free_port
from lab.services import LabServices
from lab.supervisor import Supervisor
from lambdas.adapters import service_control, ssm_services, supervisord
from lambdas.adapters.supervisord import Supervisord
from lambdas.domain.database_errors import DatabaseNotInEstate, ServicesNotInEstate
from lambdas.domain.errors import LeaseLost
from lambdas.domain.service_errors import (
    ServiceControlRefused,
    ServiceControlUnreachable,
    ServicesNotStopped,
    ServiceUnknown,
)
from tests.actions.database_house import NIGHT, Databases, change_services, control_of, put_secret
from tests.actions.house import House
from tests.servers.aws import aws
from tests.servers.supervisor import deaf, steady

NAMES = ["smtp-receiver", "api"]


def _stop(house: House) -> dict[str, str]:
    stopped = house.run("stop_services", {"operation": house.operation("database_corruption", started_at=NIGHT)})
    states: dict[str, str] = stopped["states"]
    return states


def _is_open(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((LOOPBACK, port), timeout=1):
        return True
    return False


def test_the_services_stop_and_stay_stopped_however_often_this_runs(house: House, services: LabServices) -> None:
    for _ in range(2):
        assert _stop(house) == {"smtp-receiver": "stopped", "api": "stopped"}
        assert (_is_open(services.smtp_port), _is_open(services.api_port)) == (False, False)


# --- services that do not stop ----------------------------------------------------------------------------


def _check_running(services: LabServices) -> None:
    assert control_of(services).states(NAMES) == dict.fromkeys(NAMES, "running")


@pytest.fixture
def stubborn(
    house: House, database: Databases, services: LabServices, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Supervisor]:
    """Another supervisord in the estate, one of whose services does not stop when it is told to."""
    programs = {"api": steady(), "deaf": deaf(stopwaitsecs=600)}
    folder = tmp_path_factory.mktemp("stubborn")
    with Supervisor(folder, database.live.authority, programs, {"PATH": "/usr/bin:/bin"}).started() as supervisor:
        secret = f'{{"username": "{supervisor.username}", "password": "{supervisor.password}"}}'
        arn = put_secret("stubborn", secret)
        change_services(house, address=supervisor.address, secret=arn, names=["api", "deaf"])
        yield supervisor


def test_a_service_that_does_not_stop_is_named(
    house: House, stubborn: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service_control, "Supervisord", functools.partial(Supervisord, stop_seconds=1.0))
    with pytest.raises(ServicesNotStopped, match=r"Not all services have stopped: .*deaf"):
        _stop(house)
    house.take_over(house.operation("database_corruption"))


def test_a_name_that_is_not_known_is_told_before_anything_stops(house: House, services: LabServices) -> None:
    change_services(house, names=["api", "mailer"])
    with pytest.raises(ServiceUnknown, match="has no service mailer"):
        _stop(house)
    _check_running(services)


def test_a_control_that_does_not_answer_is_named(house: House, services: LabServices) -> None:
    change_services(house, address=f"https://{LOOPBACK}:{free_port()}")
    with pytest.raises(ServiceControlUnreachable, match="service-control-unreachable"):
        _stop(house)
    _check_running(services)


@pytest.mark.parametrize("text", ['{"username": "mailark", "password": "another"}', "no JSON", '{"user": "mailark"}'])
def test_a_login_that_is_wrong_is_told_without_its_text(text: str, house: House, services: LabServices) -> None:
    assert house.database is not None
    assert house.database.services is not None
    house.secrets |= {"another", text}
    aws("secretsmanager").put_secret_value(SecretId=house.database.services.secret, SecretString=text)
    with pytest.raises(ServiceControlRefused, match="service-control-refused"):
        _stop(house)
    _check_running(services)


def test_an_operation_that_was_taken_over_stops_nothing(house: House, services: LabServices) -> None:
    operation = house.operation("database_corruption", started_at=NIGHT)
    house.take_over(operation)
    with pytest.raises(LeaseLost, match=r"lease-lost: .*database: another has taken it over"):
        house.run("stop_services", {"operation": operation})
    _check_running(services)


def test_an_estate_without_services_or_a_database_has_none_to_stop(house: House, database: Databases) -> None:
    with pytest.raises(ServicesNotInEstate, match="services-not-in-estate"):
        _stop(house)
    house.database = None
    house.put_estate()
    with pytest.raises(DatabaseNotInEstate, match="database-not-in-estate"):
        _stop(house)


def test_the_function_lives_as_long_as_it_may_wait_for_five_services() -> None:
    """By SSM it also waits for the host to take the command, and to read the state of each service."""
    assert ACTIONS["stop_services"].seconds > ssm_services.STOP_SECONDS + 280
    assert ACTIONS["stop_services"].seconds > supervisord.STOP_SECONDS + 60
