"""The alarms on what has not happened: what they watch, when they go off, and what they say at three in the morning."""

from typing import Any

import pytest

from infra.schedule import SCHEDULES
from lambdas.adapters.metrics import BACKUP_AGE, TEST_AGE
from lambdas.domain.ages import TEST_EVENTS
from tests.infra.templates import ACCOUNT, APP_STACKS, House, Stack

HOUR = 3600
DESCRIPTION_LIMIT = 1024
"""Amazon CloudWatch API reference, PutMetricAlarm."""

both = pytest.mark.parametrize("stack", APP_STACKS)


def _of_ages(stack: Stack) -> dict[str, dict[str, Any]]:
    alarms = stack.properties("AWS::CloudWatch::Alarm").values()
    return {alarm["AlarmName"]: alarm for alarm in alarms if alarm["Namespace"] == "Mailark"}


def test_the_age_of_backups_is_watched_in_both_regions_and_of_tests_where_they_are_made(house: House) -> None:
    backups = {f"mailark-{kind}-backup-too-old" for kind in TEST_EVENTS}
    tests = {f"mailark-{kind}-restore-test-too-old" for kind in TEST_EVENTS}
    assert set(_of_ages(house.stacks["MailarkPrimary"])) == backups | tests
    assert set(_of_ages(house.stacks["MailarkStandby"])) == backups


@both
def test_an_alarm_goes_off_over_25_hours_or_a_week_and_one_hour(house: House, stack: str) -> None:
    limits = {BACKUP_AGE: 25 * HOUR, TEST_AGE: 7 * 24 * HOUR + HOUR}
    for alarm in _of_ages(house.stacks[stack]).values():
        assert alarm["Threshold"] == limits[alarm["MetricName"]]
        assert (alarm["ComparisonOperator"], alarm["Statistic"]) == ("GreaterThanThreshold", "Maximum")
        assert alarm["Dimensions"] == [{"Name": "kind", "Value": "vault"}]


@both
def test_silence_goes_off_too_but_not_that_of_one_lost_hour(house: House, stack: str) -> None:
    """The window slides: after one lost run it still holds an age or two, after three it holds none."""
    assert SCHEDULES["backup_watch"].expression == "cron(10 * * * ? *)"
    for alarm in _of_ages(house.stacks[stack]).values():
        assert alarm["TreatMissingData"] == "breaching"
        assert (alarm["Period"], alarm["EvaluationPeriods"]) == (3 * HOUR, 1)


@both
def test_an_alarm_tells_operations_what_to_do(house: House, stack: str) -> None:
    template = house.stacks[stack]
    for name, alarm in _of_ages(template).items():
        said = alarm["AlarmDescription"]
        assert alarm["AlarmActions"] == [f"arn:aws:sns:{template.region}:{ACCOUNT}:mailark-operations"]
        assert len(said) < DESCRIPTION_LIMIT
        assert "First ask `python -m lambdas.status`." in said
        assert "mailark-backup-watch (hourly at minute 10) has not run for three hours" in said, name


def test_the_primarys_alarm_says_to_start_a_backup_and_the_standbys_where_to_look(house: House) -> None:
    primary, standby = (house.stacks[stack] for stack in APP_STACKS)
    said = _of_ages(primary)["mailark-vault-backup-too-old"]["AlarmDescription"]
    assert said.startswith("No good vault backup for 25 h, or nobody measures it any more.")
    assert "start mailark-vault-backup by hand" in said
    said = _of_ages(standby)["mailark-vault-backup-too-old"]["AlarmDescription"]
    assert f"look at mailark-vault-backup in {primary.region}; if that region is dead, enable the rule" in said
