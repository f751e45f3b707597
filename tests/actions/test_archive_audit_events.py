"""`archive_audit_events`: what the table's stream brings is archived, and what somebody did to an event is told."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from lambdas.adapters.tables import to_item
from lambdas.domain.audit import encode_link
from lambdas.domain.audit_bucket import event_key, second_key
from lambdas.domain.errors import Unexpected
from tests.actions.house import House, bucket_name
from tests.actions.trail import VAULT, Trail
from tests.servers.aws import ACCOUNT, PRIMARY, aws, refused


@pytest.fixture
def trail(house: House) -> Trail:
    found = Trail(house)
    found.append(VAULT, "a", "b")
    return found


@pytest.fixture
def inbox(house: House) -> str:
    """Where the alerts for security arrive."""
    queue = aws("sqs").create_queue(QueueName="security")["QueueUrl"]
    arn = f"arn:aws:sns:{PRIMARY}:{ACCOUNT}:mailark-security"
    aws("sns").subscribe(TopicArn=arn, Protocol="sqs", Endpoint=f"arn:aws:sqs:{PRIMARY}:{ACCOUNT}:security")
    return str(queue)


def _alerts(inbox: str) -> list[tuple[str, str]]:
    answer = aws("sqs").receive_message(QueueUrl=inbox, MaxNumberOfMessages=10)
    bodies = [json.loads(each["Body"]) for each in answer.get("Messages", [])]
    return [(body["Subject"], body["Message"]) for body in bodies]


def _record(deed: str, before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> dict[str, Any]:
    """A record as DynamoDB Streams gives it to Lambda (Lambda guide, "Using AWS Lambda with Amazon DynamoDB")."""
    change: dict[str, Any] = {"SequenceNumber": "111", "SizeBytes": 26, "StreamViewType": "NEW_AND_OLD_IMAGES"}
    change |= {name: to_item(item) for name, item in (("OldImage", before), ("NewImage", after)) if item}
    change["Keys"] = to_item({name: (after or before or {})[name] for name in ("scope", "sequence")})
    return {
        "eventID": "c4ca4238a0b923820dcc509a6f75849b",
        "eventName": deed,
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": PRIMARY,
        "dynamodb": change,
        "eventSourceARN": f"arn:aws:dynamodb:{PRIMARY}:{ACCOUNT}:table/mailark-audit-events/stream/2026-11-22T00:00",
    }


def _run(trail: Trail, *records: dict[str, Any]) -> Any:
    return trail.house.run("archive_audit_events", {"Records": list(records)})


def test_every_event_that_comes_is_archived_as_it_is_and_once(trail: Trail, inbox: str) -> None:
    records = [_record("INSERT", None, trail.item(n)) for n in (1, 2)]
    for _ in range(2):
        assert _run(trail, *records) == {"archived": 2, "tampered": 0}
    assert trail.objects() == {event_key(VAULT, each.sequence): encode_link(each) for each in trail.links()}
    assert [len(trail.versions(key)) for key in trail.objects()] == [1, 1]
    assert _alerts(inbox) == []


@pytest.mark.parametrize(("deed", "word"), [("MODIFY", "changed"), ("REMOVE", "removed")])
def test_an_event_that_was_changed_or_removed_is_told_to_security_and_the_archive_keeps_it(
    deed: str, word: str, trail: Trail, inbox: str
) -> None:
    before = trail.item(2)
    _run(trail, _record("INSERT", None, before))
    after = before | {"user_id": "nobody"} if deed == "MODIFY" else None
    assert _run(trail, _record(deed, before, after)) == {"archived": 0, "tampered": 1}
    ((subject, body),) = _alerts(inbox)
    assert subject == f"[example] audit trail: event 2 of platform#vault was {word}"
    for line in (
        f"In the audit trail, event 2 of platform#vault was {word}.",
        "What to do now: Treat it as an intrusion.",
        f"lies in the locked bucket {bucket_name('audit', PRIMARY)}, at\n",
        "events/platform%23vault/000000000002.json.\n",
        "On:             platform#vault of example, region eu-central-1",
    ):
        assert line in body
    assert trail.versions(event_key(VAULT, 2)) == [encode_link(trail.links()[1])]


def test_a_change_that_leaves_no_readable_event_is_told_all_the_same(trail: Trail, inbox: str) -> None:
    before = trail.item(1)
    garbled = {"scope": VAULT, "sequence": 1, "details": "NaN"}
    assert _run(trail, _record("MODIFY", before, garbled))["tampered"] == 1
    ((subject, _),) = _alerts(inbox)
    assert subject == "[example] audit trail: event 1 of platform#vault was changed"


def test_an_event_that_nobody_appended_is_told_and_not_archived(trail: Trail, inbox: str) -> None:
    forged = trail.item(2) | {"sequence": 3}
    assert _run(trail, _record("INSERT", None, forged)) == {"archived": 0, "tampered": 1}
    ((subject, body),) = _alerts(inbox)
    assert subject == "[example] audit trail: event 3 of platform#vault was forged"
    assert "Mailark never wrote this event, and has not archived it." in body
    assert trail.objects() == {}


def test_another_event_in_the_place_of_an_archived_one_is_told_and_both_are_kept(trail: Trail, inbox: str) -> None:
    first = trail.links()[0]
    _run(trail, _record("INSERT", None, trail.item(1)))
    aws("dynamodb").delete_item(TableName="mailark-audit-heads", Key={"scope": {"S": VAULT}})
    trail.remove(1)
    trail.append(VAULT, "x")
    assert _run(trail, _record("INSERT", None, trail.item(1)))["tampered"] == 1
    ((subject, _),) = _alerts(inbox)
    assert subject == "[example] audit trail: event 1 of platform#vault was written a second time"
    second = trail.links()[0]
    assert trail.versions(event_key(VAULT, 1)) == [encode_link(first)]
    assert trail.versions(second_key(second)) == [encode_link(second)]


def test_one_event_that_cannot_be_archived_does_not_hold_up_the_others(trail: Trail, inbox: str) -> None:
    records = [_record("INSERT", None, trail.item(n)) for n in (1, 2)]
    records.append(_record("REMOVE", trail.item(1), None))
    refuse = refused(lambda request: "000000000001" in request.url, "AccessDenied", 403)
    with refuse, pytest.raises(Unexpected, match="AccessDenied from PutObject"):
        _run(trail, *records)
    assert list(trail.objects()) == [event_key(VAULT, 2)]
    assert len(_alerts(inbox)) == 1
    assert _run(trail, *records)["archived"] == 2


def test_an_alert_that_cannot_be_sent_is_tried_again(trail: Trail, inbox: str) -> None:
    record = _record("REMOVE", trail.item(1), None)
    refuse = refused(lambda request: "sns." in request.url, "InternalError", 500)
    with refuse, pytest.raises(Exception, match="aws-unavailable"):
        _run(trail, record)
    _run(trail, record)
    assert len(_alerts(inbox)) == 1
