"""The database that an operation may touch: what a recovery asks for, and in a rehearsal the staging server alone."""

from dataclasses import dataclass
from typing import Literal

from lambdas.adapters.estate_parameter import read_estate
from lambdas.adapters.postgres import MAINTENANCE, Login, connected, login_of
from lambdas.domain.database_errors import (
    DatabaseNotInEstate,
    DatabaseStagingIsLive,
    DatabaseUnreachable,
    DatabaseVersionDiffers,
    FreshServerNotInEstate,
    ServicesNotInEstate,
)
from lambdas.domain.estate import Estate
from lambdas.domain.estate_database import Database, DatabaseServer
from lambdas.domain.estate_services import Services
from lambdas.domain.mailark_error import MailarkError
from lambdas.domain.operation import Operation

_SECONDS = 15
_WHO = "select system_identifier::text, pg_postmaster_start_time()::text from pg_control_system()"


Place = Literal["live", "staging", "fresh"]
"""The servers of the estate: `fresh` is the one that a recovery may restore onto instead of the live one."""


@dataclass(frozen=True)
class DatabaseTarget:
    """`login` reaches a database of the live one's name on the server that was asked for."""

    estate: Estate
    database: Database
    login: Login


def database_of(estate: Estate) -> Database:
    """The database of an estate. Raises `DatabaseNotInEstate`."""
    if estate.database is None:
        raise DatabaseNotInEstate()
    return estate.database


def services_of(estate: Estate) -> Services:
    """What uses the database. Raises `DatabaseNotInEstate` and `ServicesNotInEstate`."""
    services = database_of(estate).services
    if services is None:
        raise ServicesNotInEstate()
    return services


def database_target(region: str, operation: Operation, place: Place = "live") -> DatabaseTarget:
    """The target of an operation: the server that a recovery asks for, and in a rehearsal the staging one alone.

    Raises `DatabaseNotInEstate`, `FreshServerNotInEstate`, `DatabaseVersionDiffers`, `DatabaseStagingIsLive`, and as
    `connected` does.
    """
    estate = read_estate(region)
    database = database_of(estate)
    if operation.mode == "rehearse":
        place = "staging"
    login = login_of(region, server_of(database, place), database.name)
    require_major(login.to(MAINTENANCE), database.major)
    if place != "live":
        _refuse_the_live_one(login, login_of(region, database.server, database.name), place)
    return DatabaseTarget(estate, database, login)


def server_of(database: Database, place: Place) -> DatabaseServer:
    """One of the servers of a database. Raises `FreshServerNotInEstate`."""
    if place == "live":
        return database.server
    if place == "staging":
        return database.staging
    if database.fresh is None:
        raise FreshServerNotInEstate()
    return database.fresh


def require_major(login: Login, major: int) -> None:
    """Raise `DatabaseVersionDiffers` unless a server is of that major version."""
    with connected(login, _SECONDS) as session:
        found = session.info.server_version // 10_000
    if found != major:
        raise DatabaseVersionDiffers(host=login.host, found=found, wanted=major)


def _refuse_the_live_one(staging: Login, live: Login, place: Place) -> None:
    """Two names may lead to one server. A live server that does not answer is not the one that has just answered."""
    try:
        lives = _who(live)
    except DatabaseUnreachable:
        return
    except MailarkError:
        if place == "fresh":  # a corrupt server may answer anything, and is why the fresh one is asked for
            return
        raise
    if _who(staging) == lives:
        raise DatabaseStagingIsLive(staging=f"{staging.host}:{staging.port}", live=f"{live.host}:{live.port}")


def _who(login: Login) -> object:
    with connected(login.to(MAINTENANCE), _SECONDS) as session:
        return session.execute(_WHO).fetchone()
