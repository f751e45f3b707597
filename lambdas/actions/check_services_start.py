"""Check whether the services may run on the live server: not where a stopped recovery has left it for the fresh one."""

from dataclasses import dataclass

from lambdas.adapters.aws import AWS_ERRORS
from lambdas.adapters.database_marks import mark_of
from lambdas.adapters.database_target import database_of
from lambdas.adapters.estate_parameter import read_estate
from lambdas.adapters.executions import Executions
from lambdas.adapters.lambda_handler import Run, action
from lambdas.adapters.postgres import login_of
from lambdas.domain.database_errors import DatabaseMissing
from lambdas.domain.operation import Operation, execution_name
from lambdas.domain.service_errors import ServicesBelongOnFresh

SWAP = "SwapDatabases"
"""The state of a recovery from which on the database may be in place."""


@dataclass(frozen=True)
class CheckServicesStart:
    """`stopped` is the execution that has left the services standing; None where a person wants them to run."""

    operation: Operation
    stopped: str | None = None


@dataclass(frozen=True)
class ServicesStartChecked:
    """`host` is the server that the services run on."""

    host: str


@action(CheckServicesStart)
def handler(request: CheckServicesStart, run: Run) -> ServicesStartChecked:
    region, stopped = run.settings.region, request.stopped
    database = database_of(read_estate(region))
    fresh = database.fresh
    # Another recovery's server is not asked, nor this one's before its swap: it may be off, and mail would stand still.
    if stopped and fresh and _may_be_swapped(Executions(region), stopped):
        try:
            mark = mark_of(login_of(region, fresh, database.name), database.name)
        except DatabaseMissing:
            mark = None
        if mark and mark.part == "live" and mark.operation in (stopped, execution_name(stopped)):
            raise ServicesBelongOnFresh(operation=mark.operation, host=fresh.host)
    return ServicesStartChecked(database.server.host)


def _may_be_swapped(executions: Executions, stopped: str) -> bool:
    """Whether a recovery may have put its database in place on the fresh server."""
    if executions.input_of(stopped).get("on_fresh") is not True:
        return False
    try:
        return not executions.ended_before(stopped, SWAP)
    except AWS_ERRORS:
        return True  # the server itself knows
