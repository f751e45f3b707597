"""`request_approval`: the people are asked once, without the token, and nobody waits for what is decided already."""

import pytest

from lambdas.domain.errors import Unexpected
from tests.actions.approvals import TOKEN, Desk, inbox, received
from tests.actions.house import House
from tests.domain.test_approval import BEFORE, NO
from tests.servers.aws import refused


@pytest.fixture
def desk(house: House) -> Desk:
    return Desk.made(house)


def _event(desk: Desk, approval_id: str, token: str = TOKEN) -> dict[str, object]:
    return {"operation": desk.operation, "approval_id": approval_id, "token": token}


@pytest.mark.parametrize(("topic", "other"), [("security", "operations"), ("operations", "security")])
def test_one_request_reaches_the_people_who_are_to_decide_however_often_this_runs(
    house: House, desk: Desk, topic: str, other: str
) -> None:
    queues = {each: inbox(each) for each in (topic, other)}
    approval_id = desk.open(topic=topic)
    for _ in range(2):
        assert house.run("request_approval", _event(desk, approval_id)) == {"approval_id": approval_id}
    (request,) = received(queues[topic])
    assert request.startswith("[example] approval needed: overwrite the live Vault\n")
    assert f"approve {approval_id} --reason" in request
    assert "s3://work/preview.json" in request
    assert TOKEN not in request
    assert received(queues[other]) == []


def test_the_token_that_counts_is_that_of_the_task_that_waits_now(house: House, desk: Desk) -> None:
    approval_id = desk.open()
    house.run("request_approval", _event(desk, approval_id, "token-of-the-second-attempt"))
    assert desk.approvals.token(approval_id) == "token-of-the-second-attempt"


def test_a_request_that_could_not_be_sent_is_sent_by_the_next_run(house: House, desk: Desk) -> None:
    queue, approval_id = inbox("security"), desk.open()
    with refused(lambda request: "sns." in request.url, "InternalError", 400), pytest.raises(Unexpected):
        house.run("request_approval", _event(desk, approval_id))
    house.run("request_approval", _event(desk, approval_id))
    assert len(received(queue)) == 1


def test_a_task_that_comes_to_wait_for_what_is_decided_is_woken_at_once_and_nobody_is_asked(
    house: House, desk: Desk
) -> None:
    queue, approval_id = inbox("security"), desk.open()
    assert desk.approvals.decide(approval_id, NO, BEFORE)
    with desk.waiting() as woken:
        house.run("request_approval", _event(desk, approval_id, "second-token"))
    assert woken == [{"taskToken": "second-token", "output": "{}"}]
    assert received(queue) == []
