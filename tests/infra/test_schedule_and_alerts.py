"""What starts by itself, and who is told what: schedules, rules, queues, topics, as AWS will be told to make them."""

from typing import Any

import pytest

from infra.scenario import scenario_names
from lambdas.domain.estate import parse_estate
from lambdas.domain.operation import machine_name
from lambdas.domain.suspect import RESPONSE_RULE, SWEEP_RULE
from tests.infra.templates import ACCOUNT, APP_STACKS, ROOT, House, Stack

both = pytest.mark.parametrize("stack", APP_STACKS)


def _rules(stack: Stack) -> dict[str, dict[str, Any]]:
    return {rule["Name"]: rule for rule in stack.properties("AWS::Events::Rule").values()}


def _alarms(stack: Stack) -> dict[str, dict[str, Any]]:
    return {alarm["AlarmName"]: alarm for alarm in stack.properties("AWS::CloudWatch::Alarm").values()}


STARTS = {
    # credential-recovery.md, "Backup Strategy"; the cron of a rule of EventBridge is in UTC
    "vault_backup": ("cron(0 2 * * ? *)", "nightly backup", {"MailarkPrimary"}),
    "vault_restore_test": ("cron(0 4 ? * SUN *)", "weekly restore test", {"MailarkPrimary"}),
    # service-recovery-plan.md, "Automated Daily Backups" and "Monthly DR Testing"
    "database_backup": ("cron(0 3 * * ? *)", "nightly backup", {"MailarkPrimary"}),
    "database_restore_test": ("cron(0 5 ? * SUN#1 *)", "monthly restore test", {"MailarkPrimary"}),
    "backup_watch": ("cron(10 * * * ? *)", "hourly watch of the backups", {"MailarkPrimary", "MailarkStandby"}),
    "audit_signing": ("cron(5 * * * ? *)", "hourly signature", {"MailarkPrimary", "MailarkStandby"}),
    "audit_verification": ("cron(30 4 * * ? *)", "daily verification", {"MailarkPrimary", "MailarkStandby"}),
}
"""What starts by itself, when, the reason that it gives, and the stacks in which it does."""


@both
@pytest.mark.parametrize(
    ("streamed", "reader"),
    [("mailark-audit-events", "mailark-archive-audit-events"), ("mailark-escrow", "mailark-copy-escrow")],
)
def test_the_stream_of_a_table_is_worked_off_and_what_cannot_be_is_kept_and_alarmed_on(
    house: House, stack: str, streamed: str, reader: str
) -> None:
    template = house.stacks[stack]
    data = house.stacks[{"MailarkPrimary": "MailarkDataPrimary", "MailarkStandby": "MailarkDataStandby"}[stack]]
    (table,) = [name for name, each in data.properties("AWS::DynamoDB::Table").items() if each["TableName"] == streamed]
    mappings = template.properties("AWS::Lambda::EventSourceMapping").values()
    assert len(mappings) == 2
    (mapping,) = (each for each in mappings if each["FunctionName"] == reader)
    assert mapping["EventSourceArn"] == f"<{table}.StreamArn>"
    assert mapping["StartingPosition"] == "TRIM_HORIZON"
    assert mapping["BisectBatchOnFunctionError"] is True
    assert mapping["MaximumRetryAttempts"] == 20
    assert mapping["MaximumRecordAgeInSeconds"] == 12 * 3600
    queue = f"arn:aws:sqs:{template.region}:{ACCOUNT}:mailark-undelivered-events"
    assert mapping["DestinationConfig"] == {"OnFailure": {"Destination": queue}}


