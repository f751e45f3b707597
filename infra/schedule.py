"""What starts by itself, and when (UTC)."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from aws_cdk import Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.action import construct_name
from infra.scenario import Machine
from lambdas.domain.operation import machine_name

_DAYS = {"SUN": "Sundays", "SUN#1": "first Sundays of a month"}


@dataclass(frozen=True)
class Cron:
    """When a scenario starts, and the reason that its record gives; `in_both_regions` is on in the standby too."""

    expression: str
    reason: str
    in_both_regions: bool = False

    @property
    def when(self) -> str:
        """The expression in words: `daily at 02:00 UTC`."""
        minute, hour, _, _, day, _ = self.expression.removeprefix("cron(").removesuffix(")").split()
        if hour == "*":
            return f"hourly at minute {minute}"
        often = "daily" if day in "?*" else _DAYS[day]
        return f"{often} at {int(hour):02}:{int(minute):02} UTC"


SCHEDULES: dict[str, Cron] = {
    # credential-recovery.md, "Backup Strategy": daily at 02:00 UTC
    "vault_backup": Cron("cron(0 2 * * ? *)", "nightly backup"),
    # service-recovery-plan.md, "Automated Daily Backups": daily at 3:00 AM UTC
    "database_backup": Cron("cron(0 3 * * ? *)", "nightly backup"),
    # service-recovery-plan.md, "Monthly DR Testing": first Sunday of each month
    "database_restore_test": Cron("cron(0 5 ? * SUN#1 *)", "monthly restore test"),
    # service-recovery-plan.md, "Backup Verification", asks for a restore test a month; Vault has one a week
    "vault_restore_test": Cron("cron(0 4 ? * SUN *)", "weekly restore test"),
    # Not on the hour: at 03:10 the backup of 02:00 must be done, and without it the last one is over 25 hours old.
    "backup_watch": Cron("cron(10 * * * ? *)", "hourly watch of the backups", in_both_regions=True),
    # Each region has a trail of its own. Not on the hour, when backups begin and write to it.
    "audit_signing": Cron("cron(5 * * * ? *)", "hourly signature", in_both_regions=True),
    "audit_verification": Cron("cron(30 4 * * ? *)", "daily verification", in_both_regions=True),
}


@dataclass(frozen=True)
class Follow:
    """The scenarios after which another one starts when an execution of theirs was stopped or ran out of time, and why.

    Such an execution runs no `Catch`: what it left where it worked is for another one to clear up. `told_which` gets
    the ARN of the execution as `stopped`.
    """

    scenarios: tuple[str, ...]
    reason: str
    told_which: bool = False


FOLLOWS: dict[str, Follow] = {
    "staging_emptying": Follow(("vault_restore_test",), "a restore test was stopped or ran out of time"),
    "services_start": Follow(
        ("database_corruption", "database_swap_undo"),
        "a recovery of the database was stopped or ran out of time",
        told_which=True,
    ),
    "database_staging_emptying": Follow(("database_restore_test",), "a restore test was stopped or ran out of time"),
    "row_recovery_emptying": Follow(("data_deletion",), "a recovery of deleted rows was stopped or ran out of time"),
}

_RETRY_FOR = Duration.hours(2)


class Schedule(Construct):
    """Starts a scenario by the clock. In the standby region it is off until that region is told it is primary.

    It is off as well where it is not `wanted`: the estate has nothing that it could back up.
    """

    def __init__(
        self, scope: Construct, scenario: str, machine: Machine, undelivered: sqs.IQueue, *, active: bool, wanted: bool
    ) -> None:
        super().__init__(scope, f"{construct_name(scenario)}Schedule")
        cron = SCHEDULES[scenario]
        rule = events.Rule(
            self,
            "Rule",
            rule_name=machine_name(scenario),
            description=f"Starts {scenario}: {cron.reason}",
            schedule=events.Schedule.expression(cron.expression),
            enabled=wanted and (active or cron.in_both_regions),
        )
        rule.add_target(_execution(machine, cron.reason, undelivered))


class Follower(Construct):
    """Starts a scenario after an execution of another one that could not clear up after itself.

    It is off where it is not `wanted`: the estate has nothing that it could clear up.
    """

    def __init__(
        self, scope: Construct, scenario: str, machines: Mapping[str, Machine], undelivered: sqs.IQueue, *, wanted: bool
    ) -> None:
        super().__init__(scope, f"{construct_name(scenario)}Follower")
        follow = FOLLOWS[scenario]
        rule = events.Rule(
            self,
            "Rule",
            rule_name=machine_name(scenario),
            description=f"Starts {scenario}: {follow.reason}",
            enabled=wanted,
            event_pattern=events.EventPattern(
                source=["aws.states"],
                detail_type=["Step Functions Execution Status Change"],
                detail={
                    "status": ["TIMED_OUT", "ABORTED"],
                    "stateMachineArn": [machines[each].machine.state_machine_arn for each in follow.scenarios],
                },
            ),
        )
        stopped = {"stopped": events.EventField.from_path("$.detail.executionArn")} if follow.told_which else {}
        rule.add_target(_execution(machines[scenario], follow.reason, undelivered, stopped))


def _execution(
    machine: Machine, reason: str, undelivered: sqs.IQueue, more: Mapping[str, str] = MappingProxyType({})
) -> targets.SfnStateMachine:
    """The target that starts a machine; the time of the event tells a second delivery from a second event."""
    given = {"reason": reason, "scheduled_for": events.EventField.from_path("$.time"), **more}
    return targets.SfnStateMachine(
        machine.machine,
        input=events.RuleTargetInput.from_object(given),
        dead_letter_queue=undelivered,
        retry_attempts=8,
        max_event_age=_RETRY_FOR,
    )
