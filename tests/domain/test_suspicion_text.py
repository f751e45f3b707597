"""What security is asked: what was seen, why nobody has acted, and what to type if it is true."""

import json
import re

import pytest

from lambdas.domain.detection import Suspicion
from lambdas.domain.scenarios import SCENARIOS, parse_input
from lambdas.domain.suspicion_text import Why, alarm_description, question_message

TENANT = "550e8400-e29b-41d4-a716-446655440000"
SUSPICION = Suspicion(TENANT, "night_reads", "ask", "userpass-bob read the credential in Vault at night")


def test_an_alarm_says_the_signal_and_the_reason() -> None:
    assert alarm_description(SUSPICION) == "night_reads: userpass-bob read the credential in Vault at night"


def test_however_long_a_name_in_a_log_is_the_response_takes_the_reason() -> None:
    reason = alarm_description(Suspicion(TENANT, "night_reads", "ask", "x" * 2000))
    given = {"tenant_id": TENANT, "compromise_details": reason, "alarm": f"mailark-compromise/{TENANT}"}
    assert parse_input(SCENARIOS["credential_compromise"], given).reason == reason


def test_a_question_says_what_happened_and_what_to_do() -> None:
    message = question_message("example", "eu-central-1", SUSPICION, "estate")
    assert message.subject == f"[example] night_reads: tenant {TENANT}"
    for line in (
        "What happened:  userpass-bob read the credential in Vault at night.",
        "start mailark-credential-compromise with",
        f"On:             tenant {TENANT} of example, region eu-central-1",
    ):
        assert line in message.body


def test_what_a_question_says_to_type_is_json() -> None:
    message = question_message("example", "eu-central-1", SUSPICION, "estate")
    (given,) = re.findall(r"\{.*\}", message.body)
    assert json.loads(given) == {"tenant_id": TENANT, "compromise_details": alarm_description(SUSPICION)}


@pytest.mark.parametrize(
    ("why", "said"),
    [
        ("estate", "the estate says that a person decides"),
        ("breaker", "credentials.detection.automatic_an_hour"),
        ("unanswered", "no execution of mailark-credential-compromise has begun"),
    ],
)
def test_a_question_says_why_nobody_has_acted(why: Why, said: str) -> None:
    assert said in question_message("example", "eu-central-1", SUSPICION, why).body
