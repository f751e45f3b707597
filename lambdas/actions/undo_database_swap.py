"""Undo a swap: the database that was live before takes its place again, and the restored one is kept aside."""

from dataclasses import dataclass

from lambdas.adapters.database_swap import find_swap_to_undo, undo_swap
from lambdas.adapters.database_target import database_target
from lambdas.adapters.lambda_handler import Run, action
from lambdas.adapters.leases import Leases
from lambdas.domain.operation import Operation
from lambdas.domain.swap import undone_name


@dataclass(frozen=True)
class UndoDatabaseSwap:
    """`put_back` is the database that is to be live again; without it, the one that the last swap put aside."""

    operation: Operation
    put_back: str | None = None


@dataclass(frozen=True)
class DatabaseSwapUndone:
    """`kept_as` is the name that the restored database has now."""

    host: str
    kept_as: str


@action(UndoDatabaseSwap)
def handler(request: UndoDatabaseSwap, run: Run) -> DatabaseSwapUndone:
    settings = run.settings
    target = database_target(settings.region, request.operation)
    undone = undone_name(request.operation, target.database.name)
    with Leases(settings.region, settings["LEASES_TABLE"]).guard(request.operation, run.seconds_left()):
        swap = find_swap_to_undo(target.login, target.database.name, request.put_back)
        undo_swap(target.login, swap, undone)
    return DatabaseSwapUndone(target.login.host, undone)