@both
def test_each_schedule_starts_its_machine_at_its_time_and_in_its_regions(house: House, stack: str) -> None:
    template = house.stacks[stack]
    scheduled = {
        name: rule for name, rule in _rules(template).items() if "ScheduleExpression" in rule and name != SWEEP_RULE
    }
    assert set(scheduled) == {machine_name(scenario) for scenario in STARTS}
    for scenario, (cron, reason, stacks) in STARTS.items():
        rule = scheduled[machine_name(scenario)]
        assert rule["ScheduleExpression"] == cron
        assert rule["State"] == ("ENABLED" if stack in stacks else "DISABLED")
        (target,) = rule["Targets"]
        assert target["Arn"] == f"arn:aws:states:{template.region}:{ACCOUNT}:stateMachine:{machine_name(scenario)}"
        assert target["InputTransformer"]["InputPathsMap"] == {"time": "$.time"}
        assert target["InputTransformer"]["InputTemplate"] == f'{{"reason":"{reason}","scheduled_for":<time>}}'
    assert not list(template.resources("AWS::Scheduler::Schedule"))


FOLLOWING = {
    "staging_emptying": ({"vault_restore_test"}, "a restore test"),
    "services_start": ({"database_corruption", "database_swap_undo"}, "a recovery of the database"),
    "database_staging_emptying": ({"database_restore_test"}, "a restore test"),
    "row_recovery_emptying": ({"data_deletion"}, "a recovery of deleted rows"),
}
"""What clears up, after what, and what it calls that."""


@both
@pytest.mark.parametrize("scenario", FOLLOWING)
def test_what_was_stopped_or_ran_out_of_time_is_followed_by_what_clears_up_after_it(
    house: House, stack: str, scenario: str
) -> None:
    template, (stopped, called) = house.stacks[stack], FOLLOWING[scenario]
    machines = f"arn:aws:states:{template.region}:{ACCOUNT}:stateMachine"
    rule = _rules(template)[machine_name(scenario)]
    assert rule["State"] == "ENABLED"
    pattern = rule["EventPattern"]
    assert (pattern["source"], pattern["detail-type"]) == (["aws.states"], ["Step Functions Execution Status Change"])
    assert pattern["detail"]["status"] == ["TIMED_OUT", "ABORTED"]
    assert set(pattern["detail"]["stateMachineArn"]) == {f"{machines}:{machine_name(each)}" for each in stopped}
    (target,) = rule["Targets"]
    assert target["Arn"] == f"{machines}:{machine_name(scenario)}"
    told = {"detail-executionArn": "$.detail.executionArn"} if scenario == "services_start" else {}
    assert target["InputTransformer"]["InputPathsMap"] == {"time": "$.time"} | told
    passed_on = ',"stopped":<detail-executionArn>' if told else ""
    assert target["InputTransformer"]["InputTemplate"] == (
        f'{{"reason":"{called} was stopped or ran out of time","scheduled_for":<time>{passed_on}}}'
    )


@both
def test_every_execution_of_any_machine_that_fails_times_out_or_is_stopped_is_reported(
    house: House, stack: str
) -> None:
    template = house.stacks[stack]
    rule = _rules(template)["mailark-failed-executions"]
    assert rule["State"] == "ENABLED"
    machines = [f"arn:aws:states:{template.region}:{ACCOUNT}:stateMachine:{machine_name(s)}" for s in scenario_names()]
    assert rule["EventPattern"] == {
        "source": ["aws.states"],
        "detail-type": ["Step Functions Execution Status Change"],
        "detail": {"status": ["FAILED", "TIMED_OUT", "ABORTED"], "stateMachineArn": machines},
    }
    (target,) = rule["Targets"]
    assert target["Arn"].endswith(":function:mailark-report-failed-execution")
    assert target["InputTransformer"]["InputTemplate"] == '{"execution":<detail-executionArn>}'
    permissions = template.properties("AWS::Lambda::Permission").values()
    assert [p["Principal"] for p in permissions if p["FunctionName"] == target["Arn"]] == ["events.amazonaws.com"]


@both
def test_a_report_that_fails_itself_still_reaches_a_person(house: House, stack: str) -> None:
    configured = house.stacks[stack].properties("AWS::Lambda::EventInvokeConfig").values()
    (invocation,) = (each for each in configured if each["FunctionName"] == "mailark-report-failed-execution")
    assert invocation["MaximumRetryAttempts"] == 2
    assert invocation["DestinationConfig"]["OnFailure"]["Destination"].endswith(":mailark-operations")


