"""The alarms on what has not happened: what they watch, when they go off, and what they say at three in the morning."""

from typing import Any

import pytest
from aws_cdk import App, Environment
from aws_cdk import Stack as CdkStack
from aws_cdk.assertions import Template

from infra.alerts import Topics
from infra.dead_man import DeadMan
from infra.names import Names
from infra.schedule import SCHEDULES
from lambdas.adapters.metrics import BACKUP_AGE, TEST_AGE
from lambdas.domain.estate import parse_estate
from tests.domain.builders import DATABASE, ESTATE
from tests.infra.templates import ACCOUNT, APP_STACKS, ROOT, House, Stack

HOUR = 3600
AGES = (BACKUP_AGE, TEST_AGE)
DESCRIPTION_LIMIT = 1024
"""Amazon CloudWatch API reference, PutMetricAlarm."""

both = pytest.mark.parametrize("stack", APP_STACKS)


def _of_ages(stack: Stack) -> dict[str, dict[str, Any]]:
    alarms = stack.properties("AWS::CloudWatch::Alarm").values()
    return {alarm["AlarmName"]: alarm for alarm in alarms if alarm["MetricName"] in AGES}


def _alone(text: str, *, tested_here: bool) -> dict[str, dict[str, Any]]:
    """The dead man's alarms for an estate, built without the rest of the house."""
    estate, region = parse_estate(text), "eu-central-1"
    stack = CdkStack(App(), "Alone", env=Environment(account=ACCOUNT, region=region))
    topics = Topics(stack, estate, Names(region, {}))
    DeadMan(stack, topics, estate.other_region(region), kinds=estate.kinds, tested_here=tested_here)
    found = Template.from_stack(stack).find_resources("AWS::CloudWatch::Alarm").values()
    return {alarm["Properties"]["AlarmName"]: alarm["Properties"] for alarm in found}


def test_the_age_of_backups_is_watched_in_both_regions_and_of_tests_where_they_are_made(house: House) -> None:
    kinds = parse_estate((ROOT / "estate.yaml").read_text()).kinds
    backups = {f"mailark-{kind}-backup-too-old" for kind in kinds}
    tests = {f"mailark-{kind}-restore-test-too-old" for kind in kinds}
    assert set(_of_ages(house.stacks["MailarkPrimary"])) == backups | tests
    assert set(_of_ages(house.stacks["MailarkStandby"])) == backups


def test_a_database_is_watched_by_alarms_of_its_own_and_where_there_is_none_there_are_none() -> None:
    vault = {"mailark-vault-backup-too-old", "mailark-vault-restore-test-too-old"}
    database = {"mailark-database-backup-too-old", "mailark-database-restore-test-too-old"}
    assert set(_alone(ESTATE, tested_here=True)) == vault
    assert set(_alone(ESTATE + DATABASE, tested_here=True)) == vault | database
    assert set(_alone(ESTATE + DATABASE, tested_here=False)) == {
        "mailark-vault-backup-too-old",
        "mailark-database-backup-too-old",
    }


@pytest.mark.parametrize(("kind", "weeks", "words"), [("vault", 1, "a week"), ("database", 5, "5 weeks")])
def test_an_alarm_goes_off_over_25_hours_or_when_a_test_is_an_hour_overdue(kind: str, weeks: int, words: str) -> None:
    alarms = _alone(ESTATE + DATABASE, tested_here=True)
    limits = {
        f"mailark-{kind}-backup-too-old": (BACKUP_AGE, 25 * HOUR, f"No good {kind} backup for 25 h, or"),
        f"mailark-{kind}-restore-test-too-old": (
            TEST_AGE,
            weeks * 7 * 24 * HOUR + HOUR,
            f"No fresh {kind} backup has been restored as a test for {words}, or nobody measures it any more.",
        ),
    }
    for name, (metric, limit, said) in limits.items():
        alarm = alarms[name]
        assert (alarm["MetricName"], alarm["Threshold"]) == (metric, limit)
        assert (alarm["ComparisonOperator"], alarm["Statistic"]) == ("GreaterThanThreshold", "Maximum")
        assert alarm["Dimensions"] == [{"Name": "kind", "Value": kind}]
        assert alarm["AlarmDescription"].startswith(said)
        assert f"start mailark-{kind}-" in alarm["AlarmDescription"]


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
