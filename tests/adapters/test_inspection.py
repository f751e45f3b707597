"""What a deployed region answers when the status asks it."""

from collections.abc import Iterator

import pytest

from lambdas.adapters.aws import brief_calls
from lambdas.adapters.inspection import Inspection
from lambdas.domain.alarms import backup_alarm, restore_test_alarm
from lambdas.domain.status_facts import Alarm, RegionFacts
from tests.servers.aws import ACCOUNT, PRIMARY, aws, forget

pytestmark = pytest.mark.usefixtures("_clean", "_no_alarms")


@pytest.fixture
def _no_alarms() -> Iterator[None]:
    yield
    forget("cloudwatch")


def _facts() -> RegionFacts:
    with brief_calls():
        return Inspection(PRIMARY, ACCOUNT, "aws", []).facts()


# --- alarms -----------------------------------------------------------------------------------------------


def _make_alarm(name: str, state: str, *, speaks: bool = True) -> None:
    cloudwatch = aws("cloudwatch")
    cloudwatch.put_metric_alarm(
        AlarmName=name,
        ActionsEnabled=speaks,
        Namespace="Mailark",
        MetricName="BackupAgeSeconds",
        Statistic="Maximum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
    )
    cloudwatch.set_alarm_state(AlarmName=name, StateValue=state, StateReason="a test")


def test_each_alarm_is_told_with_its_state_and_whether_it_speaks() -> None:
    _make_alarm(backup_alarm("vault"), "ALARM")
    _make_alarm(restore_test_alarm("vault"), "OK", speaks=False)
    _make_alarm("mailark-undelivered-events", "INSUFFICIENT_DATA")
    _make_alarm("of-somebody-else", "ALARM")
    assert _facts().alarms == {
        "mailark-vault-backup-too-old": Alarm("ALARM", speaks=True),
        "mailark-vault-restore-test-too-old": Alarm("OK", speaks=False),
        "mailark-undelivered-events": Alarm("INSUFFICIENT_DATA", speaks=True),
    }