@both
def test_an_event_that_cannot_be_delivered_is_kept_and_alarmed_on(house: House, stack: str) -> None:
    template = house.stacks[stack]
    queue = f"arn:aws:sqs:{template.region}:{ACCOUNT}:mailark-undelivered-events"
    targets = [(name, target) for name, rule in _rules(template).items() for target in rule["Targets"]]
    others = {"mailark-failed-executions", RESPONSE_RULE, SWEEP_RULE}
    assert len(targets) == len(others) + len(STARTS) + len(FOLLOWING)
    for name, target in targets:
        assert target["DeadLetterConfig"] == {"Arn": queue}, name
        assert target["RetryPolicy"]["MaximumRetryAttempts"] > 0, name
    alarm = _alarms(template)["mailark-undelivered-events"]
    assert (alarm["Namespace"], alarm["MetricName"]) == ("AWS/SQS", "ApproximateNumberOfMessagesVisible")
    assert (alarm["Threshold"], alarm["ComparisonOperator"]) == (1, "GreaterThanOrEqualToThreshold")
    assert alarm["AlarmActions"] == [f"arn:aws:sns:{template.region}:{ACCOUNT}:mailark-operations"]


@both
def test_eventbridge_alone_may_put_events_into_the_queue_of_undelivered_ones(house: House, stack: str) -> None:
    template = house.stacks[stack]
    (policy,) = template.properties("AWS::SQS::QueuePolicy").values()
    allowed = [each for each in policy["PolicyDocument"]["Statement"] if each["Effect"] == "Allow"]
    senders = {statement["Condition"]["ArnEquals"]["aws:SourceArn"] for statement in allowed}
    assert senders == {f"<{name}.Arn>" for name in template.properties("AWS::Events::Rule")}
    assert {statement["Principal"]["Service"] for statement in allowed} == {"events.amazonaws.com"}
    assert {statement["Action"] for statement in allowed} == {"sqs:SendMessage"}
    (queue,) = template.properties("AWS::SQS::Queue").values()
    assert queue["MessageRetentionPeriod"] == 14 * 24 * 3600


@both
def test_every_contact_of_the_estate_is_subscribed_and_nobody_else_is(house: House, stack: str) -> None:
    alerts = parse_estate((ROOT / "estate.yaml").read_text()).alerts
    wanted = {
        (name, protocol, endpoint)
        for name, contacts in (("operations", alerts.operations), ("security", alerts.security))
        for protocol, endpoints in (("email", contacts.email), ("sms", contacts.sms), ("https", contacts.webhook))
        for endpoint in endpoints
    }
    subscribed = {
        (each["TopicArn"].rsplit(":mailark-")[-1], each["Protocol"], each["Endpoint"])
        for each in house.stacks[stack].properties("AWS::SNS::Subscription").values()
    }
    assert subscribed == wanted


@both
def test_a_topic_takes_messages_over_tls_only_and_beside_our_own_roles_from_its_alarms_alone(
    house: House, stack: str
) -> None:
    """A topic with a policy of its own lets no service publish that the policy does not name."""
    template = house.stacks[stack]
    alarms = {
        (action, f"<{name}.Arn>")
        for name, alarm in template.properties("AWS::CloudWatch::Alarm").items()
        for action in alarm["AlarmActions"]
    }
    assert alarms
    allowed = set()
    policies = template.properties("AWS::SNS::TopicPolicy").values()
    assert len(policies) == 2
    for policy in policies:
        (topic,) = policy["Topics"]
        statements = policy["PolicyDocument"]["Statement"]
        refused = [each["Condition"] for each in statements if each["Effect"] == "Deny"]
        assert refused == [{"Bool": {"aws:SecureTransport": "false"}}]
        for statement in (each for each in statements if each["Effect"] == "Allow"):
            assert statement["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
            assert statement["Action"] == "sns:Publish"
            assert set(statement["Condition"]) == {"ArnEquals"}
            allowed.add((topic, statement["Condition"]["ArnEquals"]["aws:SourceArn"]))
    assert allowed == alarms
