"""The first state of every scenario: read the input strictly, take the lease, record the operation."""

from dataclasses import dataclass
from datetime import UTC, timedelta
from typing import Any

from lambdas.adapters.credential_target import credentials_of
from lambdas.adapters.database_target import Place, database_of, server_of, services_of
from lambdas.adapters.estate_parameter import read_estate
from lambdas.adapters.lambda_handler import Run, action
from lambdas.adapters.operation_record import OperationRecord
from lambdas.domain.errors import InputInvalid
from lambdas.domain.operation import SYSTEM, UNNAMED, Operation, execution_name
from lambdas.domain.recovery_scope import Deletion
from lambdas.domain.scenario_inputs import (
    CredentialCompromiseInput,
    DatabaseCorruptionInput,
    DataDeletionInput,
    ScheduledInput,
)
from lambdas.domain.scenarios import SCENARIOS, parse_input, target_of

_CLOCKS_DIFFER = timedelta(minutes=5)


@dataclass(frozen=True)
class BeginOperation:
    """What the state machine knows of itself; `input` is what a person typed or a schedule sent."""

    scenario: str
    execution: str
    started_at: str
    input: Any


@dataclass(frozen=True)
class Begun:
    """`duplicate_of` names the operation that already has this scheduled run, or this tenant; then nothing else is set.

    `accept_loss`, `without_saving` and `even_if_sound` are what a person may allow: see the inputs in
    `domain/scenarios.py`. `place` is where a database is restored, `kept_as` the database that is to be live again,
    `stopped` the execution that is cleared up after.
    """

    operation: Operation | None = None
    backup_date: str | None = None
    backup_id: str | None = None
    duplicate_of: str | None = None
    accept_loss: bool = False
    without_saving: bool = False
    even_if_sound: bool = False
    place: Place = "live"
    deletion: Deletion | None = None
    kept_as: str | None = None
    stopped: str | None = None
    tenant_id: str | None = None


@action(BeginOperation)
def handler(request: BeginOperation, run: Run) -> Begun:
    scenario = SCENARIOS[request.scenario]
    given = parse_input(scenario, request.input)
    estate = read_estate(run.settings.region)
    if scenario.needs_database:  # what it lacks is told before anything has begun
        server_of(database_of(estate), given.asked.get("place", "live"))
    if isinstance(given, DatabaseCorruptionInput):
        services_of(estate)
    if scenario.of_tenant:
        credentials_of(estate)
    if isinstance(given, DataDeletionInput) and given.deleted_at > run.now() + _CLOCKS_DIFFER:
        problem = "deleted_at: expected a time that has come (it ends with its zone: Z is UTC)"
        raise InputInvalid(scenario=scenario.name, problem=problem, example=scenario.example)
    record = OperationRecord(run)

    scheduled_for = None
    if isinstance(given, ScheduledInput) and given.scheduled_for is not None:
        if given.scheduled_for > run.now() + _CLOCKS_DIFFER:
            problem = "scheduled_for: expected a time that has come"
            raise InputInvalid(scenario=scenario.name, problem=problem, example=scenario.example)
        scheduled_for = given.scheduled_for.astimezone(UTC).isoformat()
        owner = record.claim_schedule(scenario, scheduled_for, request.execution)
        if owner != request.execution:
            return Begun(duplicate_of=execution_name(owner))

    target = target_of(scenario, given)
    alarmed = isinstance(given, CredentialCompromiseInput) and given.alarm is not None
    if scenario.of_tenant and (in_hand := record.in_hand(scenario, target, request.execution, alarmed)) is not None:
        return Begun(duplicate_of=execution_name(in_hand))

    operation = Operation(
        id=execution_name(request.execution),
        scenario=scenario.name,
        execution=request.execution,
        mode=scenario.mode,
        started_at=request.started_at,
        lease=record.take_lease(target, request.execution),
        reason=given.reason,
        user_id=SYSTEM if scheduled_for or alarmed else given.requested_by or UNNAMED,
        incident_id=given.incident_id or (execution_name(request.execution) if scenario.of_tenant else None),
    )
    return Begun(record.began(operation, scheduled_for), **given.asked)
