"""`decide_approval`: a decision is its writer's, is made once and in time, and wakes who waits for it."""

import json

import pytest

from lambdas.adapters.decision_slips import DecisionSlips
from lambdas.domain.approval import slip_name
from lambdas.domain.approval_errors import (
    ApprovalDecided,
    ApprovalExpired,
    ApprovalOwn,
    ApprovalPersonUnknown,
    ApprovalStarterUnknown,
    ApprovalTooLate,
    ApprovalUnknown,
    SlipInvalid,
    SlipMissing,
)
from lambdas.domain.errors import Unexpected
from tests.actions.approvals import ADA, BOB, EVE, TOKEN, Desk
from tests.actions.house import House
from tests.servers.aws import PRIMARY, refused


@pytest.fixture
def desk(house: House) -> Desk:
    return Desk.made(house)


@pytest.mark.parametrize(
    ("decision", "status", "event"),
    [("approve", "approved", "approval_granted"), ("refuse", "refused", "approval_refused")],
)
def test_a_decision_is_recorded_and_told_once_and_wakes_who_waits_however_often_this_runs(
    house: House, desk: Desk, decision: str, status: str, event: str
) -> None:
    approval_id = desk.open()
    with desk.written(approval_id, BOB, decision, "looked at it") as slip, desk.waiting() as woken:
        first, second = (house.run("decide_approval", {"parameter": slip}) for _ in range(2))
    assert first == second
    assert (first["status"], first["decided_by"], first["asks"]) == (status, BOB, "overwrite the live Vault")
    assert woken[0] == {"taskToken": TOKEN, "output": "{}"}
    row = desk.row(approval_id)
    assert (row.status, row.decided_by, row.reason, row.slip) == (status, BOB, "looked at it", slip)
    assert desk.told() == [("approval_requested", "jo"), (event, BOB)]
    assert house.events()[-1].details["reason"] == "looked at it"


def test_who_decides_is_who_wrote_and_not_who_is_named(house: House, desk: Desk) -> None:
    """Eve writes into the place that bears Bob's name."""
    approval_id = desk.open()
    with desk.written(approval_id, EVE) as slip, desk.waiting():
        house.run("decide_approval", {"parameter": slip.replace("eve", "bob")})
    assert desk.row(approval_id).decided_by == EVE


def test_nobody_approves_what_they_have_started(house: House, desk: Desk) -> None:
    approval_id = desk.open()
    with desk.written(approval_id, ADA) as slip, desk.waiting() as woken, pytest.raises(ApprovalOwn):
        house.run("decide_approval", {"parameter": slip})
    assert (desk.row(approval_id).status, woken) == ("pending", [])
    assert desk.told() == [("approval_requested", "jo")]


def test_but_they_may_refuse_it(house: House, desk: Desk) -> None:
    approval_id = desk.open()
    with desk.written(approval_id, ADA, "refuse") as slip, desk.waiting():
        house.run("decide_approval", {"parameter": slip})
    assert desk.row(approval_id).status == "refused"


def test_and_approve_it_where_the_estate_allows_that(house: House, desk: Desk) -> None:
    house.put_estate(text=house.estate_text(house.vault).replace('"own": false', '"own": true'))
    approval_id = desk.open()
    with desk.written(approval_id, ADA) as slip, desk.waiting():
        house.run("decide_approval", {"parameter": slip})
    assert desk.row(approval_id).status == "approved"


def test_while_cloudtrail_does_not_say_who_started_it_nobody_approves_it(house: House, desk: Desk) -> None:
    approval_id = desk.open()
    with desk.written(approval_id, BOB, starter=None) as slip, pytest.raises(ApprovalStarterUnknown):
        house.run("decide_approval", {"parameter": slip})
    with desk.written(approval_id, BOB) as slip, desk.waiting():
        house.run("decide_approval", {"parameter": slip})
    assert desk.row(approval_id).status == "approved"


def test_a_second_decision_changes_nothing(house: House, desk: Desk) -> None:
    approval_id = desk.open()
    with desk.written(approval_id, BOB) as slip, desk.waiting():
        house.run("decide_approval", {"parameter": slip})
    for who, decision in ((BOB, "refuse"), (EVE, "refuse"), (EVE, "approve")):
        with desk.written(approval_id, who, decision) as slip, pytest.raises(ApprovalDecided, match="bob"):
            house.run("decide_approval", {"parameter": slip})
    assert desk.row(approval_id).status == "approved"


