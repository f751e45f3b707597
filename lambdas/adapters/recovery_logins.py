"""The two sides of a recovery of rows: the backup, restored on the staging server, and the live database."""

from dataclasses import dataclass

from lambdas.adapters.database_marks import mark_of
from lambdas.adapters.database_target import database_target
from lambdas.adapters.postgres import Login
from lambdas.domain.operation import Operation
from lambdas.domain.recovery_errors import RecoverySourceForeign
from lambdas.domain.throwaway import throwaway_name


@dataclass(frozen=True)
class RecoveryLogins:
    """`backup` reaches the restored backup, and `live` the database that rows go into."""

    backup: Login
    live: Login


def recovery_logins(region: str, operation: Operation) -> RecoveryLogins:
    """Where rows come from and where they go, once the backup is seen to be what this operation has proved.

    Raises `RecoverySourceForeign`, `DatabaseMissing`, and as `database_target` and `connected`.
    """
    staging = database_target(region, operation, "staging")
    backup = staging.login.to(throwaway_name("before", staging.database.name))
    mark = mark_of(backup, backup.database)
    # Its name is the same for every operation: the mark alone says whose it is.
    if mark is None or mark.operation != operation.id or not mark.verified:
        raise RecoverySourceForeign(database=backup.database, host=backup.host)
    return RecoveryLogins(backup, database_target(region, operation).login)
