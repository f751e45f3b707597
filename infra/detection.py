"""From a line in a log to a running response: log groups, the detector on them, the rule on its alarms, the sweep."""

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_logs_destinations as log_destinations
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.action import Action
from infra.alerts import Topics
from infra.scenario import Machine
from lambdas.adapters.metrics import NAMESPACE
from lambdas.adapters.suspicion_alarms import ALARM_PREFIX, HELD_BACK, TENANT
from lambdas.domain.detection import MAILU_LOGS, VAULT_LOGS
from lambdas.domain.suspect import MANY_SUSPECTS_ALARM, RESPONSE_RULE, SWEEP_RULE

_RETRY_FOR = Duration.hours(2)
_METRIC = "$.detail.configuration.metrics[0].metricStat.metric"


class WatchedLogs(Construct):
    """What servers write to, each host to streams named after its own tenant. Outlives the functions, as evidence.

    Vault's audit log tells which secrets were read since a time: it is kept longer than Mailu's, which names people.
    """

    def __init__(self, scope: Construct) -> None:
        super().__init__(scope, "WatchedLogs")
        for name, group, kept in (
            ("Mailu", MAILU_LOGS, logs.RetentionDays.THREE_MONTHS),
            ("Vault", VAULT_LOGS, logs.RetentionDays.THIRTEEN_MONTHS),
        ):
            logs.LogGroup(self, name, log_group_name=group, retention=kept, removal_policy=RemovalPolicy.RETAIN)


class Detection(Construct):
    """The detection of one region; it needs its `WatchedLogs` to be there.

    `response` is what an alarm starts. What neither the detector nor a sweep could do is kept in `undelivered`.
    """

    def __init__(
        self,
        scope: Construct,
        detector: Action,
        sweeper: Action,
        response: Machine,
        topics: Topics,
        undelivered: sqs.IQueue,
    ) -> None:
        super().__init__(scope, "Detection")
        for name, group in (("Mailu", MAILU_LOGS), ("Vault", VAULT_LOGS)):
            logs.SubscriptionFilter(
                self,
                f"{name}Lines",
                log_group=logs.LogGroup.from_log_group_name(self, f"{name}Logs", group),
                destination=log_destinations.LambdaDestination(detector.function),
                # Every line: a pattern that a server's format no longer fits would drop all of them without a word.
                filter_pattern=logs.FilterPattern.all_events(),
            )
        _keep_what_fails(self, "Detector", detector, undelivered, attempts=2)
        # The next sweep is the better retry.
        _keep_what_fails(self, "Sweeper", sweeper, undelivered, attempts=0)
        self._response(response, undelivered)
        self._sweep(sweeper, undelivered)
        self._many_suspects(topics)

    def _response(self, response: Machine, undelivered: sqs.IQueue) -> None:
        rule = events.Rule(
            self,
            "Response",
            rule_name=RESPONSE_RULE,
            description="Starts the response for a tenant whose alarm went off",
            event_pattern=events.EventPattern(
                source=["aws.cloudwatch"],
                detail_type=["CloudWatch Alarm State Change"],
                # Not from OK alone: an alarm that was made just now comes from INSUFFICIENT_DATA.
                detail={"alarmName": [{"prefix": ALARM_PREFIX}], "state": {"value": ["ALARM"]}},
            ),
        )
        given = {
            "tenant_id": events.EventField.from_path(f"{_METRIC}.dimensions.{TENANT}"),
            # The alarm's description is the detector's own reason; `state.reason` would only say "1 datapoint".
            "compromise_details": events.EventField.from_path("$.detail.configuration.description"),
            "alarm": events.EventField.from_path("$.detail.alarmName"),
        }
        rule.add_target(
            targets.SfnStateMachine(
                response.machine,
                input=events.RuleTargetInput.from_object(given),
                dead_letter_queue=undelivered,
                retry_attempts=8,
                max_event_age=_RETRY_FOR,
            )
        )

    def _sweep(self, sweeper: Action, undelivered: sqs.IQueue) -> None:
        rule = events.Rule(
            self,
            "Sweep",
            rule_name=SWEEP_RULE,
            description="Sees to the tenants that are suspected",
            schedule=events.Schedule.rate(Duration.minutes(1)),
        )
        rule.add_target(
            targets.LambdaFunction(
                sweeper.function,
                event=events.RuleTargetInput.from_object({}),
                dead_letter_queue=undelivered,
                retry_attempts=2,
                max_event_age=Duration.minutes(1),
            )
        )

    def _many_suspects(self, topics: Topics) -> None:
        alarm = cloudwatch.Alarm(
            self,
            "ManySuspects",
            alarm_name=MANY_SUSPECTS_ALARM,
            alarm_description=(
                "More tenants are suspected at once than could be told one by one: as many alarms as CloudWatch takes "
                "were made, and as many questions asked as the estate allows in an hour. Those that wait for an alarm "
                "get theirs within minutes. Look into the table mailark-detection (index by-kind) for who they are, "
                "and into the log of mailark-detect-compromise; if many credentials were read in Vault, it is not a "
                "matter of single tenants any more: treat it as a breach of Vault."
            ),
            metric=cloudwatch.Metric(
                namespace=NAMESPACE,
                metric_name=HELD_BACK,
                statistic=cloudwatch.Stats.SUM,
                period=Duration.minutes(1),
            ),
            threshold=1,
            evaluation_periods=5,
            datapoints_to_alarm=1,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
        topics.tell_security(alarm)


def _keep_what_fails(scope: Construct, name: str, action: Action, queue: sqs.IQueue, *, attempts: int) -> None:
    """Name in a queue what a function could not do; an alarm is on that queue."""
    # Not the CDK's own way: with a queue it widens the role's grants, which `permissions.py` says in full.
    config = lambda_.CfnEventInvokeConfig(
        scope,
        f"{name}Failures",
        function_name=action.function.function_name,
        qualifier="$LATEST",
        maximum_retry_attempts=attempts,
        destination_config=lambda_.CfnEventInvokeConfig.DestinationConfigProperty(
            on_failure=lambda_.CfnEventInvokeConfig.OnFailureProperty(destination=queue.queue_arn)
        ),
    )
    # Lambda tries the queue with the role when this is made.
    config.node.add_dependency(action.role)
