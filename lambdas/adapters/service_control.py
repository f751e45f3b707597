"""The services that use a database, stopped and started by whatever the estate says controls them."""

import json
from collections.abc import Sequence
from typing import Protocol

from lambdas.adapters.aws import client
from lambdas.adapters.ssm_services import SsmServices
from lambdas.adapters.supervisord import Supervisord
from lambdas.domain.estate_database import secret_in
from lambdas.domain.estate_services import Services
from lambdas.domain.service_errors import ServiceControlRefused


class ServiceControl(Protocol):
    """Stops and starts services by their names; each call may be made twice, and believes what it reads back alone.

    Raises `ServiceControlUnreachable`, `ServiceControlRefused` and `ServiceUnknown`; the last before anything is done.
    """

    def stop(self, names: Sequence[str]) -> None:
        """Stop one after the other, and wait until none runs any more. Raises `ServicesNotStopped`."""

    def start(self, names: Sequence[str]) -> None:
        """Start one after the other, and wait until all run. Raises `ServicesNotStarted`."""

    def states(self, names: Sequence[str]) -> dict[str, str]:
        """The state of each in the words of `lambdas.domain.service_states`, such as `running`."""


def service_control(region: str, services: Services) -> ServiceControl:
    """The control that the estate names, logged in by its secret in this region.

    Raises `ServiceControlRefused` when the secret does not hold what it must.
    """
    if services.control == "ssm":
        return SsmServices(region, services.instance_id, services.directory)
    assert services.secret is not None  # the estate is refused without it
    answer = client("secretsmanager", region).get_secret_value(SecretId=secret_in(region, services.secret))
    try:
        held = json.loads(answer["SecretString"])
        username, password = str(held["username"]), str(held["password"])
    except (KeyError, TypeError, ValueError):  # its text may quote the secret
        problem = "its secret is not JSON with username and password"
        raise ServiceControlRefused(control=services.address, request="the login", problem=problem) from None
    return Supervisord(services.address, username, password, services.ca)
