"""`sweep_suspects`: nobody who is suspected is forgotten, and what was answered is removed."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lambdas.domain.detection import Suspicion
from lambdas.domain.errors import Unexpected
from lambdas.domain.suspect import tenant_lease
from tests.actions.detection_house import TENANT, DetectionHouse, detection_house, from_networks, tenant
from tests.actions.house import House, execution_arn
from tests.servers.aws import aws, refused

NOTHING = {"tripped": 0, "ended": 0, "given_up": 0, "waiting": 0}
MINUTE = timedelta(minutes=1)
RESPONSE = execution_arn("credential_compromise")


@pytest.fixture
def detecting(house: House) -> Iterator[DetectionHouse]:
    with detection_house(house) as found:
        yield found


def _raise(detecting: DetectionHouse, tenant_id: str, before: timedelta = timedelta(0)) -> None:
    """Let a tenant have been suspected a while ago."""
    suspicion, then = Suspicion(tenant_id, "sending", "rotate", "501 messages sent"), datetime.now(UTC) - before
    assert detecting.alarms.claim(suspicion, then, 1000) == "new"
    detecting.alarms.trip(suspicion, then, anew=False)


def _respond(detecting: DetectionHouse, tenant_id: str) -> None:
    """Let a response have begun and ended."""
    detecting.house.leases().take(tenant_lease(tenant_id), RESPONSE, lambda _: True)
    detecting.house.leases().release(tenant_lease(tenant_id), RESPONSE)


def test_where_nobody_is_suspected_there_is_nothing_to_do(detecting: DetectionHouse) -> None:
    assert detecting.sweep() == NOTHING


def test_what_was_answered_is_removed_and_the_tenant_is_watched_anew(detecting: DetectionHouse) -> None:
    detecting.mailu(TENANT, *from_networks(6))
    _respond(detecting, TENANT)
    assert detecting.sweep() == NOTHING | {"ended": 1}
    assert (detecting.alarmed(), detecting.suspects()) == ([], [])
    assert detecting.sweep() == NOTHING
    assert detecting.mailu(TENANT, *from_networks(5))["raised"] == 0, "else each login after it would rotate again"
    assert detecting.mailu(TENANT, *from_networks(6))["raised"] == 1


def test_a_response_at_work_is_left_alone_and_remembered(detecting: DetectionHouse) -> None:
    _raise(detecting, TENANT, 10 * MINUTE)
    detecting.house.leases().take(tenant_lease(TENANT), RESPONSE, lambda _: True)
    for _ in range(2):
        assert detecting.sweep() == NOTHING
    assert [suspect.answered for suspect in detecting.suspects()] == [True]
    detecting.house.leases().release(tenant_lease(TENANT), RESPONSE)
    assert detecting.sweep() == NOTHING | {"ended": 1}


def test_an_alarm_that_nobody_has_answered_is_tripped_again(detecting: DetectionHouse) -> None:
    _raise(detecting, TENANT, 7 * MINUTE)
    _raise(detecting, tenant(1), 5 * MINUTE)
    name = f"mailark-compromise/{TENANT}"
    aws("cloudwatch").set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="a test")
    assert detecting.sweep() == NOTHING | {"tripped": 1}
    (alarm,) = aws("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"]
    assert alarm["StateValue"] != "ALARM", "it is a new one, which can go off"
    assert detecting.sweep() == NOTHING, "and it has its time to be answered"


def test_an_alarm_that_is_never_answered_is_given_over_to_a_person(detecting: DetectionHouse) -> None:
    _raise(detecting, TENANT, 30 * MINUTE)
    for minutes in (20, 10):
        (suspect,) = detecting.suspects()
        then = datetime.now(UTC) - minutes * MINUTE
        assert detecting.alarms.take_unanswered(suspect, then)
        detecting.alarms.trip(suspect.suspicion, then, anew=True)
    assert detecting.sweep() == NOTHING | {"given_up": 1}
    ((subject, body),) = detecting.asked()
    assert subject == f"[example] sending: tenant {TENANT}"
    assert "no execution of mailark-credential-compromise has begun" in body
    assert (detecting.alarmed(), detecting.suspects()) == ([], [])


def test_a_claim_whose_function_has_died_gets_its_alarm(detecting: DetectionHouse) -> None:
    suspicion = Suspicion(TENANT, "sending", "rotate", "501 messages sent")
    detecting.alarms.claim(suspicion, datetime.now(UTC) - 2 * MINUTE, 1000)
    assert detecting.sweep() == NOTHING | {"tripped": 1}
    assert detecting.alarmed() == [TENANT]


def test_when_cloudwatch_takes_no_more_the_rest_waits_and_is_told_together(detecting: DetectionHouse) -> None:
    for number in range(3):
        _raise(detecting, tenant(number), 7 * MINUTE)
    with refused("PutMetricAlarm", "Throttling", 400) as refusal:
        assert detecting.sweep() == NOTHING | {"waiting": 3}
    assert refusal.met == 1
    assert detecting.held_back() == 3
    assert detecting.sweep() == NOTHING | {"tripped": 3}


def test_a_sweep_ends_before_its_time_is_over(detecting: DetectionHouse) -> None:
    _raise(detecting, TENANT, 7 * MINUTE)
    assert detecting.sweep(seconds=14) == NOTHING | {"waiting": 1}
    assert detecting.sweep() == NOTHING | {"tripped": 1}


def test_one_that_fails_does_not_hold_up_the_others(detecting: DetectionHouse) -> None:
    for number in range(2):
        _raise(detecting, tenant(number))
        _respond(detecting, tenant(number))

    def of_the_first(request: Any) -> bool:
        return "DeleteAlarms" in str(request.headers.get("X-Amz-Target")) and tenant(0) in str(request.body)

    with refused(of_the_first, "No", 403), pytest.raises(Unexpected, match="No from DeleteAlarms"):
        detecting.sweep()
    assert detecting.alarmed() == [tenant(0)]
    assert detecting.sweep() == NOTHING | {"ended": 1}
