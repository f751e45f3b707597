"""The two sides of a recovery of rows: the backup, restored on the staging server, and the live database."""

from dataclasses import dataclass

from lambdas.adapters.database_target import database_target
from lambdas.adapters.postgres import Login
from lambdas.domain.operation import Operation
from lambdas.domain.throwaway import throwaway_name


@dataclass(frozen=True)
class RecoveryLogins:
    """`backup` reaches the restored backup, and `live` the database that rows go into."""

    backup: Login
    live: Login


def recovery_logins(region: str, operation: Operation) -> RecoveryLogins:
    """Where rows come from and where they go. Raises as `database_target`."""
    staging = database_target(region, operation, "staging")
    name = throwaway_name("before", staging.database.name)
    return RecoveryLogins(staging.login.to(name), database_target(region, operation).login)
