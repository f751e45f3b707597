"""Put the restored and proved database in the live one's place; the old one stays beside it, as evidence."""

from dataclasses import dataclass

from lambdas.adapters.database_swap import swap_databases
from lambdas.adapters.database_target import Place, database_target
from lambdas.adapters.lambda_handler import Run, action
from lambdas.adapters.leases import Leases
from lambdas.domain.operation import Operation
from lambdas.domain.swap import swap_of


@dataclass(frozen=True)
class SwapDatabases:
    operation: Operation
    place: Place = "live"


@dataclass(frozen=True)
class DatabasesSwapped:
    """`kept_as` is the name of the database that was live before; None where there was none."""

    host: str
    backup_id: str | None
    kept_as: str | None


@action(SwapDatabases)
def handler(request: SwapDatabases, run: Run) -> DatabasesSwapped:
    settings = run.settings
    target = database_target(settings.region, request.operation, request.place)
    swap = swap_of(request.operation, target.database.name)
    with Leases(settings.region, settings["LEASES_TABLE"]).guard(request.operation, run.seconds_left()):
        done = swap_databases(target.login, swap)
    return DatabasesSwapped(target.login.host, done.backup_id, swap.corrupt if done.corrupt else None)
