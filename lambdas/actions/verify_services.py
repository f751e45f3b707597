"""Prove that the services work: their health, and what the estate asks of the database through their own role.

On a fresh server, to which nobody has pointed them yet, it is what the estate asks alone: they can get in, at least.
"""

from dataclasses import dataclass

from lambdas.adapters.database_proof import run_checks
from lambdas.adapters.database_target import Place, database_of, server_of, services_of
from lambdas.adapters.estate_parameter import read_estate
from lambdas.adapters.lambda_handler import Run, action
from lambdas.adapters.postgres import login_of
from lambdas.adapters.service_health import HEALTHY_SECONDS, prove_healthy
from lambdas.domain.operation import Operation

_MARGIN_SECONDS = 60


@dataclass(frozen=True)
class VerifyServices:
    operation: Operation
    place: Place = "live"


@dataclass(frozen=True)
class ServicesVerified:
    """The URLs that answered, and how many checks had the answer that the estate expects."""

    healthy: list[str]
    checks: int


@action(VerifyServices)
def handler(request: VerifyServices, run: Run) -> ServicesVerified:
    region, estate = run.settings.region, read_estate(run.settings.region)
    database, services = database_of(estate), services_of(estate)
    in_use = request.place == "live"
    if in_use:
        prove_healthy(services.health, services.ca, min(HEALTHY_SECONDS, run.seconds_left() - _MARGIN_SECONDS))
    login = login_of(region, server_of(database, request.place), database.name, database.service_secret)
    return ServicesVerified(services.health if in_use else [], run_checks(login, database.checks))
