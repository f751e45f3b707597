"""Check that there is a swap to undo, and that it is the one that is meant, while mail still runs."""

from dataclasses import dataclass

from lambdas.adapters.database_swap import swap_to_undo
from lambdas.adapters.database_target import database_target
from lambdas.adapters.lambda_handler import Run, action
from lambdas.domain.operation import Operation
from lambdas.domain.swap import check_aim, undone_name


@dataclass(frozen=True)
class CheckSwapUndo:
    """`kept_as` is the database that a person wants to be live again; without it the swap has to be of the last day."""

    operation: Operation
    kept_as: str | None = None


@dataclass(frozen=True)
class SwapUndoChecked:
    """`kept_as` is the name of the database that will be live again, `swapped_by` the operation that put it aside."""

    host: str
    kept_as: str
    swapped_by: str


@action(CheckSwapUndo)
def handler(request: CheckSwapUndo, run: Run) -> SwapUndoChecked:
    target = database_target(run.settings.region, request.operation)
    name = target.database.name
    swap = swap_to_undo(target.login, name, undone_name(request.operation, name), named=request.kept_as is not None)
    check_aim(swap, request.kept_as, request.operation)
    return SwapUndoChecked(target.login.host, swap.corrupt, swap.operation)
