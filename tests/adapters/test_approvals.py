"""Approvals in their table, the slips that decide them, and what AWS says of starters and of tasks that wait."""

import dataclasses
import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lambdas.adapters.approvals import Approvals
from lambdas.adapters.decision_slips import DecisionSlips, Written
from lambdas.adapters.starters import starter_of
from lambdas.adapters.waiting_tasks import WaitingTasks
from lambdas.domain.approval_errors import ApprovalUnknown, SlipMissing
from tests.domain.test_approval import ADA, ASKED, BEFORE, BOB, DEADLINE, EXECUTION, NO, SLIP, YES
from tests.servers.aws import PRIMARY, answering, aws, refused
from tests.servers.tables import table

pytestmark = pytest.mark.usefixtures("_clean")


@pytest.fixture
def approvals() -> Approvals:
    aws("dynamodb").create_table(**table("mailark-approvals"))
    return Approvals(PRIMARY, "mailark-approvals")


# --- the table --------------------------------------------------------------------------------------------


def test_what_is_asked_for_is_recorded_once(approvals: Approvals) -> None:
    assert approvals.open(ASKED) == ASKED
    assert approvals.open(dataclasses.replace(ASKED, asks="something else", expires_at=BEFORE)) == ASKED
    assert approvals.get(ASKED.id) == ASKED


def test_an_approval_that_nobody_asked_for_is_unknown(approvals: Approvals) -> None:
    with pytest.raises(ApprovalUnknown):
        approvals.get("apr-0")
    assert approvals.token("apr-0") is None


def test_a_decision_is_recorded_once_and_in_time(approvals: Approvals) -> None:
    approvals.open(ASKED)
    for late in (DEADLINE, "2026-11-22T03:00:00.001Z", "2027-01-01T00:00:00.000Z"):
        assert not approvals.decide(ASKED.id, YES, late)
    assert approvals.decide(ASKED.id, YES, BEFORE)
    assert not approvals.decide(ASKED.id, NO, BEFORE)
    assert not approvals.expire(ASKED.id)
    row = approvals.get(ASKED.id)
    assert (row.status, row.decided_by, row.decided_at, row.reason) == ("approved", BOB, BEFORE, "looked at it")
    assert (row.slip, row.slip_version) == (SLIP, 1)


def test_what_nobody_decides_expires_and_stays_so(approvals: Approvals) -> None:
    approvals.open(ASKED)
    assert approvals.expire(ASKED.id)
    assert not approvals.decide(ASKED.id, YES, BEFORE)
    assert approvals.get(ASKED.id).status == "expired"


def test_the_token_is_the_one_of_the_task_that_waits_now_and_in_no_row_that_is_read(approvals: Approvals) -> None:
    approvals.open(ASKED)
    for token in ("marked-token-1", "marked-token-2"):
        assert approvals.keep_token(ASKED.id, token)
        assert approvals.token(ASKED.id) == token
    assert "marked-token" not in f"{approvals.get(ASKED.id)} {approvals.pending()}"
    approvals.decide(ASKED.id, NO, BEFORE)
    assert not approvals.keep_token(ASKED.id, "marked-token-3")
    assert approvals.token(ASKED.id) == "marked-token-2"


def test_what_waits_is_listed_oldest_first_and_nothing_else_is(approvals: Approvals) -> None:
    later = dataclasses.replace(ASKED, id="apr-2", requested_at=BEFORE)
    for each in (later, ASKED, dataclasses.replace(ASKED, id="apr-3")):
        approvals.open(each)
    approvals.decide("apr-3", NO, BEFORE)
    assert approvals.pending() == [ASKED, later]


# --- the slips --------------------------------------------------------------------------------------------


def _version(number: int, text: str, by: str) -> dict[str, Any]:
    return {"Name": SLIP, "Version": number, "Value": text, "LastModifiedUser": by}


