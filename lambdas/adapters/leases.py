"""Leases in DynamoDB: taken, confirmed and released by conditional writes; the rule is `domain/lease.py`."""

import contextlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from lambdas.adapters.aws import AWS_ERRORS, client
from lambdas.adapters.tables import all_items, condition_failed, from_item, to_item
from lambdas.domain.errors import LeaseLost, TargetBusy, TargetSettling
from lambdas.domain.lease import LeaseRow, judge
from lambdas.domain.operation import Lease, Operation, execution_name

_ATTEMPTS = 5


class Leases:
    """The lease table of one region. Times in it are RFC 3339 in UTC with microseconds, which sort as text."""

    def __init__(self, region: str, table: str) -> None:
        self._table = table
        self._dynamo: Any = client("dynamodb", region)

    def take(self, target: str, me: str, runs: Callable[[str], bool]) -> Lease:
        """Take the lease on `target` for the execution `me`; `runs` tells whether an execution still runs.

        Raises `TargetBusy` while another execution holds it, and `TargetSettling` while a function of an ended
        one may still be at work.
        """
        for _ in range(_ATTEMPTS):
            row, now = self._read(target), datetime.now(UTC)
            others = row is not None and row.held and row.owner != me
            verdict = judge(row, me, now, owner_runs=others and row is not None and runs(row.owner))
            if row is not None and verdict == "mine":
                return Lease(target, row.token)
            if row is not None and verdict == "held":
                break
            if row is not None and verdict == "settling":
                raise _settling(row)
            if self._write(target, me, row, now):
                return Lease(target, (row.token if row else 0) + 1)
        row = self._read(target)
        assert row is not None  # a row that somebody else has written is why this one was not
        raise _busy(row)

    def _read(self, target: str) -> LeaseRow | None:
        answer = self._dynamo.get_item(TableName=self._table, Key=to_item({"target": target}), ConsistentRead=True)
        if "Item" not in answer:
            return None
        return _row(from_item(answer["Item"]))

    def rows(self) -> list[LeaseRow]:
        """Every lease that was ever taken; there is one a target."""
        return [_row(item) for item in all_items(self._dynamo.scan, TableName=self._table, ConsistentRead=True)]

    def _write(self, target: str, me: str, row: LeaseRow | None, now: datetime) -> bool:
        item = {
            "target": target,
            "owner": me,
            "token": (row.token if row else 0) + 1,
            "held": True,
            "busy_until": _text(now),
            "since": _text(now),
        }
        condition: dict[str, Any] = {"ConditionExpression": "attribute_not_exists(target)"}
        if row is not None:
            condition = {
                "ConditionExpression": "#owner = :owner AND #token = :token AND held = :held AND busy_until <= :now",
                "ExpressionAttributeNames": {"#owner": "owner", "#token": "token"},
                "ExpressionAttributeValues": to_item(
                    {":owner": row.owner, ":token": row.token, ":held": row.held, ":now": _text(now)}
                ),
            }
        try:
            self._dynamo.put_item(TableName=self._table, Item=to_item(item), **condition)
        except ClientError as error:
            if condition_failed(error):
                return False
            raise
        return True

    @contextlib.contextmanager
    def guard(self, operation: Operation, seconds_left: float) -> Iterator[None]:
        """Hold the lease while the block changes the target; `seconds_left` is how long this function may still run.

        Until that time nobody else may take the target over, however this process ends. Nothing has been changed
        when it raises `LeaseLost` (another operation has taken the target over) or `TargetSettling` (another function
        of this very operation may still be at work: Step Functions had lost its answer and started a second one).
        """
        now = datetime.now(UTC)
        until = now + timedelta(seconds=seconds_left)
        self._update_mine(
            operation.lease,
            operation.execution,
            "SET busy_until = :until",
            {":until": _text(until), ":held": True, ":now": _text(now)},
            # An own write whose answer was lost is sent again by botocore, and finds what it has written itself.
            "held = :held AND (busy_until <= :now OR busy_until = :until)",
        )
        try:
            yield
        except BaseException:
            with contextlib.suppress(LeaseLost, *AWS_ERRORS):  # the first error is the one to tell
                self._leave(operation)
            raise
        self._leave(operation)

    def _leave(self, operation: Operation) -> None:
        """Let others in; also when this operation was stopped meanwhile, and its lease given back for it."""
        values = {":until": _text(datetime.now(UTC))}
        self._update_mine(operation.lease, operation.execution, "SET busy_until = :until", values)

    def row(self, target: str) -> LeaseRow | None:
        """Who has the lease on `target`, or had it last; None where nobody ever had."""
        return self._read(target)

    def holder(self, target: str) -> str | None:
        """The execution that holds the lease on `target`, or None."""
        row = self._read(target)
        return row.owner if row is not None and row.held else None

    def refuse_while_held(self, target: str) -> None:
        """Raise `TargetBusy` while anybody holds the lease on `target`."""
        row = self._read(target)
        if row is not None and row.held:
            raise _busy(row)

    def release(self, target: str, owner: str) -> None:
        """Give the lease back, if `owner` holds it. What a function of it may still be doing stays respected."""
        with contextlib.suppress(LeaseLost):
            self._update_mine(Lease(target, 0), owner, "SET held = :free", {":free": False})

    def _update_mine(
        self, lease: Lease, owner: str, update: str, values: dict[str, Any], further: str | None = None
    ) -> None:
        """Change a row that is this owner's; `further` is what must hold as well."""
        mine = "#owner = :owner" + (" AND #token = :token" if lease.token else "")
        names = {"#owner": "owner"} | ({"#token": "token"} if lease.token else {})
        known = {":owner": owner} | ({":token": lease.token} if lease.token else {})
        try:
            self._dynamo.update_item(
                TableName=self._table,
                Key=to_item({"target": lease.target}),
                UpdateExpression=update,
                ConditionExpression=f"{mine} AND {further}" if further else mine,
                ExpressionAttributeNames=names,
                ExpressionAttributeValues=to_item(values | known),
            )
        except ClientError as error:
            if not condition_failed(error):
                raise
            row = self._read(lease.target)
            if row is not None and row.held and (row.owner, row.token) == (owner, lease.token):
                raise _settling(row) from None
            holder = execution_name(row.owner) if row and row.held else "nobody"
            raise LeaseLost(target=lease.target, holder=holder) from None


def _row(item: dict[str, Any]) -> LeaseRow:
    times = {name: datetime.fromisoformat(item[name]) for name in ("busy_until", "since")}
    return LeaseRow(**(item | times))


def _busy(row: LeaseRow) -> TargetBusy:
    holder, since = execution_name(row.owner), _text(row.since)
    return TargetBusy(target=row.target, holder=holder, since=since, execution=row.owner)


def _settling(row: LeaseRow) -> TargetSettling:
    return TargetSettling(target=row.target, holder=execution_name(row.owner), until=_text(row.busy_until))


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
