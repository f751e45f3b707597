"""Assess the live database: read all that it stores, and say what is damaged; nothing is changed."""

from dataclasses import dataclass

from lambdas.adapters.database_assessment import ASSESS_SECONDS, assess_database
from lambdas.adapters.database_target import database_of
from lambdas.adapters.estate_parameter import read_estate
from lambdas.adapters.lambda_handler import Run, action
from lambdas.adapters.postgres import login_of
from lambdas.domain.damage import Assessment, refuse_without_need, unreadable_tables
from lambdas.domain.operation import Operation

_MARGIN_SECONDS = 30


@dataclass(frozen=True)
class AssessDatabase:
    """`even_if_sound` lets a recovery go on where it is not called for, since a person wants it."""

    operation: Operation
    even_if_sound: bool = False


@dataclass(frozen=True)
class DatabaseAssessed:
    """`unreadable` are the damaged tables; `reached` is whether anything of the database can still be saved."""

    assessment: Assessment
    unreadable: list[str]
    reached: bool


@action(AssessDatabase)
def handler(request: AssessDatabase, run: Run) -> DatabaseAssessed:
    database = database_of(read_estate(run.settings.region))
    login = login_of(run.settings.region, database.server, database.name)
    found = assess_database(login, min(ASSESS_SECONDS, run.seconds_left() - _MARGIN_SECONDS))
    if not request.even_if_sound:
        refuse_without_need(database.name, found)
    return DatabaseAssessed(found, unreadable_tables(found), found.verdict != "unreachable")
