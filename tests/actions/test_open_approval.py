"""`open_approval`: what a person is asked is recorded once, with the time until which they may answer."""

from datetime import UTC, datetime, timedelta

import pytest

from lambdas.domain.errors import Unexpected
from tests.actions.approvals import Desk
from tests.actions.house import House


@pytest.fixture
def desk(house: House) -> Desk:
    return Desk.made(house)


def test_what_is_asked_is_recorded_and_told_once_however_often_this_runs(house: House, desk: Desk) -> None:
    first, second = (house.run("open_approval", desk.asked()) for _ in range(2))
    assert first["approval_id"] == second["approval_id"]
    assert 3590 < second["seconds"] <= first["seconds"] <= 3600
    row = desk.row(first["approval_id"])
    assert (row.asks, row.on, row.status) == ("overwrite the live Vault", "vault", "pending")
    assert (row.operation_id, row.execution, row.waits) == ("op-1", desk.operation.execution, desk.waits)
    assert (row.requested_by, row.why, row.incident_id) == ("jo", "a test", "INC-7")
    assert desk.told() == [("approval_requested", "jo")]
    (event,) = house.events()
    assert event.details["approval_id"] == row.id
    assert event.operation_id == "op-1"


def test_the_estate_says_how_long_one_may_decide(house: House, desk: Desk) -> None:
    text = house.estate_text(house.vault)
    house.put_estate(text=text.replace('"expires_minutes": 60', '"expires_minutes": 15'))
    row = desk.row(house.run("open_approval", desk.asked())["approval_id"])
    left = datetime.fromisoformat(row.expires_at) - datetime.now(UTC)
    assert timedelta(minutes=14) < left <= timedelta(minutes=15)


def test_a_scenario_may_say_so_itself(house: House, desk: Desk) -> None:
    assert 1 <= house.run("open_approval", desk.asked(expires_in_minutes=0.05))["seconds"] <= 3


@pytest.mark.parametrize("minutes", [0, -1, 1441])
def test_nobody_waits_for_no_time_or_longer_than_the_machine_does(house: House, desk: Desk, minutes: int) -> None:
    with pytest.raises(Unexpected):
        house.run("open_approval", desk.asked(expires_in_minutes=minutes))
