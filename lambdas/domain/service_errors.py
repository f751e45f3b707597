"""What can go wrong with the services that use a database, and with what stops and starts them."""

from lambdas.domain.mailark_error import MailarkError


class ServiceControlUnreachable(MailarkError):
    code = "service-control-unreachable"
    sentence = "The control of the services, {control}, does not answer ({problem})."
    hint = "Check that it runs, and that the estate names it, its CA and its network; then start this again."
    transient = True


class ServiceControlRefused(MailarkError):
    code = "service-control-refused"
    sentence = "The control of the services, {control}, refused {request}: {problem}."
    hint = (
        "For supervisord, put its current user name and password into the secret that the estate names. "
        "For SSM, check the role of this function, and Docker Compose in the host's directory."
    )


class ServiceUnknown(MailarkError):
    code = "service-unknown"
    sentence = "The control of the services, {control}, has no service {name}."
    hint = "Correct the names of the services in the estate, and deploy it; known there: {known}."


class ServicesNotStopped(MailarkError):
    code = "services-not-stopped"
    sentence = "Not all services have stopped: {services}."
    hint = "Stop them on their host, by force if need be; then start this again, it finds them stopped."


class ServicesNotStarted(MailarkError):
    code = "services-not-started"
    sentence = "Not all services have started: {services}."
    hint = "Read their logs on their host, and correct what they name; then start this again."


class ServicesUnhealthy(MailarkError):
    code = "services-unhealthy"
    sentence = "The services run, and do not prove that they work within {seconds} s: {problem}."
    hint = "Read their logs: they may lack a login, a right or a table. Then start this again."


class ServicesBelongOnFresh(MailarkError):
    code = "services-belong-on-fresh"
    sentence = "The services were not started: {operation} has put a restored database in place on {host}, not here."
    hint = (
        "Point them and database.server of the estate to {host}, take database.fresh out of the estate, deploy, and "
        "start them. To give that database up instead, start services_start by hand: it runs them on the live server."
    )
