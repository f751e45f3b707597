"""An approval: who may decide, until when, once only; and what the request and the audit trail say."""

import dataclasses
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.domain.approval import (
    Approval,
    Decision,
    approval_id,
    approval_of,
    check_not_own,
    check_proved,
    event,
    is_new,
    person,
    read_slip,
    seconds_left,
    slip_name,
)
from lambdas.domain.approval_errors import (
    ApprovalDecided,
    ApprovalExpired,
    ApprovalNotDecided,
    ApprovalOwn,
    ApprovalPersonUnknown,
    ApprovalStarterUnknown,
    ApprovalUnknown,
    SlipInvalid,
)
from lambdas.domain.approval_message import request_message

EXECUTION = "arn:aws:states:eu-central-1:111122223333:execution:mailark-data-deletion:op-1"
WAITS = "arn:aws:states:eu-central-1:111122223333:execution:mailark-approval:child-1"
ADA = "arn:aws:iam::111122223333:user/ada"
BOB = "arn:aws:sts::111122223333:assumed-role/AWSReservedSSO_Admin_1/bob@example.net"
BEFORE, DEADLINE = "2026-11-22T02:59:59.999Z", "2026-11-22T03:00:00.000Z"

ASKED = Approval(
    id="apr-0123456789abcdef",
    operation_id="op-1",
    scenario="data_deletion",
    execution=EXECUTION,
    started_at="2026-11-22T01:50:00.000Z",
    waits=WAITS,
    asks="import 4 rows into 3 tables",
    on="database smtpy on db.example.org",
    topic="operations",
    requested_by="ada",
    why="an organization was deleted",
    requested_at="2026-11-22T02:00:00.000Z",
    expires_at=DEADLINE,
    preview="s3://mailark-work/op-1/preview.json",
    incident_id="INC-7",
)
SLIP = f"/mailark/approvals/{ASKED.id}/bob-example.net"
YES = Decision("approved", "looked at it", BOB, SLIP, 1)
NO = Decision("refused", "too many rows", BOB, SLIP, 1)
DECIDED = dataclasses.replace(
    ASKED, status="approved", decided_by=BOB, decided_at=BEFORE, reason="looked at it", slip=SLIP, slip_version=1
)


# --- a slip -----------------------------------------------------------------------------------------------


def test_a_slip_says_what_is_decided_and_why_and_its_writer_who() -> None:
    assert read_slip(SLIP, 3, '{"decision": "approve", "reason": "looked at it"}', BOB) == Decision(
        "approved", "looked at it", BOB, SLIP, 3
    )
    assert read_slip(SLIP, 3, '{"decision": "refuse", "reason": "no"}', ADA).outcome == "refused"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("approve", "it is no JSON"),
        ('{"decision": "approve"}', "reason: this key is required and missing"),
        ('{"decision": "refuse", "reason": " "}', "reason: expected some words, got ' '"),
        ('{"decision": "refuse", "reason": ""}', "reason: expected at least 1 character, got none"),
        ('{"decision": "yes", "reason": "x"}', "decision: expected approve or refuse, got 'yes'"),
        ('{"decision": "approve", "reason": "x", "decided_by": "ada"}', "decided_by: this key is not known"),
        ("[]", "expected a group of keys, got an empty list"),
    ],
)
def test_a_slip_that_does_not_say_both_decides_nothing(text: str, problem: str) -> None:
    with pytest.raises(SlipInvalid) as caught:
        read_slip(SLIP, 1, text, BOB)
    assert problem in str(caught.value)


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:sts::111122223333:assumed-role/Admin",
        "arn:aws:iam::111122223333:role/Admin",
        "AIDACKCEVSQ6C2EXAMPLE",
        "N/A",
        "",
    ],
)
def test_a_slip_that_no_one_person_has_written_decides_nothing(arn: str) -> None:
    with pytest.raises(ApprovalPersonUnknown):
        read_slip(SLIP, 1, '{"decision": "approve", "reason": "x"}', arn)


def test_each_person_has_a_slip_of_their_own_for_each_approval() -> None:
    assert slip_name(ASKED.id, ADA) == f"/mailark/approvals/{ASKED.id}/ada"
    assert slip_name(ASKED.id, BOB) == SLIP
    assert slip_name(ASKED.id, "arn:aws:iam::111122223333:root") == f"/mailark/approvals/{ASKED.id}/root"
    assert approval_of(SLIP) == ASKED.id


@pytest.mark.parametrize(
    "name", ["", "/mailark/estate", "/mailark/approvals/apr-1", "/mailark/approvals/a/b/c", "x" + SLIP]
)
def test_what_is_no_slip_is_of_no_approval(name: str) -> None:
    with pytest.raises(ApprovalUnknown):
        approval_of(name)


@given(st.text(max_size=80))
def test_no_name_of_a_person_leads_to_a_slip_of_another_approval(name: str) -> None:
    slip = slip_name("apr-1", f"arn:aws:sts::111122223333:assumed-role/R/{name}")
    assert slip.startswith("/mailark/approvals/apr-1/")
    assert slip.count("/") == 4


# --- who may decide ---------------------------------------------------------------------------------------


def test_a_person_is_known_by_name_in_whatever_role() -> None:
    assert person(ADA) == person("arn:aws:iam::111122223333:user/staff/ada") == "ada"
    assert person(BOB) == person("arn:aws:sts::111122223333:assumed-role/Other/Bob@example.net") == "bob@example.net"
    assert person("arn:aws-us-gov:sts::111122223333:federated-user/eve") == "eve"
    assert person("arn:aws:iam::111122223333:root") == "root"


