"""Alarms that watch the metric they name, over a window that slides, and that miss what does not come.

MiniStack takes together all metrics of a name, whatever their dimensions; it does nothing when no data is there,
whatever TreatMissingData says; and it tells EventBridge nothing. On AWS an alarm is of one metric with its dimensions,
missing data counts as its setting says, and each change is an event (CloudWatch guide, "Alarm evaluation", "Configuring
how alarms treat missing data", "Alarm events"). How much further back AWS looks before it calls data missing is not
documented, and left out here.

`POST /_lab/hours/{region}/{hours}` lets hours pass for what has been measured in a region.
"""

import contextvars
import json
import operator
import time
from datetime import UTC, datetime
from typing import Any

from ministack import app
from ministack.core import responses
from ministack.services import cloudwatch, eventbridge

_PREFIX = "/_lab/hours/"
_COMPARE = {
    "GreaterThanOrEqualToThreshold": operator.ge,
    "GreaterThanThreshold": operator.gt,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}


def apply() -> None:
    if not hasattr(cloudwatch, "_evaluate_alarm") or hasattr(cloudwatch, "_treat_missing_data"):
        raise RuntimeError("MiniStack evaluates alarms in another way now: see lab/emulator/alarms.py")
    serve = app.app

    async def serve_with_lab(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "http" and scope["path"].startswith(_PREFIX):
            region, _, hours = scope["path"].removeprefix(_PREFIX).partition("/")
            contextvars.copy_context().run(_let_pass, region, float(hours))
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b""})
            return
        await serve(scope, receive, send)

    app.app = serve_with_lab
    cloudwatch._evaluate_alarm = _evaluate


def _let_pass(region: str, hours: float) -> None:
    """Make everything that was measured in a region older, and let its alarms see that."""
    responses.set_request_region(region)
    for points in cloudwatch._metrics.values():
        for point in points:
            point["Timestamp"] -= hours * 3600
    cloudwatch._evaluate_all_alarms()


def _evaluate(alarm: dict[str, Any]) -> None:
    if not alarm.get("Namespace") or alarm.get("ComparisonOperator") not in _COMPARE:
        return
    values = _values(alarm)
    known = [value for value in values if value is not None]
    treated = alarm.get("TreatMissingData") or "missing"
    if not known and treated in ("missing", "ignore"):
        if treated == "missing":
            _change(alarm, "INSUFFICIENT_DATA", "Insufficient Data: there were no datapoints.")
        return
    compare, threshold = _COMPARE[alarm["ComparisonOperator"]], float(alarm["Threshold"])
    crossed = sum(compare(value, threshold) for value in known)
    if treated == "breaching":
        crossed += len(values) - len(known)
    needed = alarm.get("DatapointsToAlarm") or len(values)
    said = f"{len(known)} of {len(values)} datapoints {known} against the threshold {threshold}"
    _change(alarm, "ALARM" if crossed >= needed else "OK", f"Threshold Crossed: {said}; missing ones are {treated}.")


def _values(alarm: dict[str, Any]) -> list[float | None]:
    """The statistic of each period of the window, the last one first; None where nothing was measured."""
    dimensions = cloudwatch._dims_key(cloudwatch._dims_from_list(alarm.get("Dimensions") or []))
    points = cloudwatch._metrics.get((alarm["Namespace"], alarm["MetricName"], dimensions)) or []
    now, period = time.time(), alarm.get("Period", 60)
    statistic = alarm.get("ExtendedStatistic") or alarm.get("Statistic") or "Average"
    found: list[float | None] = []
    for i in range(alarm.get("EvaluationPeriods", 1)):
        start, end = now - period * (i + 1), now - period * i
        within = [point for point in points if start < point["Timestamp"] <= end]
        found.append(cloudwatch._stat_value(cloudwatch._calc_stats(within), statistic, within) if within else None)
    return found


def _change(alarm: dict[str, Any], new: str, reason: str) -> None:
    old = alarm["StateValue"]
    if new == old:
        return
    alarm.update(StateValue=new, StateReason=reason, StateUpdatedTimestamp=int(time.time()))
    cloudwatch._record_history(alarm["AlarmName"], old, new, reason)
    cloudwatch._dispatch_alarm_actions(alarm, old, new, reason)
    cloudwatch._evaluate_parent_alarms(alarm)
    _tell_eventbridge(alarm, old, new, reason)


def _tell_eventbridge(alarm: dict[str, Any], old: str, new: str, reason: str) -> None:
    metric = {
        "namespace": alarm["Namespace"],
        "name": alarm["MetricName"],
        "dimensions": {each["Name"]: each["Value"] for each in alarm.get("Dimensions") or []},
    }
    stat = {"metric": metric, "period": alarm.get("Period", 60), "stat": alarm.get("Statistic") or "Average"}
    at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "+0000"
    detail = {
        "alarmName": alarm["AlarmName"],
        "configuration": {
            "description": alarm.get("AlarmDescription") or "",
            "metrics": [{"id": "m1", "metricStat": stat, "returnData": True}],
        },
        "previousState": {"value": old},
        "state": {"value": new, "reason": reason, "timestamp": at},
    }
    entry = {
        "Source": "aws.cloudwatch",
        "DetailType": "CloudWatch Alarm State Change",
        "Detail": json.dumps(detail),
        "Resources": [alarm["AlarmArn"]],
    }
    eventbridge._put_events({"Entries": [entry]}, allow_aws_source=True)
