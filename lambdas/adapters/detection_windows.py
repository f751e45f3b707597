"""What was seen in the logs, counted in DynamoDB: each log event once, however often it is delivered.

One table, whose key is `window`: the counters of `domain/detection.py`, the ids of the events in them, and a row a
tenant. `expires` is the table's TTL, which is a matter of tidiness: what is over is in no window that is asked for.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from lambdas.adapters.aws import client
from lambdas.adapters.tables import condition_failed, from_item, to_item
from lambdas.adapters.transactions import transact
from lambdas.domain.detection import (
    HOUR,
    OF_MAILU,
    USUAL_DAYS,
    Sighting,
    Slot,
    Suspicion,
    Window,
    day_of,
    judge,
    limit_of,
    usual_hour,
)
from lambdas.domain.estate_detection import Detection

KEY, EXPIRES = "window", "expires"
_AT_ONCE = 90
"""Events in one transaction, of at most 100 items (DynamoDB quotas), two of which are the windows."""
_MEMBERS = 1000
"""More of them are not kept: an item holds 400 KB (DynamoDB quotas), and every threshold is far below."""
_KEPT = 24 * HOUR
"""How long a counter and an event's id stay after their windows: CloudWatch Logs delivers for up to 24 hours (its
guide, "Log group-level subscription filters")."""
_TENANT_DAYS = 30
_DAY = "day_"


@dataclass(frozen=True)
class TenantRow:
    """What is known of a tenant: how often its windows began anew, and the greatest count of each day."""

    generation: int = 0
    busiest: Mapping[str, int] = field(default_factory=dict)


class DetectionWindows:
    """The counters of one region."""

    def __init__(self, region: str, table: str) -> None:
        self._table = table
        self._dynamo: Any = client("dynamodb", region)

    def add(
        self, slot: Slot, sightings: Sequence[Sighting], detection: Detection, now: datetime
    ) -> tuple[int, list[Suspicion]]:
        """Count what was seen in a slot: how much of it was new, and what is suspicious there now.

        What was counted before is judged once more: its function may have died before anybody was told.
        """
        row = self.tenant(slot.owner) if slot.signal in OF_MAILU else TenantRow()
        new = self.count(slot, sightings, now, row.generation)
        windows, day = self.read(slot, row.generation), day_of(slot)
        usual = usual_hour(row.busiest, day)
        if slot.signal == "sending":
            most = max(window.lines for window in windows.values())
            # No more than is usual yet, so that one bad day does not become what is usual.
            self.remember_busiest(slot.owner, row, day, min(most, limit_of("sending", detection, usual)))
        return new, judge(slot, sightings, windows, detection, usual)

    def tenant(self, tenant_id: str) -> TenantRow:
        """What is known of a tenant; nothing yet, if it was never seen."""
        answer = self._dynamo.get_item(
            TableName=self._table, Key=to_item({KEY: tenant_key(tenant_id)}), ConsistentRead=True
        )
        item = from_item(answer.get("Item", {}))
        busiest = {name.removeprefix(_DAY): int(count) for name, count in item.items() if name.startswith(_DAY)}
        return TenantRow(int(item.get("generation", 0)), busiest)

    def count(self, slot: Slot, sightings: Iterable[Sighting], now: datetime, generation: int = 0) -> int:
        """Count what was seen in a slot; how much of it was new. An event that was counted before changes nothing."""
        waiting = list({each.event: each for each in sightings}.values())
        before = self.read(slot, generation) if any(each.member for each in waiting) else {}
        full = {start for start, window in before.items() if len(window.members) >= _MEMBERS}
        new = 0
        while waiting:
            chunk = waiting[:_AT_ONCE]
            known = transact(self._dynamo, self._counting(slot, chunk, full, now, generation))
            if known:
                repeated = {chunk[place].event for place in known}
                waiting = [each for each in waiting if each.event not in repeated]
            else:
                new += len(chunk)
                waiting = waiting[_AT_ONCE:]
        return new

    def _counting(
        self, slot: Slot, chunk: Sequence[Sighting], full: set[int], now: datetime, generation: int
    ) -> list[dict[str, Any]]:
        expires = max(slot.over_at, int(now.timestamp())) + _KEPT
        items: list[dict[str, Any]] = [
            {
                "Put": {
                    "TableName": self._table,
                    "Item": to_item({KEY: f"event#{slot.signal}#{each.event}", EXPIRES: expires}),
                    "ConditionExpression": "attribute_not_exists(#key)",
                    "ExpressionAttributeNames": {"#key": KEY},
                }
            }
            for each in chunk
        ]
        members = {each.member for each in chunk if each.member}
        for start in slot.starts:
            adding = members if start not in full else set()
            values: dict[str, Any] = {":n": len(chunk), ":expires": expires, ":members": adding or None}
            items.append(
                {
                    "Update": {
                        "TableName": self._table,
                        "Key": to_item({KEY: _key(slot, start, generation)}),
                        "UpdateExpression": "SET #expires = :expires ADD #lines :n"
                        + (", #members :members" if adding else ""),
                        "ExpressionAttributeNames": {"#expires": EXPIRES, "#lines": "lines"}
                        | ({"#members": "members"} if adding else {}),
                        "ExpressionAttributeValues": to_item(values),
                    }
                }
            )
        return items

    def read(self, slot: Slot, generation: int = 0) -> dict[int, Window]:
        """Both windows of a slot, by their starts."""
        found = {}
        for start in slot.starts:
            key = to_item({KEY: _key(slot, start, generation)})
            item = from_item(self._dynamo.get_item(TableName=self._table, Key=key, ConsistentRead=True).get("Item", {}))
            found[start] = Window(int(item.get("lines", 0)), frozenset(item.get("members", ())))
        return found

    def remember_busiest(self, tenant_id: str, row: TenantRow, day: str, count: int) -> None:
        """Keep the greatest count of a day (`2026-11-22`), and forget days that nothing is compared with any more."""
        if row.busiest.get(day, 0) >= count:
            return
        first = (datetime.fromisoformat(day) - timedelta(days=USUAL_DAYS)).date().isoformat()
        names = {f"#old{n}": _DAY + old for n, old in enumerate(sorted(row.busiest)) if old < first}
        expires = int((datetime.fromisoformat(day) + timedelta(days=_TENANT_DAYS)).timestamp())
        try:
            self._dynamo.update_item(
                TableName=self._table,
                Key=to_item({KEY: tenant_key(tenant_id)}),
                UpdateExpression="SET #day = :count, #expires = :expires"
                + (f" REMOVE {', '.join(names)}" if names else ""),
                ConditionExpression="attribute_not_exists(#day) OR #day < :count",
                ExpressionAttributeNames={"#day": _DAY + day, "#expires": EXPIRES, **names},
                ExpressionAttributeValues=to_item({":count": count, ":expires": expires}),
            )
        except ClientError as error:
            if not condition_failed(error):
                raise


def tenant_key(tenant_id: str) -> str:
    """The key of a tenant's row."""
    return f"tenant#{tenant_id}"


