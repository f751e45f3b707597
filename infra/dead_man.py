"""The dead man: alarms on what has not happened. They go off when a backup or a restore test is too old, and also when
nobody says how old it is any more.
"""

from collections.abc import Iterable

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from infra.action import construct_name
from infra.alerts import Topics
from infra.names import PREFIX
from infra.schedule import SCHEDULES
from lambdas.adapters.metrics import BACKUP_AGE, KIND, NAMESPACE, TEST_AGE
from lambdas.domain.ages import BACKUP_LIMIT, TEST_LIMITS, good_for
from lambdas.domain.alarms import backup_alarm, restore_test_alarm
from lambdas.domain.operation import machine_name
from lambdas.domain.timeline import in_words

_SILENCE = Duration.hours(3)
"""An age comes every hour, and the window slides: one that is lost leaves two in it, three that are lost leave none.
The greatest age in it counts, so the first that is too great goes off at once, and the last of them leaves it within
three hours of the cure."""


class DeadMan(Construct):
    """The alarms of one region, by what that region itself knows: the standby's go off when the primary is dead too.

    Restores are tested in the primary alone, and recorded in its own trail: with `tested_here` there is an alarm on
    their age. In the standby it could never be still. `kinds` are those of the estate.
    """

    def __init__(
        self, scope: Construct, topics: Topics, other_region: str, *, kinds: Iterable[str], tested_here: bool
    ) -> None:
        super().__init__(scope, "DeadMan")
        self._topics = topics
        for kind in kinds:
            backup, test = machine_name(f"{kind}_backup"), machine_name(f"{kind}_restore_test")
            cure = (
                f"start {backup} by hand, and follow it to its end"
                if tested_here
                else f"no copies come any more: look at {backup} in {other_region}; if that region is dead, "
                f"enable the rule {backup} in this one"
            )
            self._alarm(
                backup_alarm(kind),
                BACKUP_AGE,
                kind,
                BACKUP_LIMIT,
                f"No good {kind} backup for {in_words(BACKUP_LIMIT)}, or nobody measures it any more. {_ASK} "
                f"If there is no good backup since yesterday, {cure}. {_SILENT}",
            )
            if tested_here:
                self._alarm(
                    restore_test_alarm(kind),
                    TEST_AGE,
                    kind,
                    TEST_LIMITS[kind],
                    f"No fresh {kind} backup has been restored as a test for {good_for(kind)}, or nobody measures it "
                    f"any more. {_ASK} The backups may be fine, and this can wait for the morning: start {test} by "
                    f"hand, and find out why it did not run or did not end well. {_SILENT}",
                )

    def _alarm(self, name: str, metric: str, kind: str, limit: int, description: str) -> None:
        alarm = cloudwatch.Alarm(
            self,
            construct_name(name.removeprefix(f"{PREFIX}-").replace("-", "_")),
            alarm_name=name,
            alarm_description=description,
            metric=cloudwatch.Metric(
                namespace=NAMESPACE,
                metric_name=metric,
                dimensions_map={KIND: kind},
                statistic=cloudwatch.Stats.MAXIMUM,
                period=_SILENCE,
            ),
            threshold=limit,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
            evaluation_periods=1,
            treat_missing_data=cloudwatch.TreatMissingData.BREACHING,
        )
        self._topics.tell_operations(alarm)


_ASK = "First ask `python -m lambdas.status`."
_SILENT = (
    f"If nothing is too old, {machine_name('backup_watch')} ({SCHEDULES['backup_watch'].when}) has not run for three "
    "hours: look at its executions and at its rule. The alarm stands for up to three hours after the cure."
)
