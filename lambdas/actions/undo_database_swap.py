"""Undo a swap: the database that was live before takes its place again, and the restored one is kept aside."""

from dataclasses import dataclass

from lambdas.adapters.database_swap import swap_to_undo, undo_swap
from lambdas.adapters.database_target import database_target
from lambdas.adapters.lambda_handler import Run, action
from lambdas.adapters.leases import Leases
from lambdas.domain.operation import Operation
from lambdas.domain.swap import check_aim, undone_name


@dataclass(frozen=True)
class UndoDatabaseSwap:
    """`kept_as` is the database that is to be live again: what `check_swap_undo` has found."""

    operation: Operation
    kept_as: str


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
        swap = swap_to_undo(target.login, target.database.name, undone)
        check_aim(swap, request.kept_as, request.operation)
        undo_swap(target.login, swap, undone)
    return DatabaseSwapUndone(target.login.host, undone)
