"""From a line in a log to a running response, as AWS is told to make it: on an app of its own."""

from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, Environment, Stack
from aws_cdk import aws_lambda as lambda_
from aws_cdk.assertions import Template

from infra.action import Action, Workplace
from infra.alerts import Topics, UndeliveredEvents
from infra.code import Platform
from infra.detection import Detection, WatchedLogs
from infra.detection_permissions import DETECTION_ACTIONS
from infra.nag import check_best_practices
from infra.names import Names
from infra.permissions import ACTIONS
from infra.scenario import Machine, definition
from infra.uses import Region
from lambdas.domain.estate import parse_estate
from lambdas.domain.suspect import MANY_SUSPECTS_ALARM
from tests.domain.builders import ESTATE
from tests.infra.asl import Machine as Asl
from tests.infra.templates import ACCOUNT

_REGION = "eu-central-1"
_RESPONSE = "audit_signing"
"""Any machine will do."""


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    """The detection alone; it has no finding of cdk-nag."""
    app = App(outdir=str(tmp_path_factory.mktemp("out")))
    stack = Stack(app, "Alone", env=Environment(account=ACCOUNT, region=_REGION))
    names = Names(_REGION, {"evidence": "e"})
    workplace = _workplace(stack, tmp_path_factory.mktemp("layer"))
    needed = {task.action for task in Asl.read(definition(_RESPONSE)).invoking()}
    specs = DETECTION_ACTIONS | {name: ACTIONS[name] for name in needed}
    actions = {name: Action(stack, name, spec, Region(names, names), workplace) for name, spec in specs.items()}
    topics = Topics(stack, parse_estate(ESTATE), names)
    Detection(
        stack,
        actions["detect_compromise"],
        actions["sweep_suspects"],
        Machine(stack, _RESPONSE, actions, names),
        topics,
        UndeliveredEvents(stack, topics).queue,
    )
    WatchedLogs(stack)
    check_best_practices(app)
    app.synth()
    return Template.from_stack(stack)


def _workplace(stack: Stack, folder: Path) -> Workplace:
    code = lambda_.Code.from_asset(str(folder))
    layer = lambda_.LayerVersion(stack, "Layer", code=code)
    return Workplace(code, layer, None, Platform("3.13", "arm64"), None, {})


def _all(template: Template, kind: str) -> list[dict[str, Any]]:
    return [each["Properties"] for each in template.find_resources(kind).values()]


def _rule(template: Template, name: str) -> dict[str, Any]:
    return next(rule for rule in _all(template, "AWS::Events::Rule") if rule["Name"] == name)


def test_both_logs_are_kept_and_outlive_the_functions(template: Template) -> None:
    groups = template.find_resources("AWS::Logs::LogGroup").values()
    kept = {each["Properties"]["LogGroupName"]: each for each in groups if each["DeletionPolicy"] == "Retain"}
    assert {name: each["Properties"]["RetentionInDays"] for name, each in kept.items()} == {
        "/mailark/mailu": 90,
        "/mailark/vault": 400,
    }


def test_every_line_of_both_reaches_the_detector_which_lets_those_two_groups_in_alone(template: Template) -> None:
    filters = _all(template, "AWS::Logs::SubscriptionFilter")
    assert {each["LogGroupName"]: each["FilterPattern"] for each in filters} == {
        "/mailark/mailu": "",
        "/mailark/vault": "",
    }
    allowed = [each for each in _all(template, "AWS::Lambda::Permission") if each["Principal"] == "logs.amazonaws.com"]
    sources = {"".join(str(part) for part in each["SourceArn"]["Fn::Join"][1]) for each in allowed}
    assert {source.partition(":log-group:")[2] for source in sources} == {"/mailark/mailu:*", "/mailark/vault:*"}


def test_an_alarm_of_a_tenant_starts_the_response_with_whom_and_why(template: Template) -> None:
    rule = _rule(template, "mailark-suspected-tenants")
    assert rule["EventPattern"] == {
        "source": ["aws.cloudwatch"],
        "detail-type": ["CloudWatch Alarm State Change"],
        "detail": {"alarmName": [{"prefix": "mailark-compromise/"}], "state": {"value": ["ALARM"]}},
    }
    (target,) = rule["Targets"]
    transformer = target["InputTransformer"]
    paths = transformer["InputPathsMap"]
    template_text = transformer["InputTemplate"]
    for name, path in paths.items():
        template_text = template_text.replace(f"<{name}>", path)
    assert template_text == (
        '{"tenant_id":$.detail.configuration.metrics[0].metricStat.metric.dimensions.tenant_id,'
        '"compromise_details":$.detail.configuration.description,"alarm":$.detail.alarmName}'
    )
    assert target["DeadLetterConfig"]
    assert target["RetryPolicy"] == {"MaximumEventAgeInSeconds": 7200, "MaximumRetryAttempts": 8}


def test_suspects_are_seen_to_every_minute(template: Template) -> None:
    rule = _rule(template, "mailark-suspect-sweep")
    assert (rule["ScheduleExpression"], rule["State"]) == ("rate(1 minute)", "ENABLED")
    (target,) = rule["Targets"]
    assert (target["Input"], target["RetryPolicy"]["MaximumEventAgeInSeconds"]) == ("{}", 60)


def test_a_sweep_has_ended_when_the_next_one_begins() -> None:
    assert DETECTION_ACTIONS["sweep_suspects"].seconds < 60


def test_what_a_function_could_not_do_is_kept_in_the_queue_that_is_alarmed_on(template: Template) -> None:
    configs = _all(template, "AWS::Lambda::EventInvokeConfig")
    assert sorted(each["MaximumRetryAttempts"] for each in configs) == [0, 2]
    assert all(each["DestinationConfig"]["OnFailure"]["Destination"] for each in configs)


def test_many_suspects_are_told_to_security_by_an_alarm_that_starts_nothing(template: Template) -> None:
    alarms = _all(template, "AWS::CloudWatch::Alarm")
    (alarm,) = [each for each in alarms if each["AlarmName"] == MANY_SUSPECTS_ALARM]
    assert (alarm["MetricName"], alarm["Namespace"], alarm.get("Dimensions")) == ("SuspectsHeldBack", "Mailark", None)
    assert (alarm["Threshold"], alarm["DatapointsToAlarm"], alarm["EvaluationPeriods"]) == (1, 1, 5)
    (told,) = alarm["AlarmActions"]
    topics = template.find_resources("AWS::SNS::Topic")
    assert topics[told["Ref"]]["Properties"]["TopicName"] == "mailark-security"
    assert len(alarm["AlarmDescription"]) < 1024
    assert not alarm["AlarmName"].startswith("mailark-compromise/")


def test_the_functions_make_and_remove_alarms_of_suspected_tenants_alone(template: Template) -> None:
    statements = [
        statement
        for policy in _all(template, "AWS::IAM::Policy")
        for statement in policy["PolicyDocument"]["Statement"]
        if "cloudwatch:PutMetricAlarm" in statement["Action"]
    ]
    assert len(statements) == 2
    for statement in statements:
        assert statement["Action"] == ["cloudwatch:DeleteAlarms", "cloudwatch:PutMetricAlarm"]
        assert statement["Resource"]["Fn::Join"][1][-1].endswith(":alarm:mailark-compromise/*")
