"""`verify_services`: the services are healthy, and their own role gets the answers that the estate expects."""

import pytest

from lab.services import LabServices
from lambdas.domain.database_errors import (
    DatabaseCheckFailed,
    DatabaseMissing,
    DatabaseRequestFailed,
    ServicesNotInEstate,
)
from lambdas.domain.estate_database import DatabaseCheck
from lambdas.domain.service_errors import ServicesUnhealthy
from tests.actions.database_house import NIGHT, Databases, Event, change_database, control_of
from tests.actions.house import House

BRIEF = 63.0
"""Seconds of a function; three of them are for health."""


def _verify(house: House, seconds: float | None = None, **more: object) -> Event:
    operation = house.operation("database_corruption", started_at=NIGHT)
    verified: Event = house.run("verify_services", {"operation": operation} | more, seconds=seconds)
    return verified


def test_services_that_work_are_proved_however_often_this_runs(
    house: House, database: Databases, services: LabServices
) -> None:
    before = database.contents()
    assert [_verify(house) for _ in range(2)] == [{"healthy": services.health_urls, "checks": 2}] * 2
    assert database.contents() == before


def test_services_that_run_and_do_not_work_are_told(house: House, database: Databases, services: LabServices) -> None:
    database.live.query("delete from alembic_version", "smtpy")
    with pytest.raises(ServicesUnhealthy, match=r"services-unhealthy: .*/health answered 503"):
        _verify(house, BRIEF)


def test_services_that_do_not_run_are_told(house: House, services: LabServices) -> None:
    control_of(services).stop(["api"])
    with pytest.raises(ServicesUnhealthy, match=r"services-unhealthy: .*/health gives no connection"):
        _verify(house, BRIEF)


def test_a_right_that_the_services_own_role_lacks_is_found(
    house: House, database: Databases, services: LabServices
) -> None:
    database.live.query("revoke select on domains from smtpy", "smtpy")
    with pytest.raises(DatabaseRequestFailed, match="42501"):
        _verify(house)


def test_a_check_that_gets_another_answer_fails(house: House, services: LabServices) -> None:
    change_database(house, checks=[DatabaseCheck("there is nobody", "select count(*) from users", "0")])
    with pytest.raises(DatabaseCheckFailed, match="The check 'there is nobody' on smtpy did not get the answer"):
        _verify(house)


def test_a_check_sees_the_database_as_the_services_see_it(house: House, services: LabServices) -> None:
    change_database(house, checks=[DatabaseCheck("who asks", "select current_user", "smtpy")])
    assert _verify(house)["checks"] == 1


def test_a_check_sees_what_a_policy_lets_the_services_see(
    house: House, database: Databases, services: LabServices
) -> None:
    """A role that policies hold for gets what they show; only a dump, which must not miss a row, is refused then."""
    held = "alter table users enable row level security; alter table users force row level security"
    database.live.query(f"{held}; create policy one on users to smtpy using (id = 1)", "smtpy")
    change_database(house, checks=[DatabaseCheck("one user", "select count(*) from users", "1")])
    assert _verify(house)["checks"] == 1


def test_on_a_fresh_server_the_role_of_the_services_has_to_get_in_and_their_health_is_not_asked(
    house: House, database: Databases, services: LabServices
) -> None:
    """Nobody has pointed them to it yet."""
    assert house.database is not None
    change_database(
        house, fresh=house.database.staging, checks=[DatabaseCheck("who asks", "select current_user", "smtpy")]
    )
    control_of(services).stop(["api"])
    with pytest.raises(DatabaseMissing, match="smtpy"):
        _verify(house, place="fresh")
    database.staging.create_database("smtpy")
    try:
        assert _verify(house, place="fresh") == {"healthy": [], "checks": 1}
    finally:
        database.staging.drop_database("smtpy")
        control_of(services).start(["api"])


def test_an_estate_without_services_has_none_to_verify(house: House, database: Databases) -> None:
    with pytest.raises(ServicesNotInEstate, match="services-not-in-estate"):
        _verify(house)