def test_after_its_time_nothing_can_be_decided(house: House, desk: Desk) -> None:
    approval_id = desk.open(expires_in_minutes=0.000001)
    desk.approvals.expire(approval_id)
    with desk.written(approval_id, BOB) as slip, pytest.raises(ApprovalExpired):
        house.run("decide_approval", {"parameter": slip})


def test_what_nobody_waits_for_any_more_is_not_decided(house: House, desk: Desk) -> None:
    approval_id = desk.open()
    desk.stop()
    with desk.written(approval_id, BOB) as slip, pytest.raises(ApprovalTooLate):
        house.run("decide_approval", {"parameter": slip})
    assert desk.row(approval_id).status == "pending"


@pytest.mark.parametrize("code", ["TaskDoesNotExist", "TaskTimedOut"])
def test_a_decision_that_comes_as_the_execution_ends_is_said_to_be_too_late(
    house: House, desk: Desk, code: str
) -> None:
    approval_id = desk.open()
    with desk.written(approval_id, BOB) as slip:
        with refused("SendTaskSuccess", "AccessDeniedException", 403), pytest.raises(Unexpected):
            house.run("decide_approval", {"parameter": slip})
        desk.stop()
        with refused("SendTaskSuccess", code), pytest.raises(ApprovalTooLate):
            house.run("decide_approval", {"parameter": slip})


@pytest.mark.parametrize("code", ["TaskDoesNotExist", "TaskTimedOut"])
def test_a_decision_that_the_operation_has_taken_may_be_told_again(house: House, desk: Desk, code: str) -> None:
    approval_id = desk.open()
    with desk.written(approval_id, BOB) as slip:
        with desk.waiting():
            first = house.run("decide_approval", {"parameter": slip})
        desk.approvals.close(approval_id, first["decided_at"])
        desk.stop()
        with refused("SendTaskSuccess", code):
            assert house.run("decide_approval", {"parameter": slip}) == first


def test_one_who_died_after_recording_ends_well_when_started_again(house: House, desk: Desk) -> None:
    approval_id = desk.open()
    with desk.written(approval_id, BOB) as slip:
        with refused("SendTaskSuccess", None), pytest.raises(Exception, match="aws-unavailable"):
            house.run("decide_approval", {"parameter": slip})
        assert desk.row(approval_id).status == "approved"
        with desk.waiting() as woken:
            house.run("decide_approval", {"parameter": slip})
    assert [each["taskToken"] for each in woken] == [TOKEN]
    assert desk.told() == [("approval_requested", "jo"), ("approval_granted", BOB)]


def test_a_refusal_without_a_reason_is_none(house: House, desk: Desk) -> None:
    approval_id = desk.open()
    with desk.written(approval_id, BOB, "refuse", " ") as slip, pytest.raises(SlipInvalid, match="some words"):
        house.run("decide_approval", {"parameter": slip})
    assert desk.row(approval_id).status == "pending"


def test_an_approval_that_nobody_asked_for_cannot_be_decided(house: House, desk: Desk) -> None:
    with desk.written("apr-0", BOB) as slip, pytest.raises(ApprovalUnknown):
        house.run("decide_approval", {"parameter": slip})
    with pytest.raises(ApprovalUnknown):
        house.run("decide_approval", {"parameter": "/mailark/estate"})


def test_without_a_slip_nothing_is_decided_whatever_the_caller_says(house: House, desk: Desk) -> None:
    approval_id = desk.open()
    event = {"parameter": slip_name(approval_id, BOB), "decision": "approve", "decided_by": BOB}
    with pytest.raises(SlipMissing):
        house.run("decide_approval", event)


def test_a_slip_of_nobody_decides_nothing(house: House, desk: Desk) -> None:
    """The mocked Parameter Store does not know who writes."""
    approval_id = desk.open()
    slip = slip_name(approval_id, BOB)
    DecisionSlips(PRIMARY).write(slip, json.dumps({"decision": "approve", "reason": "seen"}))
    with pytest.raises(ApprovalPersonUnknown):
        house.run("decide_approval", {"parameter": slip})
