"""Alarms on demand: claimed by one, made and tripped, let go when a call fails, and removed with their claim."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lambdas.adapters.detection_windows import DetectionWindows
from lambdas.adapters.suspicion_alarms import HELD_BACK, Claim, SuspicionAlarms, alarm_name
from lambdas.domain.detection import Suspicion
from lambdas.domain.suspect import Suspect
from tests.servers.aws import PRIMARY, aws, forget, refused
from tests.servers.detection import TABLE, make_detection_table

TENANT, OTHER = "550e8400-e29b-41d4-a716-446655440000", "11111111-e29b-41d4-a716-446655440000"
SUSPICION = Suspicion(TENANT, "sending", "rotate", "501 messages sent")
NOW = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)
MANY = 1000

pytestmark = pytest.mark.usefixtures("_clean")


@pytest.fixture
def alarms() -> Iterator[SuspicionAlarms]:
    make_detection_table()
    yield SuspicionAlarms(PRIMARY, TABLE)
    forget("cloudwatch")


def _alarms() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = aws("cloudwatch").describe_alarms()["MetricAlarms"]
    return found


def _points() -> float:
    found = aws("cloudwatch").get_metric_statistics(
        Namespace="Mailark",
        MetricName="CompromiseSuspected",
        Dimensions=[{"Name": "tenant_id", "Value": TENANT}],
        StartTime=datetime.now(UTC) - timedelta(minutes=5),
        EndTime=datetime.now(UTC) + timedelta(minutes=5),
        Period=3600,
        Statistics=["Sum"],
    )
    return float(sum(point["Sum"] for point in found["Datapoints"]))


def _raised(alarms: SuspicionAlarms, now: datetime = NOW) -> Suspect:
    assert alarms.claim(SUSPICION, now, MANY) == "new"
    alarms.trip(SUSPICION, now, anew=False)
    (suspect,) = alarms.suspects()
    return suspect


def test_an_alarm_is_made_on_the_tenants_own_metric_and_tripped(alarms: SuspicionAlarms) -> None:
    suspect = _raised(alarms)
    (alarm,) = _alarms()
    assert alarm["AlarmName"] == alarm_name(TENANT) == f"mailark-compromise/{TENANT}"
    assert alarm["AlarmDescription"] == "sending: 501 messages sent"
    assert alarm["Dimensions"] == [{"Name": "tenant_id", "Value": TENANT}]
    assert (alarm["Statistic"], alarm["Period"], alarm["EvaluationPeriods"]) == ("Sum", 60, 5)
    assert (alarm["DatapointsToAlarm"], alarm["Threshold"]) == (1, 1)
    assert alarm["ComparisonOperator"] == "GreaterThanOrEqualToThreshold"
    assert alarm["TreatMissingData"] == "notBreaching"
    assert _points() == 1
    assert (suspect.state, suspect.attempts, suspect.raised_at) == ("raised", 1, NOW)
    assert suspect.suspicion == SUSPICION


def test_of_many_that_suspect_one_tenant_exactly_one_has_the_claim(alarms: SuspicionAlarms) -> None:
    del alarms
    found: list[Claim] = []

    def claim() -> None:
        found.append(SuspicionAlarms(PRIMARY, TABLE).claim(SUSPICION, NOW, MANY))

    threads = [threading.Thread(target=claim) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(found) == ["known"] * 4 + ["new"]


def test_the_breaker_lets_so_many_through_within_an_hour(alarms: SuspicionAlarms) -> None:
    tenants = [replace(SUSPICION, tenant_id=f"{n}{TENANT[1:]}") for n in range(3)]
    assert [alarms.claim(each, NOW, 2) for each in tenants] == ["new", "new", "too many"]
    assert alarms.claim(tenants[0], NOW, 2) == "known", "who has a claim keeps it"
    assert alarms.claim(tenants[2], NOW + timedelta(hours=2), 2) == "new"


def test_one_tenant_does_not_use_up_what_there_is_for_all(alarms: SuspicionAlarms) -> None:
    found = []
    for _ in range(4):
        found.append(alarms.claim(SUSPICION, NOW, 5))
        if found[-1] == "new":
            alarms.trip(SUSPICION, NOW, anew=False)
            alarms.end(next(alarms.suspects()), NOW)
    assert found == ["new", "new", "new", "too many"]
    assert alarms.claim(replace(SUSPICION, tenant_id=OTHER), NOW, 5) == "new"
    assert alarms.claim(SUSPICION, NOW + timedelta(hours=2), 5) == "new"


def test_a_breaker_of_none_lets_none_through(alarms: SuspicionAlarms) -> None:
    assert alarms.claim(SUSPICION, NOW, 0) == "too many"
    assert list(alarms.suspects()) == []


@pytest.mark.parametrize("operation", ["PutMetricAlarm", "PutMetricData"])
def test_a_claim_is_let_go_when_a_call_after_it_fails(operation: str, alarms: SuspicionAlarms) -> None:
    with refused(operation, "AccessDenied", 403):
        refusing = SuspicionAlarms(PRIMARY, TABLE)
        assert refusing.claim(SUSPICION, NOW, MANY) == "new"
        with pytest.raises(ClientError, match="AccessDenied"):
            refusing.trip(SUSPICION, NOW, anew=False)
    assert _alarms() == []
    assert [each.state for each in alarms.suspects()] == ["waiting"]
    assert alarms.claim(SUSPICION, NOW, 1) == "again", "and the breaker has counted it already"
    alarms.trip(SUSPICION, NOW, anew=True)
    assert [each.state for each in alarms.suspects()] == ["raised"]
    assert _points() == 1


def test_the_failure_is_told_even_when_what_is_left_cannot_be_removed(alarms: SuspicionAlarms) -> None:
    with refused("PutMetricData", "AccessDenied", 403), refused("DeleteAlarms", "Throttling", 400):
        refusing = SuspicionAlarms(PRIMARY, TABLE)
        refusing.claim(SUSPICION, NOW, MANY)
        with pytest.raises(ClientError, match="AccessDenied"):
            refusing.trip(SUSPICION, NOW, anew=False)
    assert [each.state for each in alarms.suspects()] == ["waiting"]
    assert alarms.claim(SUSPICION, NOW, MANY) == "again"
    alarms.trip(SUSPICION, NOW, anew=True)
    assert len(_alarms()) == 1


def test_a_claim_whose_function_has_died_is_taken_up_after_a_minute(alarms: SuspicionAlarms) -> None:
    alarms.claim(SUSPICION, NOW, MANY)
    assert alarms.claim(SUSPICION, NOW + timedelta(seconds=59), MANY) == "known"
    assert alarms.claim(SUSPICION, NOW + timedelta(seconds=60), MANY) == "again"
    assert alarms.claim(SUSPICION, NOW + timedelta(seconds=61), MANY) == "known"


def test_an_alarm_that_is_in_alarm_already_is_made_anew_and_so_goes_off_again(alarms: SuspicionAlarms) -> None:
    suspect = _raised(alarms)
    aws("cloudwatch").set_alarm_state(AlarmName=alarm_name(TENANT), StateValue="ALARM", StateReason="a test")
    assert alarms.take_unanswered(suspect, NOW)
    assert not alarms.take_unanswered(suspect, NOW), "another sweep has it"
    alarms.trip(SUSPICION, NOW, anew=True)
    (alarm,) = _alarms()
    assert alarm["StateValue"] != "ALARM"
    assert _points() == 2
    assert [each.attempts for each in alarms.suspects()] == [2]


def test_alarm_and_claim_are_removed_together_and_the_windows_begin_anew(alarms: SuspicionAlarms) -> None:
    suspect = _raised(alarms)
    alarms.end(suspect, NOW)
    assert (_alarms(), list(alarms.suspects())) == ([], [])
    assert DetectionWindows(PRIMARY, TABLE).tenant(TENANT).generation == 1
    alarms.end(suspect, NOW)
    assert DetectionWindows(PRIMARY, TABLE).tenant(TENANT).generation == 1
    assert alarms.claim(SUSPICION, NOW, MANY) == "new"


def test_a_claim_outlives_an_alarm_that_cannot_be_removed(alarms: SuspicionAlarms) -> None:
    suspect = _raised(alarms)
    with refused("DeleteAlarms", "Throttling", 400), pytest.raises(ClientError):
        SuspicionAlarms(PRIMARY, TABLE).end(suspect, NOW)
    assert list(alarms.suspects()) == [suspect]


def test_a_claim_that_has_changed_meanwhile_stays(alarms: SuspicionAlarms) -> None:
    suspect = _raised(alarms)
    alarms.take_unanswered(suspect, NOW)
    alarms.trip(SUSPICION, NOW + timedelta(minutes=6), anew=True)
    alarms.end(suspect, NOW)
    assert [each.raised_at for each in alarms.suspects()] == [NOW + timedelta(minutes=6)]


def test_an_answer_is_remembered_until_the_alarm_is_tripped_again(alarms: SuspicionAlarms) -> None:
    suspect = _raised(alarms)
    alarms.note_answer(TENANT)
    assert [each.answered for each in alarms.suspects()] == [True]
    alarms.take_unanswered(suspect, NOW)
    alarms.trip(SUSPICION, NOW, anew=True)
    assert [each.answered for each in alarms.suspects()] == [False]


def test_suspects_are_listed_oldest_first(alarms: SuspicionAlarms) -> None:
    alarms.claim(replace(SUSPICION, tenant_id=OTHER), NOW, MANY)
    alarms.claim(SUSPICION, NOW - timedelta(seconds=1), MANY)
    assert [each.tenant_id for each in alarms.suspects()] == [TENANT, OTHER]


def test_those_held_back_are_counted_without_a_dimension(alarms: SuspicionAlarms) -> None:
    alarms.tell_held_back(460)
    found = aws("cloudwatch").list_metrics(Namespace="Mailark", MetricName=HELD_BACK)["Metrics"]
    assert [each["Dimensions"] for each in found] == [[]]
