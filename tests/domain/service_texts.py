"""What each failure of the services says, word for word; `test_errors.py` holds it."""

from lambdas.domain.mailark_error import MailarkError
from lambdas.domain.service_errors import (
    ServiceControlRefused,
    ServiceControlUnreachable,
    ServicesBelongOnFresh,
    ServicesNotStarted,
    ServicesNotStopped,
    ServicesUnhealthy,
    ServiceUnknown,
)

SERVICE_TEXTS: list[tuple[MailarkError, str]] = [
    (
        ServiceControlUnreachable(control="supervisord at https://app.example.org:9443", problem="no connection"),
        "service-control-unreachable: The control of the services, supervisord at https://app.example.org:9443, does "
        "not answer (no connection).\n"
        "Next: Check that it runs, and that the estate names it, its CA and its network; then start this again.",
    ),
    (
        ServiceControlRefused(
            control="supervisord at https://app.example.org:9443",
            request="stopProcess api:api",
            problem="the user name or the password is wrong",
        ),
        "service-control-refused: The control of the services, supervisord at https://app.example.org:9443, refused "
        "stopProcess api:api: the user name or the password is wrong.\n"
        "Next: For supervisord, put its current user name and password into the secret that the estate names. For "
        "SSM, check the role of this function, and Docker Compose in the host's directory.",
    ),
    (
        ServiceUnknown(control="SSM on i-0123456789abcdef0", name="smtp", known="api, db, smtp-receiver"),
        "service-unknown: The control of the services, SSM on i-0123456789abcdef0, has no service smtp.\n"
        "Next: Correct the names of the services in the estate, and deploy it; known there: api, db, smtp-receiver.",
    ),
    (
        ServicesNotStopped(services="api (stopping), given 120 s"),
        "services-not-stopped: Not all services have stopped: api (stopping), given 120 s.\n"
        "Next: Stop them on their host, by force if need be; then start this again, it finds them stopped.",
    ),
    (
        ServicesNotStarted(services="api (failed: Exited too quickly), given 300 s"),
        "services-not-started: Not all services have started: api (failed: Exited too quickly), given 300 s.\n"
        "Next: Read their logs on their host, and correct what they name; then start this again.",
    ),
    (
        ServicesUnhealthy(seconds="300", problem="https://api.example.org/health answered 503"),
        "services-unhealthy: The services run, and do not prove that they work within 300 s: "
        "https://api.example.org/health answered 503.\n"
        "Next: Read their logs: they may lack a login, a right or a table. Then start this again.",
    ),
    (
        ServicesBelongOnFresh(operation="op-1", host="db-fresh.example.org"),
        "services-belong-on-fresh: The services were not started: op-1 has put a restored database in place on "
        "db-fresh.example.org, not here.\n"
        "Next: Point them and database.server of the estate to db-fresh.example.org, take database.fresh out of the "
        "estate, deploy, and start them. To give that database up instead, start services_start by hand: it runs them "
        "on the live server.",
    ),
]
"""Every failure of `service_errors.py`, in its order."""
