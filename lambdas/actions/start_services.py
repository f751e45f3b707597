"""Start the services that use the database again; read back."""

from dataclasses import dataclass

from lambdas.adapters.database_target import services_of
from lambdas.adapters.estate_parameter import read_estate
from lambdas.adapters.lambda_handler import Run, action
from lambdas.adapters.leases import Leases
from lambdas.adapters.service_control import service_control
from lambdas.domain.operation import Operation


@dataclass(frozen=True)
class StartServices:
    operation: Operation


@dataclass(frozen=True)
class ServicesStarted:
    """The state of each service by its name."""

    states: dict[str, str]


@action(StartServices)
def handler(request: StartServices, run: Run) -> ServicesStarted:
    settings = run.settings
    services = services_of(read_estate(settings.region))
    control = service_control(settings.region, services)
    with Leases(settings.region, settings["LEASES_TABLE"]).guard(request.operation, run.seconds_left()):
        control.start(services.starting_order)
    return ServicesStarted(control.states(services.names))
