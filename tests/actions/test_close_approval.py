"""`close_approval`: an approval ends with what was decided, or as expired, and never with what nobody has decided."""

from typing import Any

import pytest

from lambdas.domain.approval import Decision, slip_name
from lambdas.domain.approval_errors import ApprovalNotDecided
from tests.actions.approvals import BOB, EVE, Desk
from tests.actions.house import House


@pytest.fixture
def desk(house: House) -> Desk:
    return Desk.made(house)


def _close(desk: Desk, approval_id: str, *, timed_out: bool) -> Any:
    event = {"operation": desk.operation, "approval_id": approval_id, "timed_out": timed_out}
    first, second = (desk.house.run("close_approval", event) for _ in range(2))
    assert first == second
    return first


@pytest.mark.parametrize(("decision", "outcome"), [("approve", "approved"), ("refuse", "refused")])
@pytest.mark.parametrize("timed_out", [False, True], ids=["woken", "as the time ended"])
def test_what_was_decided_in_time_is_the_outcome(
    house: House, desk: Desk, decision: str, outcome: str, timed_out: bool
) -> None:
    approval_id = desk.open()
    with desk.written(approval_id, BOB, decision, "seen") as slip:
        with desk.waiting():
            decided = house.run("decide_approval", {"parameter": slip})
        closed = _close(desk, approval_id, timed_out=timed_out)
    assert closed == {
        "approval_id": approval_id,
        "outcome": outcome,
        "decided_by": BOB,
        "decided_at": decided["decided_at"],
        "reason": "seen",
    }
    assert len(desk.told()) == 2
    assert desk.row(approval_id).closed_at


def test_what_nobody_has_decided_in_time_has_expired(desk: Desk) -> None:
    approval_id = desk.open()
    closed = _close(desk, approval_id, timed_out=True)
    assert (closed["outcome"], closed["decided_by"], closed["reason"]) == ("expired", None, None)
    assert desk.told() == [("approval_requested", "jo"), ("approval_expired", "system")]
    assert desk.row(approval_id).status == "expired"


def test_a_decision_whose_recorder_died_is_told_by_the_one_who_takes_it(desk: Desk) -> None:
    approval_id = desk.open()
    slip = slip_name(approval_id, BOB)
    desk.approvals.decide(approval_id, Decision("approved", "seen", BOB, slip, 1), "2026-11-22T02:10:00.000Z")
    with desk.written(approval_id, BOB):
        assert _close(desk, approval_id, timed_out=False)["outcome"] == "approved"
    assert desk.told() == [("approval_requested", "jo"), ("approval_granted", BOB)]


def test_a_task_that_was_woken_past_us_ends_red(desk: Desk) -> None:
    approval_id = desk.open()
    with pytest.raises(ApprovalNotDecided):
        _close(desk, approval_id, timed_out=False)
    assert desk.row(approval_id).status == "pending"


def test_who_may_write_to_the_table_and_not_as_that_person_decides_nothing(desk: Desk) -> None:
    approval_id = desk.open()
    slip = slip_name(approval_id, BOB)
    desk.approvals.decide(approval_id, Decision("approved", "forged", BOB, slip, 1), "2026-11-22T02:10:00.000Z")
    with desk.written(approval_id, EVE), pytest.raises(ApprovalNotDecided):
        _close(desk, approval_id, timed_out=False)
    assert desk.told() == [("approval_requested", "jo")]
