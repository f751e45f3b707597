"""The audit trail in DynamoDB: one hash chain a scope, appended in transactions, and the questions asked of it.

Two tables: `events` holds the chain and is only ever put into, `heads` holds where each chain ends. The design of
the chain is `domain/audit.py`; who may write is in `infra/permissions.py`.
"""

import json
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from lambdas.adapters.aws import AWS_ERRORS, client
from lambdas.adapters.tables import all_items, from_item, to_item
from lambdas.domain.audit import EMPTY, End, Event, Link, link, unreadable
from lambdas.domain.canonical import canonical_json
from lambdas.domain.errors import AuditConflict

BY_EVENT, BY_OPERATION, BY_PERSON = "by-event", "by-operation", "by-person"
_ID = "id#"
"""Before the id of an event that was appended: a row of the heads table, so that no event is appended twice."""
_ATTEMPTS, _FIRST_WAIT, _LONGEST_WAIT = 20, 0.05, 3.0
"""Fifty writers of one chain come through with these; who does not has waited for 24 s (45 s at most), and a function
that audits has 60."""
_NIGHT_FROM, _NIGHT_TO = 22, 6
_PAGE = 10
"""Who reads from the newest event on has mostly read enough with the first."""


def tenant_scope(tenant_id: str) -> str:
    """The chain of a tenant's events."""
    return f"tenant#{tenant_id}"


