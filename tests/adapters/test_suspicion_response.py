"""Five hundred tenants that are suspected at once: each gets its alarm, and security hears of them together."""

import copy
from collections.abc import Iterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from moto.dynamodb.models.table import Table

from lambdas.adapters.settings import Settings
from lambdas.adapters.suspicion_response import SuspicionResponse
from lambdas.domain.detection import Suspicion
from lambdas.domain.estate_detection import Detection
from tests.servers.aws import PRIMARY, aws, forget, refused
from tests.servers.detection import TABLE, Full, make_detection_table

TENANTS = [f"{number:08x}-e29b-41d4-a716-446655440000" for number in range(500)]
NOW = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)

pytestmark = pytest.mark.usefixtures("_clean")


@pytest.fixture
def settings() -> Iterator[Settings]:
    make_detection_table()
    topic = aws("sns").create_topic(Name="mailark-security")["TopicArn"]
    values = {"DETECTION_TABLE": TABLE, "SECURITY_TOPIC": topic, "ESTATE_NAME": "example"}
    yield Settings(PRIMARY, values)
    forget("cloudwatch")


def _alarms() -> set[str]:
    pages = aws("cloudwatch").get_paginator("describe_alarms").paginate()
    return {alarm["AlarmName"].rpartition("/")[2] for page in pages for alarm in page["MetricAlarms"]}


@pytest.fixture
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """moto copies the whole table for each part of a transaction, to go back to where one is refused; here none is."""

    def copied(value: Any, *rest: Any) -> Any:
        return value if isinstance(value, Table) else copy.deepcopy(value, *rest)

    monkeypatch.setattr("moto.dynamodb.models.copy", SimpleNamespace(copy=copy.copy, deepcopy=copied))


@pytest.mark.usefixtures("_quick")
def test_five_hundred_at_once_are_not_lost_and_nobody_asks_where_nothing_is_taken_any_more(settings: Settings) -> None:
    suspicions = [Suspicion(tenant, "sending", "rotate", "501 messages sent") for tenant in TENANTS]
    full = Full(20)
    with refused(full, "Throttling", 400):
        response = SuspicionResponse(settings, Detection(automatic_an_hour=1000))
        outcomes = [response.answer(each, NOW) for each in suspicions]
    assert outcomes == ["raised"] * 20 + ["held back"] * 480
    assert (len(_alarms()), full.asked) == (20, 21)
    waiting = [suspect for suspect in response.alarms.suspects() if suspect.state == "waiting"]
    assert len(waiting) == 480
    later = SuspicionResponse(settings, Detection(automatic_an_hour=1000))
    for suspect in waiting:
        assert later.alarms.take(suspect.tenant_id, NOW)
        assert later.trip(suspect.suspicion, NOW, anew=True) == "raised"
    assert _alarms() == set(TENANTS)
    assert {suspect.state for suspect in later.alarms.suspects()} == {"raised"}
