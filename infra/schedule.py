"""What starts by itself, and when (UTC)."""

from aws_cdk import Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.action import construct_name
from infra.scenario import Scenario
from lambdas.domain.operation import machine_name

SCHEDULES: dict[str, tuple[str, str]] = {
    # credential-recovery.md, "Backup Strategy": daily at 02:00 UTC
    "vault_backup": ("cron(0 2 * * ? *)", "nightly backup"),
}

_RETRY_FOR = Duration.hours(2)


class Schedule(Construct):
    """Starts a scenario by the clock. In the standby region it is off until that region is told it is primary."""

    def __init__(
        self, scope: Construct, scenario: str, machine: Scenario, undelivered: sqs.IQueue, *, enabled: bool
    ) -> None:
        super().__init__(scope, f"{construct_name(scenario)}Schedule")
        expression, reason = SCHEDULES[scenario]
        given = events.RuleTargetInput.from_object(
            {"reason": reason, "scheduled_for": events.EventField.from_path("$.time")}
        )
        rule = events.Rule(
            self,
            "Rule",
            rule_name=machine_name(scenario),
            description=f"Starts {scenario}: {reason}",
            schedule=events.Schedule.expression(expression),
            enabled=enabled,
        )
        rule.add_target(
            targets.SfnStateMachine(
                machine.machine,
                input=given,
                dead_letter_queue=undelivered,
                retry_attempts=8,
                max_event_age=_RETRY_FOR,
            )
        )
