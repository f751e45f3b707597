"""What is kept of an operation: its row, its events in the audit trail, and its lease, written together.

The first states and the last states of every scenario use it; the order of the writes is such that any of them
can die after any write, and be run again.
"""

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from lambdas.adapters.audit_trail import timestamp
from lambdas.adapters.aws import AWS_ERRORS
from lambdas.adapters.catalog import Catalog
from lambdas.adapters.executions import Executions
from lambdas.adapters.lambda_handler import Run
from lambdas.adapters.leases import Leases
from lambdas.adapters.operations import OperationRow, Operations
from lambdas.adapters.spooled_trail import spooled_trail
from lambdas.domain.audit import Event, Severity, event_id
from lambdas.domain.errors import OperationStopped, OperationUnknown
from lambdas.domain.failure import with_way_out
from lambdas.domain.lease import COOL_DOWN
from lambdas.domain.mailark_error import Failure
from lambdas.domain.operation import UNNAMED, Lease, Operation, execution_name, scenario_of
from lambdas.domain.scenarios import SCENARIOS, Scenario, scope_of
from lambdas.domain.tenant import tenant_of


class OperationRecord:
    """The record of one region."""

    def __init__(self, run: Run) -> None:
        settings = self._settings = run.settings
        self._now = run.now
        self._operations = Operations(settings.region, settings["OPERATIONS_TABLE"])
        self._leases = Leases(settings.region, settings["LEASES_TABLE"])
        self._trail = spooled_trail(settings)
        self._executions = Executions(settings.region)

    def claim_schedule(self, scenario: Scenario, scheduled_for: str, execution: str) -> str:
        """The execution that a scheduled run belongs to: this one, or another that runs or has succeeded."""
        owner = self._operations.claim_schedule(scenario.name, scheduled_for, execution)
        if owner == execution or self._executions.runs(owner) or self._has_succeeded(owner):
            return owner
        return self._operations.claim_schedule(scenario.name, scheduled_for, execution, instead_of=owner)

    def _has_succeeded(self, execution: str) -> bool:
        try:
            return self._operations.of_execution(execution).status == "succeeded"
        except OperationUnknown:
            return False

    def take_lease(self, target: str, execution: str) -> Lease:
        """Take the lease on a target. Raises `TargetBusy` and `TargetSettling`."""
        return self._leases.take(target, execution, self._executions.runs)

    def in_hand(self, scenario: Scenario, target: str, execution: str, alarmed: bool) -> str | None:
        """The other execution of a scenario that has this target in hand, which a second one joins; None if there is
        none.

        An alarm also joins one that has just succeeded: what it tells of is most likely older than that.
        """
        row = self._leases.row(target)
        if row is None or row.owner == execution or scenario_of(row.owner) != scenario.name:
            return None
        if row.held:
            return row.owner if self._executions.runs(row.owner) else None
        just_now = alarmed and self._now() - row.since < COOL_DOWN
        return row.owner if just_now and self._has_succeeded(row.owner) else None

    def began(self, operation: Operation, scheduled_for: str | None = None) -> Operation:
        """Record that an operation has begun, and give it back under the id that it has got.

        Raises `OperationStopped` where its end was recorded before it could begin, and frees the target again.
        """
        row = self._operations.begin(operation, scheduled_for)
        if row.status != "running":
            self._leases.release(operation.lease.target, operation.execution)
            raise OperationStopped(scenario=operation.scenario)
        begun = dataclasses.replace(row.operation, lease=operation.lease)
        self._tell_begun(begun)
        return begun

    def _tell_begun(self, operation: Operation) -> None:
        details = {
            "scenario": operation.scenario,
            "target": operation.lease.target,
            "mode": operation.mode,
            "reason": operation.reason,
            "incident_id": operation.incident_id,
        }
        self._append(operation, "operation_started", "info", details)

    def completed(self, operation: Operation, outcome: dict[str, Any], details: dict[str, Any]) -> None:
        """Record that an operation has succeeded, and free its target; an end that was recorded before stands."""
        ended_at = timestamp(self._now())
        self._operations.end(operation.id, "succeeded", ended_at, outcome | {"details": details})
        self._close(operation.id)

    def failed(
        self,
        scenario: Scenario,
        execution: str,
        failure: Failure,
        state: str | None,
        details: Mapping[str, Any] = MappingProxyType({}),
    ) -> OperationRow:
        """Record that an operation has failed, and free its target; an end that was recorded before stands.

        `state` is where it failed, if anybody knows, and `details` what it has done all the same.
        """
        try:
            row = self._operations.of_execution(execution)
        except OperationUnknown:
            row = self._never_begun(scenario, execution)
        if row.operation.lease.token:  # it has begun, and may have died between the row of that and the event
            self._tell_begun(row.operation)
        if row.status == "running":
            told = with_way_out(failure, scenario.name, state, self._saved_by(row.operation.id))
            outcome = dataclasses.asdict(told) | {"state": state, "details": dict(details)}
            self._operations.end(row.operation.id, "failed", timestamp(self._now()), outcome)
        return self._close(row.operation.id)

    def _close(self, operation_id: str) -> OperationRow:
        """Tell the trail how an operation ended, and free its target.

        The row is written before, and once: so the trail never tells two ends, whatever dies, and in which order.
        """
        row = self._operations.get(operation_id)
        operation, outcome = row.operation, row.outcome
        scenario = SCENARIOS[operation.scenario]
        details = outcome.get("details", {})
        if row.status == "succeeded":
            self._append(operation, scenario.completed, scenario.severity, details)
        else:
            details |= {"code": outcome["code"], "sentence": outcome["sentence"], "state": outcome.get("state")}
            self._append(operation, scenario.failed, "critical", details)
        self._leases.release(operation.lease.target, operation.execution)
        return row

    def _saved_by(self, operation_id: str) -> str | None:
        """The backup that an operation made of what it was about to overwrite."""
        try:
            rows = Catalog(self._settings.region, self._settings["CATALOG_TABLE"]).rows()
        except AWS_ERRORS:  # a failure is recorded whether or not it is known how to go back
            return None
        return next((row.id for row in rows if row.series == "pre-restore" and row.operation_id == operation_id), None)

    def _never_begun(self, scenario: Scenario, execution: str) -> OperationRow:
        """Record an operation that failed before `BeginOperation` had recorded it: its input was refused, say."""
        operation = Operation(
            id=execution_name(execution),
            scenario=scenario.name,
            execution=execution,
            mode=scenario.mode,
            started_at=timestamp(self._now()),
            lease=Lease(scenario.target, token=0),  # no owner of a lease has this one
            reason="it never began",
            user_id=UNNAMED,
        )
        return self._operations.begin(operation)

    def _append(self, operation: Operation, event: str, severity: Severity, details: dict[str, Any]) -> None:
        self._trail.append(
            scope_of(operation),
            Event(
                id=event_id(operation.id, event),
                event=event,
                user_id=operation.user_id,
                timestamp=timestamp(self._now()),
                severity=severity,
                operation_id=operation.id,
                details=details,
                tenant_id=tenant_of(operation.lease.target),
            ),
        )
