"""Alarms made on demand, one a tenant that is suspected: claimed in DynamoDB, made and tripped in CloudWatch.

EventBridge hears of the alarm and starts the response. A claim comes before its alarm and goes after it, so that no
alarm is without one; who fails in between lets the claim go, and a sweep takes it up.
"""

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from botocore.exceptions import ClientError

from lambdas.adapters.aws import AWS_ERRORS, client, error_code
from lambdas.adapters.detection_windows import EXPIRES, KEY, new_generation, within_the_hour
from lambdas.adapters.metrics import NAMESPACE
from lambdas.adapters.tables import all_items, condition_failed, to_item
from lambdas.adapters.transactions import transact
from lambdas.domain.detection import Suspicion
from lambdas.domain.suspect import Suspect
from lambdas.domain.suspicion_text import alarm_description

BY_KIND = "by-kind"
ALARM_PREFIX = "mailark-compromise/"
SUSPECTED = "CompromiseSuspected"
HELD_BACK = "SuspectsHeldBack"
"""Without a dimension: suspects for whom no alarm could be made yet, and questions above the number an hour."""
TENANT = "tenant_id"
_SUSPECT, _ENDED = "suspect", "ended"
_BUSY = timedelta(seconds=60)
_A_TENANT = 3
"""Automatic rotations of one tenant within an hour."""
_PERIOD, _PERIODS = 60, 5
"""Seconds, and how many of them: a late evaluation still sees the one point (`facts-detection.md`)."""

Claim = Literal["new", "again", "known", "too many"]


