"""Assess the live database: read all that it stores, and record what is damaged; nothing is changed."""

from dataclasses import dataclass

import msgspec

from lambdas.adapters.audit_trail import timestamp
from lambdas.adapters.database_assessment import assess_database
from lambdas.adapters.database_target import database_of
from lambdas.adapters.estate_parameter import read_estate
from lambdas.adapters.lambda_handler import Run, action
from lambdas.adapters.postgres import login_of
from lambdas.adapters.spooled_trail import spooled_trail
from lambdas.domain.audit import Event, event_id
from lambdas.domain.damage import Assessment, refuse_without_need, unreadable_tables
from lambdas.domain.operation import Operation
from lambdas.domain.scenarios import scope_of

_MARGIN_SECONDS = 30


@dataclass(frozen=True)
class AssessDatabase:
    """`even_if_sound` lets a recovery go on where it is not called for, since a person wants it."""

    operation: Operation
    even_if_sound: bool = False


@dataclass(frozen=True)
class DatabaseAssessed:
    """`unreadable` are the damaged tables, which a dump has to leave out."""

    assessment: Assessment
    unreadable: list[str]


@action(AssessDatabase)
def handler(request: AssessDatabase, run: Run) -> DatabaseAssessed:
    database = database_of(read_estate(run.settings.region))
    login = login_of(run.settings.region, database.server, database.name)
    found = assess_database(login, run.seconds_left() - _MARGIN_SECONDS)
    _record(request.operation, run, database.name, found)  # what was found is worth knowing whatever becomes of it
    if not request.even_if_sound:
        refuse_without_need(database.name, found)
    return DatabaseAssessed(found, unreadable_tables(found))


def _record(operation: Operation, run: Run, database: str, found: Assessment) -> None:
    """Tell the audit trail, once: an assessment that runs again tells what it finds to its caller alone."""
    event = Event(
        id=event_id(operation.id, "database_assessed"),
        event="database_assessed",
        user_id=operation.user_id,
        timestamp=timestamp(run.now()),
        severity="info" if found.verdict == "sound" else "warning",
        operation_id=operation.id,
        details={"database": database, **msgspec.to_builtins(found)},
    )
    spooled_trail(run.settings).append(scope_of(operation), event)
