"""Stop the services that use the database, so that nothing is written while it is exchanged; read back."""

from dataclasses import dataclass

from lambdas.adapters.database_target import services_of
from lambdas.adapters.estate_parameter import read_estate
from lambdas.adapters.lambda_handler import Run, action
from lambdas.adapters.leases import Leases
from lambdas.adapters.service_control import service_control
from lambdas.domain.operation import Operation


@dataclass(frozen=True)
class StopServices:
    operation: Operation


@dataclass(frozen=True)
class ServicesStopped:
    """The state of each service by its name."""

    states: dict[str, str]


@action(StopServices)
def handler(request: StopServices, run: Run) -> ServicesStopped:
    settings = run.settings
    services = services_of(read_estate(settings.region))
    control = service_control(settings.region, services)
    with Leases(settings.region, settings["LEASES_TABLE"]).guard(request.operation, run.seconds_left()):
        control.stop(services.names)
    return ServicesStopped(control.states(services.names))
