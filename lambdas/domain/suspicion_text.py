"""What people read of a suspicion: the description of its alarm, and the question that security is asked."""

import json
from typing import Literal

from lambdas.domain.alert import Message, plain_subject
from lambdas.domain.detection import Suspicion
from lambdas.domain.operation import machine_name
from lambdas.domain.scenario_inputs import REASON_LIMIT

Why = Literal["estate", "breaker", "unanswered"]
"""Why nobody rotates by itself: the estate says ask, too many were rotated in this hour, or no response has begun."""

RESPONSE = machine_name("credential_compromise")
_WHY = {
    "estate": "Nothing was done by itself: the estate says that a person decides about this.",
    "breaker": (
        "Nothing was done by itself: as many credentials as the estate allows were rotated within an hour "
        "(credentials.detection.automatic_an_hour)."
    ),
    "unanswered": f"It should have been answered by itself, but no execution of {RESPONSE} has begun for it.",
}


def alarm_description(suspicion: Suspicion) -> str:
    """The reason of an alarm, which becomes the reason of the response: no longer than one may be.

    CloudWatch would take 1,024 characters (API reference, PutMetricAlarm).
    """
    return f"{suspicion.signal}: {suspicion.said}"[:REASON_LIMIT]


def question_message(estate: str, region: str, suspicion: Suspicion, why: Why) -> Message:
    """The question whether a tenant's credential has leaked."""
    given = json.dumps({"tenant_id": suspicion.tenant_id, "compromise_details": alarm_description(suspicion)})
    body = f"""The credential of a tenant may have leaked.

What happened:  {suspicion.said}.
What to do now: Ask whoever it was. If nobody can explain it, start {RESPONSE} with
                {given}
                It rotates the credential while clients go on working.
                {_WHY[why]}

On:             tenant {suspicion.tenant_id} of {estate}, region {region}
Signal:         {suspicion.signal}
"""
    return Message(plain_subject(f"[{estate}] {suspicion.signal}: tenant {suspicion.tenant_id}"), body)