class AuditTrail:
    """The trail of one region. With a `spool`, an event that the tables do not take is kept there."""

    def __init__(
        self, region: str, events_table: str, heads_table: str, spool: Callable[[str, Event], None] | None = None
    ) -> None:
        self._events, self._heads, self._spool = events_table, heads_table, spool
        self._dynamo: Any = client("dynamodb", region)

    def append(self, scope: str, event: Event) -> None:
        """Append an event to a chain, once: an event whose id is known already is left as it is.

        A recovery must not stop for it: what cannot be chained is spooled, to be chained later. Without a spool, or
        when that fails too, it raises what the table said, or `AuditConflict` when other writers were faster every
        time.
        """
        try:
            self._chain(scope, event)
        except (AuditConflict, *AWS_ERRORS) as refusal:
            if self._spool is None:
                raise
            try:
                self._spool(scope, event)
            except AWS_ERRORS:
                raise refusal from None

    def _chain(self, scope: str, event: Event) -> None:
        for attempt in range(_ATTEMPTS):
            sequence, previous = self.head(scope)
            try:
                self._transact(link(scope, sequence + 1, previous, event), previous)
                return
            except ClientError as error:
                reasons = [r.get("Code") for r in error.response.get("CancellationReasons", [])]
                if error.response["Error"]["Code"] != "TransactionCanceledException":
                    raise
                if reasons[:1] == ["ConditionalCheckFailed"]:
                    return
            longest = min(_LONGEST_WAIT, _FIRST_WAIT * 2**attempt)
            time.sleep(random.uniform(0, longest))  # noqa: S311  # jitter, not cryptography
        raise AuditConflict(event=event.event, scope=scope, attempts=_ATTEMPTS)

    def head(self, scope: str) -> End:
        """Where a chain ends: the sequence and hash of its last event; (0, GENESIS) for an empty one."""
        answer = self._dynamo.get_item(TableName=self._heads, Key=to_item({"scope": scope}), ConsistentRead=True)
        if "Item" not in answer:
            return EMPTY
        item = from_item(answer["Item"])
        return int(item["sequence"]), str(item["hash"])

    def _transact(self, new: Link, previous: str) -> None:
        event = asdict(new.event)
        event["details"] = canonical_json(new.event.details).decode()
        item = event | {
            "scope": new.scope,
            "sequence": new.sequence,
            "previous": new.previous,
            "hash": new.hash,
        }
        head = {"scope": new.scope, "sequence": new.sequence, "hash": new.hash}
        at_end: dict[str, Any] = {"ConditionExpression": "attribute_not_exists(#scope)"}
        at_end["ExpressionAttributeNames"] = {"#scope": "scope"}
        if new.sequence > 1:
            at_end = {
                "ConditionExpression": "#hash = :previous",
                "ExpressionAttributeNames": {"#hash": "hash"},
                "ExpressionAttributeValues": to_item({":previous": previous}),
            }
        self._dynamo.transact_write_items(
            TransactItems=[
                self._put_once(self._heads, {"scope": f"{_ID}{new.event.id}", "chain": new.scope}, "scope"),
                self._put_once(self._events, item, "sequence"),
                {"Put": {"TableName": self._heads, "Item": to_item(head), **at_end}},
            ]
        )

    @staticmethod
    def _put_once(table: str, item: dict[str, Any], key: str) -> dict[str, Any]:
        return {
            "Put": {
                "TableName": table,
                "Item": to_item(item),
                "ConditionExpression": "attribute_not_exists(#key)",
                "ExpressionAttributeNames": {"#key": key},
            }
        }

    # --- reading ------------------------------------------------------------------------------------------

    def chain(self, scope: str, after: int = 0) -> Iterator[Link]:
        """Every event of a chain after a sequence, in order; one that cannot be read is there, and not whole."""
        condition = "#key = :key AND #sequence > :after"
        names, values = {"#key": "scope", "#sequence": "sequence"}, {":key": scope, ":after": after}
        for item in self._items(condition, names, values, ConsistentRead=True):
            yield link_of(item)

    def chain_until_head(self, scope: str) -> "UntilHead":
        """A chain that may grow while it is read, with the head that goes with where it was read to."""
        return UntilHead(self, scope)

    def has(self, scope: str, sequence: int) -> bool:
        """Whether the chain has an event of this number."""
        key = to_item({"scope": scope, "sequence": sequence})
        return "Item" in self._dynamo.get_item(TableName=self._events, Key=key, ConsistentRead=True)

    def has_event(self, event_id: str) -> bool:
        """Whether an event of this id was chained."""
        key = to_item({"scope": f"{_ID}{event_id}"})
        return "Item" in self._dynamo.get_item(TableName=self._heads, Key=key, ConsistentRead=True)

    def heads(self) -> dict[str, End]:
        """Where every chain ends."""
        rows = all_items(
            self._dynamo.scan,
            TableName=self._heads,
            ConsistentRead=True,
            FilterExpression="attribute_exists(#hash)",
            ExpressionAttributeNames={"#hash": "hash"},
        )
        return {row["scope"]: (row["sequence"], row["hash"]) for row in rows}

    def known_ids(self) -> dict[str, set[str]]:
        """By chain, the ids of the events that it is said to hold: one with such an id is not appended again."""
        rows = all_items(
            self._dynamo.scan,
            TableName=self._heads,
            ConsistentRead=True,
            FilterExpression="begins_with(#scope, :id)",
            ExpressionAttributeNames={"#scope": "scope"},
            ExpressionAttributeValues=to_item({":id": _ID}),
        )
        found: dict[str, set[str]] = {}
        for row in rows:
            found.setdefault(str(row.get("chain")), set()).add(row["scope"].removeprefix(_ID))
        return found

    def of_tenant(self, tenant_id: str) -> list[Event]:
        """All events of a tenant, oldest first."""
        return [each.event for each in self.chain(tenant_scope(tenant_id))]

    def of_operation(self, operation_id: str) -> list[Event]:
        """All events of an operation, oldest first."""
        return [_event(item) for item in self._query(BY_OPERATION, "operation_id", operation_id)]

    def of_person(self, user_id: str) -> list[Event]:
        """All actions of one person (or of `system`), oldest first."""
        return [_event(item) for item in self._query(BY_PERSON, "user_id", user_id)]

    def of_kind(self, event: str, since: datetime) -> list[Event]:
        """All events of one name since a moment, oldest first."""
        return [_event(item) for item in self._query(BY_EVENT, "event", event, since)]

    def emergency_resets(self, now: datetime, days: int = 30) -> list[Event]:
        """All emergency resets of the last `days` days."""
        return self.of_kind("smtp_credentials_emergency_reset", now - timedelta(days=days))

    def resets_without_incident(self, now: datetime, days: int = 30) -> list[Event]:
        """Emergency resets that name no incident: each is to be explained."""
        return [event for event in self.emergency_resets(now, days) if not event.details.get("incident_id")]

    def accesses_per_person(self, now: datetime) -> dict[str, int]:
        """How many credentials each person has read in the last hour; more than 5 is an alert (`platform-facts.md`)."""
        counts: dict[str, int] = {}
        for event in self.of_kind("smtp_credentials_accessed", now - timedelta(hours=1)):
            counts[event.user_id] = counts.get(event.user_id, 0) + 1
        return counts

    def accesses_at_night(self, now: datetime, days: int = 30) -> list[Event]:
        """Reads of credentials between 22:00 and 06:00 UTC."""
        accesses = self.of_kind("smtp_credentials_accessed", now - timedelta(days=days))
        hours = ((event, datetime.fromisoformat(event.timestamp).astimezone(UTC).hour) for event in accesses)
        return [event for event, hour in hours if hour >= _NIGHT_FROM or hour < _NIGHT_TO]

    def _query(self, index: str, name: str, value: str, since: datetime | None = None) -> Iterator[dict[str, Any]]:
        condition, names, values = "#key = :key", {"#key": name}, {":key": value}
        if since is not None:
            condition += " AND #at >= :since"
            names["#at"] = "timestamp"
            values[":since"] = timestamp(since)
        return self._items(condition, names, values, IndexName=index)

    def _items(
        self, condition: str, names: dict[str, str], values: dict[str, Any], **how: Any
    ) -> Iterator[dict[str, Any]]:
        return all_items(
            self._dynamo.query,
            TableName=self._events,
            KeyConditionExpression=condition,
            ExpressionAttributeNames=names,
            ExpressionAttributeValues=to_item(values),
            **how,
        )