def test_a_slip_is_read_with_the_writer_of_that_very_version() -> None:
    pages = (
        {"Parameters": [_version(1, "one", ADA), _version(2, "two", BOB)], "NextToken": "more"},
        {"Parameters": [_version(3, "three", ADA)]},
    )
    slips = DecisionSlips(PRIMARY)
    with answering("GetParameterHistory", *pages):
        assert slips.read(SLIP) == Written("three", ADA, 3)
    with answering("GetParameterHistory", *pages):
        assert slips.read(SLIP, 2) == Written("two", BOB, 2)
    with answering("GetParameterHistory", *pages), pytest.raises(SlipMissing, match="version 4"):
        slips.read(SLIP, 4)


def test_a_slip_that_nobody_has_written_is_missing() -> None:
    with pytest.raises(SlipMissing):
        DecisionSlips(PRIMARY).read(SLIP)


def test_a_person_may_write_their_slip_anew() -> None:
    slips = DecisionSlips(PRIMARY)
    slips.write(SLIP, "one")
    slips.write(SLIP, "two")
    assert (slips.read(SLIP).text, slips.read(SLIP, 1).text) == ("two", "one")


# --- who has started it -----------------------------------------------------------------------------------


def _start(execution: str, arn: str | None) -> dict[str, Any]:
    told = {"userIdentity": {"arn": arn} if arn else {}, "responseElements": {"executionArn": execution}}
    return {"EventName": "StartExecution", "CloudTrailEvent": json.dumps(told)}


def test_the_starter_is_who_called_for_that_very_execution() -> None:
    refused_start = {"CloudTrailEvent": json.dumps({"userIdentity": {"arn": ADA}, "responseElements": None})}
    pages = (
        {"Events": [_start(f"{EXECUTION}-2", ADA), refused_start], "NextToken": "more"},
        {"Events": [_start(EXECUTION, BOB)]},
    )
    with answering("LookupEvents", *pages) as asked:
        assert starter_of(PRIMARY, EXECUTION, "2026-11-22T02:00:00.123Z") == BOB
    assert asked[0]["LookupAttributes"] == [{"AttributeKey": "EventName", "AttributeValue": "StartExecution"}]
    assert asked[0]["EndTime"] - asked[0]["StartTime"] == 600


def test_a_start_by_a_rule_has_a_service_for_its_starter() -> None:
    told = {
        "userIdentity": {"type": "AWSService", "invokedBy": "events.amazonaws.com"},
        "responseElements": {"executionArn": EXECUTION},
    }
    with answering("LookupEvents", {"Events": [{"CloudTrailEvent": json.dumps(told)}]}):
        assert starter_of(PRIMARY, EXECUTION, "2026-11-22T02:00:00.123Z") == "events.amazonaws.com"


@pytest.mark.parametrize("events", [[], [_start(f"{EXECUTION}-2", ADA)], [_start(EXECUTION, None)]])
def test_a_start_that_cloudtrail_does_not_show_yet_has_no_starter(events: list[Any]) -> None:
    with answering("LookupEvents", {"Events": events}):
        assert starter_of(PRIMARY, EXECUTION, "2026-11-22T02:00:00.123Z") is None


# --- tasks that wait --------------------------------------------------------------------------------------


def test_a_task_that_waits_is_woken_with_nothing() -> None:
    with answering("SendTaskSuccess", {}) as asked:
        assert WaitingTasks(PRIMARY).wake("token-1")
    assert asked == [{"taskToken": "token-1", "output": "{}"}]


@pytest.mark.parametrize("code", ["TaskDoesNotExist", "TaskTimedOut", "InvalidToken"])
def test_a_task_that_waits_no_longer_is_not_woken(code: str) -> None:
    with refused("SendTaskSuccess", code):
        assert not WaitingTasks(PRIMARY).wake("token-1")


def test_a_refusal_is_no_task_that_has_gone() -> None:
    with refused("SendTaskSuccess", "AccessDeniedException", 403), pytest.raises(ClientError, match="AccessDenied"):
        WaitingTasks(PRIMARY).wake("token-1")