def new_generation(table: str, tenant_id: str, now: datetime) -> dict[str, Any]:
    """The part of a transaction that lets a tenant's windows begin anew."""
    expires = int((now + timedelta(days=_TENANT_DAYS)).timestamp())
    return {
        "Update": {
            "TableName": table,
            "Key": to_item({KEY: tenant_key(tenant_id)}),
            "UpdateExpression": "SET #expires = :expires ADD generation :one",
            "ExpressionAttributeNames": {"#expires": EXPIRES},
            "ExpressionAttributeValues": to_item({":one": 1, ":expires": expires}),
        }
    }


def within_the_hour(table: str, what: str, now: datetime, limit: int) -> list[dict[str, Any]]:
    """The parts of a transaction that count one more of something, and refuse it above `limit` in any hour.

    `limit` is 1 at least. Its windows are two hours long, one beginning each hour: never more than `limit` in an hour,
    and fewer where two busy hours follow each other.
    """
    start = int(now.timestamp()) // HOUR * HOUR
    return [
        {
            "Update": {
                "TableName": table,
                "Key": to_item({KEY: f"hour#{what}#{each}"}),
                "UpdateExpression": "SET #expires = :expires ADD #lines :one",
                "ConditionExpression": "attribute_not_exists(#lines) OR #lines < :limit",
                "ExpressionAttributeNames": {"#expires": EXPIRES, "#lines": "lines"},
                "ExpressionAttributeValues": to_item({":one": 1, ":limit": limit, ":expires": each + 2 * HOUR + _KEPT}),
            }
        }
        for each in (start, start - HOUR)
    ]


def _key(slot: Slot, start: int, generation: int) -> str:
    return f"{slot.owner or 'person'}#{slot.signal}#{slot.subject}#{generation}#{start}"