class SuspicionAlarms:
    """The suspects of one region. Times are RFC 3339 in UTC with microseconds, which sort as text."""

    def __init__(self, region: str, table: str) -> None:
        self._table = table
        self._dynamo: Any = client("dynamodb", region)
        self._cloudwatch: Any = client("cloudwatch", region)

    def claim(self, suspicion: Suspicion, now: datetime, an_hour: int) -> Claim:
        """Claim a tenant's alarm for this function: `new`, or `again` where another one has let it go or has died.

        It is `known` while somebody sees to it, and `too many` when `an_hour` were claimed within an hour, or this
        tenant's three times: whoever writes a tenant's log must not use up what there is for all.
        """
        item = {
            KEY: _key(suspicion.tenant_id),
            "kind": _SUSPECT,
            "since": _text(now),
            TENANT: suspicion.tenant_id,
            "signal": suspicion.signal,
            "said": suspicion.said,
            "state": "raising",
            "busy_until": _text(now + _BUSY),
            "attempts": 0,
        }
        put = {
            "TableName": self._table,
            "Item": to_item(item),
            "ConditionExpression": "attribute_not_exists(#key) OR #state = :ended",
            "ExpressionAttributeNames": {"#key": KEY, "#state": "state"},
            "ExpressionAttributeValues": to_item({":ended": _ENDED}),
        }
        if an_hour == 0:
            return "too many"
        of_all = within_the_hour(self._table, "automatic", now, an_hour)
        of_one = within_the_hour(self._table, f"automatic#{suspicion.tenant_id}", now, _A_TENANT)
        refused = transact(self._dynamo, [{"Put": put}, *of_all, *of_one])
        if not refused:
            return "new"
        if 0 not in refused:
            return "too many"
        return "again" if self.take(suspicion.tenant_id, now) else "known"

    def take(self, tenant_id: str, now: datetime) -> bool:
        """Take up a claim that waits, or whose function has died; whether that was so."""
        return self._update(
            tenant_id,
            "SET #state = :raising, busy_until = :until",
            "#state = :waiting OR (#state = :raising AND busy_until <= :now)",
            {":raising": "raising", ":waiting": "waiting", ":now": _text(now), ":until": _text(now + _BUSY)},
        )

    def take_unanswered(self, suspect: Suspect, now: datetime) -> bool:
        """Take up a claim whose alarm nobody has answered; whether it was still as this suspect says."""
        assert suspect.raised_at is not None
        return self._update(
            suspect.tenant_id,
            "SET #state = :raising, busy_until = :until",
            "#state = :raised AND raised_at = :raised_at",
            {
                ":raising": "raising",
                ":raised": "raised",
                ":raised_at": _text(suspect.raised_at),
                ":until": _text(now + _BUSY),
            },
        )

    def trip(self, suspicion: Suspicion, now: datetime, *, anew: bool) -> None:
        """Make the alarm of a tenant that was claimed, and trip it; `anew` removes an earlier one, which may be in
        ALARM already and would send no event. When a call fails, the claim waits for whoever takes it."""
        tenant = suspicion.tenant_id
        dimensions = [{"Name": TENANT, "Value": tenant}]
        try:
            if anew:
                self._delete_alarm(tenant)
            self._cloudwatch.put_metric_alarm(
                AlarmName=alarm_name(tenant),
                AlarmDescription=alarm_description(suspicion),
                Namespace=NAMESPACE,
                MetricName=SUSPECTED,
                Dimensions=dimensions,
                Statistic="Sum",
                Period=_PERIOD,
                EvaluationPeriods=_PERIODS,
                DatapointsToAlarm=1,
                Threshold=1,
                ComparisonOperator="GreaterThanOrEqualToThreshold",
                TreatMissingData="notBreaching",
            )
            datum = {"MetricName": SUSPECTED, "Dimensions": dimensions, "Value": 1, "Unit": "Count"}
            self._cloudwatch.put_metric_data(Namespace=NAMESPACE, MetricData=[datum])
        except AWS_ERRORS:
            self._let_go(tenant)
            raise
        self._update(
            tenant,
            "SET #state = :raised, raised_at = :now, answered = :no ADD attempts :one",
            "#state = :raising",
            {":raised": "raised", ":raising": "raising", ":now": _text(now), ":no": False, ":one": 1},
        )

    def _let_go(self, tenant_id: str) -> None:
        """The alarm first: one without its point would never go off. Whoever takes the claim removes what is left."""
        with contextlib.suppress(*AWS_ERRORS):  # the first error is the one to tell
            self._delete_alarm(tenant_id)
        with contextlib.suppress(*AWS_ERRORS):  # else it is free when `busy_until` has passed
            self.let_wait(tenant_id)

    def let_wait(self, tenant_id: str) -> None:
        """Let whoever sweeps take a claim up."""
        values = {":waiting": "waiting", ":raising": "raising"}
        self._update(tenant_id, "SET #state = :waiting", "#state = :raising", values)

    def suspects(self) -> Iterator[Suspect]:
        """All claims, the oldest first."""
        rows = all_items(
            self._dynamo.query,
            TableName=self._table,
            IndexName=BY_KIND,
            KeyConditionExpression="#kind = :kind",
            ExpressionAttributeNames={"#kind": "kind"},
            ExpressionAttributeValues=to_item({":kind": _SUSPECT}),
        )
        yield from map(_suspect, rows)

    def note_answer(self, tenant_id: str) -> None:
        """Remember that a response was seen at work on a tenant."""
        self._update(tenant_id, "SET answered = :yes", "#state = :raised", {":yes": True, ":raised": "raised"})

    def end(self, suspect: Suspect, now: datetime) -> None:
        """Remove a tenant's alarm, end its claim, and let its windows begin anew: what was before is answered.

        The claim is in no list then, and free to be taken; TTL removes it. Where it has changed meanwhile it stays, and
        the next sweep sees to it.
        """
        assert suspect.raised_at is not None
        self._delete_alarm(suspect.tenant_id)
        values = {":raised": "raised", ":at": _text(suspect.raised_at), ":ended": _ENDED, ":now": int(now.timestamp())}
        ending = {
            "TableName": self._table,
            "Key": to_item({KEY: _key(suspect.tenant_id)}),
            "UpdateExpression": "SET #state = :ended, #expires = :now REMOVE #kind",
            "ConditionExpression": "#state = :raised AND raised_at = :at",
            "ExpressionAttributeNames": {"#state": "state", "#kind": "kind", "#expires": EXPIRES},
            "ExpressionAttributeValues": to_item(values),
        }
        transact(self._dynamo, [{"Update": ending}, new_generation(self._table, suspect.tenant_id, now)])

    def tell_held_back(self, count: int) -> None:
        """Count suspects of whom nobody could be told one by one; an alarm without a dimension is on that."""
        datum = {"MetricName": HELD_BACK, "Value": count, "Unit": "Count"}
        self._cloudwatch.put_metric_data(Namespace=NAMESPACE, MetricData=[datum])

    def _delete_alarm(self, tenant_id: str) -> None:
        try:
            self._cloudwatch.delete_alarms(AlarmNames=[alarm_name(tenant_id)])
        except ClientError as error:
            if error_code(error) not in ("ResourceNotFound", "ResourceNotFoundException"):
                raise

    def _update(self, tenant_id: str, deed: str, condition: str, values: dict[str, Any]) -> bool:
        """Change a claim if it is as expected; whether it was."""
        try:
            self._dynamo.update_item(
                TableName=self._table,
                Key=to_item({KEY: _key(tenant_id)}),
                UpdateExpression=deed,
                ConditionExpression=condition,
                ExpressionAttributeNames={"#state": "state"},
                ExpressionAttributeValues=to_item(values),
            )
        except ClientError as error:
            if condition_failed(error):
                return False
            raise
        return True


def alarm_name(tenant_id: str) -> str:
    """The alarm of a tenant that is suspected."""
    return ALARM_PREFIX + tenant_id


def _key(tenant_id: str) -> str:
    return f"alarm#{tenant_id}"


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def _suspect(row: dict[str, Any]) -> Suspect:
    raised_at = row.get("raised_at")
    return Suspect(
        tenant_id=row[TENANT],
        signal=row["signal"],
        said=row["said"],
        state=row["state"],
        since=datetime.fromisoformat(row["since"]),
        busy_until=datetime.fromisoformat(row["busy_until"]),
        attempts=int(row.get("attempts", 0)),
        raised_at=datetime.fromisoformat(raised_at) if raised_at else None,
        answered=bool(row.get("answered", False)),
    )
