"""Tell the security team what a response to a leaked credential has done, and what needs a human eye.

Whoever is told twice, since the answer of SNS was lost, reads the same twice.
"""

from dataclasses import dataclass

from lambdas.adapters.lambda_handler import Run, action
from lambdas.adapters.notifications import Topic
from lambdas.domain.credential import check_tenant_id
from lambdas.domain.operation import Operation
from lambdas.domain.security_alert import Response, response_message


@dataclass(frozen=True)
class AlertSecurity:
    operation: Operation
    response: Response


@dataclass(frozen=True)
class SecurityAlerted:
    subject: str


@action(AlertSecurity)
def handler(request: AlertSecurity, run: Run) -> SecurityAlerted:
    check_tenant_id(request.response.tenant_id)
    settings = run.settings
    message = response_message(request.response, request.operation, settings["ESTATE_NAME"], settings.region)
    Topic(settings["SECURITY_TOPIC"]).publish(message)
    return SecurityAlerted(message.subject)
