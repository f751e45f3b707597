"""The first state of every scenario: read the input strictly, take the lease, record the operation."""

from dataclasses import dataclass
from datetime import UTC, timedelta
from typing import Any

from lambdas.adapters.database_target import Place, database_of, server_of, services_of
from lambdas.adapters.estate_parameter import read_estate
from lambdas.adapters.lambda_handler import Run, action
from lambdas.adapters.operation_record import OperationRecord
from lambdas.domain.errors import InputInvalid
from lambdas.domain.operation import SYSTEM, UNNAMED, Operation, execution_name
from lambdas.domain.recovery_scope import Deletion
from lambdas.domain.scenarios import (
    SCENARIOS,
    BackupInput,
    DatabaseCorruptionInput,
    DataDeletionInput,
    RestoreTestInput,
    ScheduledInput,
    ServicesStartInput,
    SwapUndoInput,
    VaultRestoreInput,
    parse_input,
)

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
    """`duplicate_of` names the operation that already has this scheduled run; then nothing else is set.

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


@action(BeginOperation)
def handler(request: BeginOperation, run: Run) -> Begun:
    scenario = SCENARIOS[request.scenario]
    given = parse_input(scenario, request.input)
    estate = read_estate(run.settings.region)
    place: Place = "fresh" if isinstance(given, DatabaseCorruptionInput) and given.on_fresh else "live"
    if scenario.needs_database:  # what it lacks is told before anything has begun
        server_of(database_of(estate), place)
    if isinstance(given, DatabaseCorruptionInput):
        services_of(estate)
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

    operation = Operation(
        id=execution_name(request.execution),
        scenario=scenario.name,
        execution=request.execution,
        mode=scenario.mode,
        started_at=request.started_at,
        lease=record.take_lease(scenario, request.execution),
        reason=given.reason,
        user_id=SYSTEM if scheduled_for else given.requested_by or UNNAMED,
        incident_id=given.incident_id,
    )
    operation = record.began(operation, scheduled_for)
    if isinstance(given, VaultRestoreInput):
        day = given.backup_date.isoformat() if given.backup_date else None
        return Begun(operation, day, given.backup_id, without_saving=given.without_saving)
    if isinstance(given, DatabaseCorruptionInput):
        day = given.backup_date.isoformat() if given.backup_date else None
        unsaved = not given.pre_restore_backup
        return Begun(
            operation, day, given.backup_id, without_saving=unsaved, even_if_sound=given.even_if_sound, place=place
        )
    if isinstance(given, SwapUndoInput):
        return Begun(operation, kept_as=given.kept_as)
    if isinstance(given, DataDeletionInput):
        return Begun(operation, backup_id=given.backup_id, deletion=given.deletion)
    if isinstance(given, RestoreTestInput):
        return Begun(operation, backup_id=given.backup_id)
    if isinstance(given, ServicesStartInput):
        return Begun(operation, stopped=given.stopped)
    if isinstance(given, BackupInput):
        return Begun(operation, accept_loss=given.accept_loss)
    return Begun(operation)