def newest_events(region: str, events_table: str, event: str) -> Iterator[Event]:
    """The events of one name in the trail of a region, newest first; a moment may pass before an index shows one."""
    dynamo: Any = client("dynamodb", region)
    items = all_items(
        dynamo.query,
        TableName=events_table,
        IndexName=BY_EVENT,
        KeyConditionExpression="#key = :key",
        ExpressionAttributeNames={"#key": "event"},
        ExpressionAttributeValues=to_item({":key": event}),
        ScanIndexForward=False,
        Limit=_PAGE,
    )
    return map(_event, items)


class UntilHead:
    """A chain read up to its head: `head` is set when the links are through."""

    def __init__(self, trail: AuditTrail, scope: str) -> None:
        self._trail, self._scope = trail, scope
        self.head: End = EMPTY

    def links(self) -> Iterator[Link]:
        """Every event of the chain; those too that come while it is read, as far as the head that was asked last."""
        read = before = 0
        while True:
            for each in self._trail.chain(self._scope, read):
                read = each.sequence
                yield each
            self.head = self._trail.head(self._scope)
            if self.head[0] <= read or read == before:
                return
            before = read


def timestamp(moment: datetime) -> str:
    """A moment as the trail writes it: RFC 3339 in UTC with milliseconds, which sorts as text."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def link_of(item: dict[str, Any]) -> Link:
    """An event of the table in its place. One that nobody can have appended has no hash, and so is not whole."""
    try:
        return Link(item["scope"], item["sequence"], item["previous"], _event(item), item["hash"])
    except (KeyError, TypeError, ValueError):
        return unreadable(item["scope"], item["sequence"])


def _event(item: dict[str, Any]) -> Event:
    fields = ("tenant_id", "operation_id", "ip_address", "user_agent")
    return Event(
        id=item["id"],
        event=item["event"],
        user_id=item["user_id"],
        timestamp=item["timestamp"],
        severity=item["severity"],
        details=json.loads(item["details"]),
        **{name: item.get(name) for name in fields},
    )
