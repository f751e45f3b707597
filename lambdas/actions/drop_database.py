"""Drop the database that a restore has made, and all that is in it; one that is gone already is fine."""

from dataclasses import dataclass

from lambdas.adapters.database_target import Place, database_target
from lambdas.adapters.lambda_handler import Run, action
from lambdas.adapters.leases import Leases
from lambdas.adapters.throwaway_database import drop_database
from lambdas.domain.operation import Operation
from lambdas.domain.throwaway import Purpose, throwaway_name


@dataclass(frozen=True)
class DropDatabase:
    operation: Operation
    purpose: Purpose
    place: Place = "live"


@dataclass(frozen=True)
class DatabaseDropped:
    host: str
    database: str


@action(DropDatabase)
def handler(request: DropDatabase, run: Run) -> DatabaseDropped:
    settings = run.settings
    target = database_target(settings.region, request.operation, request.place)
    login = target.login.to(throwaway_name(request.purpose, target.database.name))
    with Leases(settings.region, settings["LEASES_TABLE"]).guard(request.operation, run.seconds_left()):
        drop_database(login)
    return DatabaseDropped(login.host, login.database)
