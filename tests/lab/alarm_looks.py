"""When alarms ring in the emulator, and what they say, seen from outside."""

import json
from pathlib import Path
from typing import Any

from lab.aws import Aws
from tests.lab.execution_looks import make_queue
from tests.lab.small_functions import REGION, unique


def make_alarm(aws: Aws, missing: str = "missing") -> str:
    """An alarm on a metric of its own, about the kind `vault`, that goes off above ten within three hours."""
    name = unique("alarm")
    aws.client("cloudwatch", REGION).put_metric_alarm(
        AlarmName=name,
        Namespace="Mailark",
        MetricName=name,
        Dimensions=[{"Name": "kind", "Value": "vault"}],
        Statistic="Maximum",
        Period=3 * 3600,
        EvaluationPeriods=1,
        Threshold=10,
        ComparisonOperator="GreaterThanThreshold",
        TreatMissingData=missing,
    )
    return name


def publish(aws: Aws, alarm: str, kind: str, value: float) -> None:
    datum = {"MetricName": alarm, "Dimensions": [{"Name": "kind", "Value": kind}], "Value": value}
    aws.client("cloudwatch", REGION).put_metric_data(Namespace="Mailark", MetricData=[datum])


def state_of(aws: Aws, alarm: str) -> str:
    (found,) = aws.client("cloudwatch", REGION).describe_alarms(AlarmNames=[alarm])["MetricAlarms"]
    return str(found["StateValue"])


def alarm_when_another_kind_is_too_great(aws: Aws, folder: Path) -> Any:
    alarm = make_alarm(aws)
    publish(aws, alarm, "vault", 5)
    publish(aws, alarm, "database", 50)
    return state_of(aws, alarm)


def alarms_that_never_heard_anything(aws: Aws, folder: Path) -> Any:
    return [state_of(aws, make_alarm(aws, missing)) for missing in ("breaching", "notBreaching", "missing")]


def event_of_an_alarm(aws: Aws, folder: Path) -> Any:
    received, events, alarm, rule = make_queue(aws), aws.client("events", REGION), make_alarm(aws), unique("rule")
    pattern = {"source": ["aws.cloudwatch", "the test"], "detail": {"alarmName": [alarm]}}
    events.put_rule(Name=rule, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=rule, Targets=[{"Id": "queue", "Arn": received.arn}])
    publish(aws, alarm, "vault", 50)
    last = {"Source": "the test", "DetailType": "the end of it", "Detail": json.dumps({"alarmName": alarm})}
    events.put_events(Entries=[last])
    event = json.loads(received.wait()[0])
    if event["source"] == "the test":
        return "no event"
    metric = event["detail"]["configuration"]["metrics"][0]["metricStat"]["metric"]
    return event["detail-type"], event["detail"]["state"]["value"], metric["dimensions"]