@pytest.mark.parametrize(
    ("starter", "approver"),
    [
        (ADA, ADA),
        (ADA, "arn:aws:sts::111122223333:assumed-role/Admin/ada"),
        (BOB, "arn:aws:sts::111122223333:assumed-role/ReadOnly/BOB@example.net"),
    ],
)
def test_nobody_approves_what_they_have_started_not_even_in_another_role(starter: str, approver: str) -> None:
    with pytest.raises(ApprovalOwn):
        check_not_own(ASKED, approver, starter)


def test_somebody_else_may_approve() -> None:
    check_not_own(ASKED, BOB, ADA)
    check_not_own(ASKED, ADA, "arn:aws:sts::111122223333:assumed-role/Mailark-Events/a1b2c3")
    check_not_own(ASKED, ADA, "events.amazonaws.com")


def test_while_nobody_knows_who_started_it_nobody_may_approve_it() -> None:
    with pytest.raises(ApprovalStarterUnknown):
        check_not_own(ASKED, BOB, None)


# --- once, and in time ------------------------------------------------------------------------------------


def test_a_decision_is_new_until_the_time_is_over() -> None:
    assert is_new(ASKED, YES, BEFORE)
    assert is_new(ASKED, NO, BEFORE)
    with pytest.raises(ApprovalExpired):
        is_new(ASKED, YES, DEADLINE)
    with pytest.raises(ApprovalExpired):
        is_new(dataclasses.replace(ASKED, status="expired"), NO, BEFORE)


def test_the_same_decision_of_the_same_person_may_be_told_again_also_when_the_time_is_over() -> None:
    assert not is_new(DECIDED, YES, BEFORE)
    assert not is_new(DECIDED, YES, DEADLINE)


@pytest.mark.parametrize("second", [NO, dataclasses.replace(YES, by=ADA)], ids=["another", "anothers"])
def test_a_decision_stands(second: Decision) -> None:
    with pytest.raises(ApprovalDecided):
        is_new(DECIDED, second, BEFORE)


@pytest.mark.parametrize(
    "row",
    [
        dataclasses.replace(DECIDED, decided_by=ADA),
        dataclasses.replace(DECIDED, status="refused"),
        dataclasses.replace(DECIDED, id="apr-another"),
    ],
    ids=["another person", "another decision", "another approval"],
)
def test_a_row_that_its_slip_does_not_prove_decides_nothing(row: Approval) -> None:
    check_proved(DECIDED, YES)
    with pytest.raises(ApprovalNotDecided):
        check_proved(row, YES)


def test_an_approval_is_waited_for_in_whole_seconds_and_never_for_none() -> None:
    deadline = datetime(2026, 11, 22, 3, tzinfo=UTC)
    assert seconds_left(ASKED, deadline - timedelta(minutes=60)) == 3600
    assert seconds_left(ASKED, deadline - timedelta(seconds=1.2)) == 2
    assert seconds_left(ASKED, deadline + timedelta(hours=1)) == 1


def test_an_execution_asks_for_one_approval_however_often_it_asks() -> None:
    first = approval_id(WAITS, "2026-11-22T02:00:00.123Z")
    assert first == approval_id(WAITS, "2026-11-22T02:00:00.123Z")
    assert first != approval_id(WAITS, "2027-03-22T02:00:00.123Z")
    assert slip_name(first, ADA).startswith(f"/mailark/approvals/{first}/")


# --- what is told -----------------------------------------------------------------------------------------


def test_the_request_says_all_that_one_needs_to_decide_and_how() -> None:
    message = request_message(ASKED, "example", "eu-central-1")
    assert message.subject == "[example] approval needed: import 4 rows into 3 tables"
    assert (
        message.body
        == """\
data_deletion waits for an approval: import 4 rows into 3 tables.

What is asked:  import 4 rows into 3 tables
On:             database smtpy on db.example.org
                of example, region eu-central-1
Preview:        s3://mailark-work/op-1/preview.json
Asked for by:   ada, by their own account
Reason given:   an organization was deleted
Incident:       INC-7
Decide until:   2026-11-22T03:00:00.000Z
Execution:      https://eu-central-1.console.aws.amazon.com/states/home?region=eu-central-1\
#/v2/executions/details/arn:aws:states:eu-central-1:111122223333:execution:mailark-data-deletion:op-1

Nothing happens before somebody decides, and nothing if nobody does. Look at the preview first. Whoever started the
operation may not approve it, unless the estate says so. To decide, with your own credentials:

  python -m lambdas.approvals --region eu-central-1 approve apr-0123456789abcdef --reason "..."
  python -m lambdas.approvals --region eu-central-1 refuse apr-0123456789abcdef --reason "..."

In the console, and without a checkout: docs/operating.md, "Approvals".
"""
    )


def test_what_is_not_there_is_not_mentioned() -> None:
    body = request_message(dataclasses.replace(ASKED, preview=None, incident_id=None), "example", "eu-central-1").body
    assert "Preview:" not in body
    assert "Incident:" not in body


@pytest.mark.parametrize(
    ("row", "name", "by"),
    [
        (ASKED, "approval_requested", "ada"),
        (DECIDED, "approval_granted", BOB),
        (dataclasses.replace(DECIDED, status="refused"), "approval_refused", BOB),
        (dataclasses.replace(ASKED, status="expired"), "approval_expired", "system"),
    ],
)
def test_the_audit_trail_is_told_each_end_once_in_the_name_of_who_brought_it_about(
    row: Approval, name: str, by: str
) -> None:
    told = event(row, row.status, by, BEFORE)
    assert (told.event, told.user_id, told.operation_id, told.timestamp) == (name, by, "op-1", BEFORE)
    assert told.id == event(row, row.status, by, DEADLINE).id
    assert told.details["asks"] == "import 4 rows into 3 tables"
    assert told.details.get("reason") == row.reason
