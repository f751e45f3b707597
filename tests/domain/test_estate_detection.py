"""What an estate calls suspicious is read strictly, and nobody from outside can have it rotate at will."""

import pytest

from lambdas.domain.estate import parse_estate
from lambdas.domain.estate_detection import Detection
from tests.domain.builders import CREDENTIALS, ESTATE
from tests.domain.estates import HINT, refusal_of


def _detection(section: str = "") -> Detection:
    credentials = parse_estate(ESTATE + CREDENTIALS + section).credentials
    assert credentials is not None
    return credentials.detection


def test_an_estate_that_says_nothing_has_the_thresholds_of_the_platform() -> None:
    detection = _detection()
    assert (detection.failed_logins.more_than, detection.failed_logins.minutes) == (100, 10)
    assert detection.login_networks.more_than == 5
    assert (detection.sending.times_usual, detection.sending.at_least) == (3, 500)
    assert detection.credential_reads.more_than == 5
    assert (detection.account, detection.services) == ("admin", [])
    assert (detection.automatic_an_hour, detection.questions_an_hour) == (20, 20)


def test_what_only_whoever_has_a_password_can_do_rotates_unless_the_estate_says_otherwise() -> None:
    detection = _detection()
    assert (detection.login_networks.response, detection.sending.response) == ("rotate", "rotate")
    asked = (detection.failed_logins, detection.credential_reads, detection.night_reads)
    assert {each.response for each in (*asked, detection.reset_without_incident)} == {"ask"}


def test_each_signal_can_be_set() -> None:
    detection = _detection(
        "  detection:\n"
        "    services: [approle, e0308fa0-ce6f-1ba0-312d-9dc7db5043da]\n"
        "    account: postmaster\n"
        "    automatic_an_hour: 0\n"
        "    login_networks: { response: ask, more_than: 9 }\n"
        "    night_reads: { response: rotate }\n"
    )
    assert detection.services == ["approle", "e0308fa0-ce6f-1ba0-312d-9dc7db5043da"]
    assert (detection.account, detection.automatic_an_hour) == ("postmaster", 0)
    assert (detection.login_networks.response, detection.login_networks.more_than) == ("ask", 9)
    assert detection.night_reads.response == "rotate"


@pytest.mark.parametrize(
    ("section", "said"),
    [
        (
            "failed_logins: { response: rotate }",
            "failed_logins.response: expected ask: anybody on the internet can cause failed logins, and would cause "
            "rotations at will.",
        ),
        ("night_reads: { response: shout }", "night_reads.response: expected ask or rotate, got 'shout'."),
        ("sending: { times_usual: 1 }", "sending.times_usual: expected a number of at least 2, got 1."),
        ("failed_logins: { minutes: 61 }", "failed_logins.minutes: expected a number of at most 60, got 61."),
        ("login_networks: { more_than: 0 }", "login_networks.more_than: expected a number of at least 1, got 0."),
        ("automatic_an_hour: -1", "automatic_an_hour: expected a number of at least 0, got -1."),
        ("questions_an_hour: 0", "questions_an_hour: expected a number of at least 1, got 0."),
        ('account: ""', "account: expected at least 1 character, got none."),
    ],
)
def test_a_mistake_is_refused(section: str, said: str) -> None:
    text = ESTATE + CREDENTIALS + f"  detection: {{ {section} }}\n"
    assert refusal_of(text) == f"estate-invalid: estate.yaml, credentials.detection.{said}\n{HINT}"
