"""Who is told what: the two topics, and the rule that reports every execution that did not succeed."""

from collections.abc import Iterable

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as cloudwatch_actions
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda_destinations as destinations
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.action import Action
from infra.nag import acknowledge
from infra.names import Names
from infra.scenario import Machine
from lambdas.domain.alarms import UNDELIVERED_ALARM
from lambdas.domain.estate import Contacts, Estate

_REPORT_WITHIN = Duration.hours(6)


class Topics(Construct):
    """One topic for operations, one for security, each with the estate's contacts on it."""

    def __init__(self, scope: Construct, estate: Estate, names: Names) -> None:
        super().__init__(scope, "Topics")
        self.operations = self._topic(names, "operations", estate.alerts.operations)
        self.security = self._topic(names, "security", estate.alerts.security)

    def _topic(self, names: Names, name: str, contacts: Contacts) -> sns.Topic:
        topic = sns.Topic(
            self,
            name.title(),
            topic_name=names.topic(name),
            display_name=f"Mailark {name}",
            enforce_ssl=True,
        )
        for address in contacts.email:
            topic.add_subscription(subscriptions.EmailSubscription(address))
        for number in contacts.sms:
            topic.add_subscription(subscriptions.SmsSubscription(number))
        for url in contacts.webhook:
            topic.add_subscription(subscriptions.UrlSubscription(url))
        return topic

    def tell_operations(self, alarm: cloudwatch.Alarm) -> None:
        """Let an alarm tell the operations contacts when it goes off."""
        _tell(self.operations, alarm)

    def tell_security(self, alarm: cloudwatch.Alarm) -> None:
        """Let an alarm tell the security contacts when it goes off."""
        _tell(self.security, alarm)


def _tell(topic: sns.Topic, alarm: cloudwatch.Alarm) -> None:
    alarm.add_alarm_action(cloudwatch_actions.SnsAction(topic))
    # A topic with a policy of its own lets an alarm in only where that says so (AWS re:Post, alarm notifications).
    topic.add_to_resource_policy(
        iam.PolicyStatement(
            principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
            actions=["sns:Publish"],
            resources=[topic.topic_arn],
            conditions={"ArnEquals": {"aws:SourceArn": alarm.alarm_arn}},
        )
    )


class FailureReports(Construct):
    """Failed, timed out or aborted: whatever ends an execution, its report does not depend on it."""

    def __init__(
        self,
        scope: Construct,
        reporter: Action,
        scenarios: Iterable[Machine],
        topics: Topics,
        undelivered: sqs.IQueue,
    ) -> None:
        super().__init__(scope, "FailureReports")
        rule = events.Rule(
            self,
            "Rule",
            rule_name="mailark-failed-executions",
            description="Reports every execution of Mailark that did not succeed",
            event_pattern=events.EventPattern(
                source=["aws.states"],
                detail_type=["Step Functions Execution Status Change"],
                detail={
                    "status": ["FAILED", "TIMED_OUT", "ABORTED"],
                    "stateMachineArn": [scenario.machine.state_machine_arn for scenario in scenarios],
                },
            ),
        )
        rule.add_target(
            targets.LambdaFunction(
                reporter.function,
                event=events.RuleTargetInput.from_object(
                    {"execution": events.EventField.from_path("$.detail.executionArn")}
                ),
                dead_letter_queue=undelivered,
                max_event_age=_REPORT_WITHIN,
                retry_attempts=20,
            )
        )
        # When the report itself fails, the raw event still reaches a person.
        reporter.function.configure_async_invoke(
            on_failure=destinations.SnsDestination(topics.operations), retry_attempts=2
        )


class UndeliveredEvents(Construct):
    """Events that could not be delivered: kept, and alarmed on."""

    def __init__(self, scope: Construct, topics: Topics) -> None:
        super().__init__(scope, "UndeliveredEvents")
        self.queue = sqs.Queue(
            self,
            "Queue",
            queue_name="mailark-undelivered-events",
            enforce_ssl=True,
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            retention_period=Duration.days(14),
        )
        acknowledge(
            self.queue,
            "AwsSolutions-SQS3",
            "It is the dead-letter queue, of EventBridge rules and the audit stream; it has none itself.",
        )
        alarm = cloudwatch.Alarm(
            self,
            "Alarm",
            alarm_name=UNDELIVERED_ALARM,
            alarm_description=(
                "A schedule, a failure report or events of the audit trail could not be delivered. Look into the "
                "queue mailark-undelivered-events, start by hand what was missed (for events of the audit trail: "
                "mailark-audit-signing), and empty it."
            ),
            metric=self.queue.metric_approximate_number_of_messages_visible(period=Duration.minutes(1)),
            threshold=1,
            evaluation_periods=1,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
        topics.tell_operations(alarm)
