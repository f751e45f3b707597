"""`sign_audit_heads`: every hour a document, signed and linked to the one before, of what is archived and in order."""

import base64
import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

import msgspec
import pytest

from lambdas.adapters.signing import SigningKey
from lambdas.domain.audit import encode_link
from lambdas.domain.audit_bucket import event_key, heads_key, second_key
from lambdas.domain.errors import AuditTrailBroken, KeyUnusable, Unexpected
from lambdas.domain.signed_heads import History, SignedHeads, sha256_of, verifier_of
from tests.actions.house import House
from tests.actions.trail import HEADS, TENANT, VAULT, Trail
from tests.servers.aws import PRIMARY, STANDBY, aws, refused


@pytest.fixture
def trail(house: House) -> Trail:
    found = Trail(house)
    found.append(VAULT, "a", "b", "c")
    found.append(TENANT, "d")
    return found


def _documents(trail: Trail) -> list[SignedHeads]:
    found = (body for key, body in sorted(trail.objects().items()) if key.startswith("heads/"))
    return [msgspec.json.decode(body, type=SignedHeads) for body in found]


def _history(trail: Trail) -> History:
    history = History(verifier_of(SigningKey(trail.house.keys.arn("evidence")).public_pem()))
    for key, body in trail.archive.all_heads():
        history.add(key, body)
    return history


def test_where_every_chain_ends_is_signed_and_all_of_it_is_archived(trail: Trail) -> None:
    done = trail.run("sign_audit_heads")
    (document,) = _documents(trail)
    assert document.ends() == {scope: trail.table.head(scope) for scope in (VAULT, TENANT)}
    assert [head.scope for head in document.heads] == sorted([VAULT, TENANT])
    assert (document.region, document.previous, document.faults) == (PRIMARY, "0" * 64, [])
    assert done == {"key": f"heads/{datetime.fromisoformat(document.signed_at):%Y/%m/%d/%H%M%SZ}.json", "chains": 2}
    archived = {key: body for key, body in trail.objects().items() if key.startswith("events/")}
    links = [*trail.links(), *trail.links(TENANT)]
    assert archived == {event_key(each.scope, each.sequence): encode_link(each) for each in links}
    assert _history(trail).findings == []


def test_each_document_names_the_one_before_it(trail: Trail) -> None:
    trail.run("sign_audit_heads")
    trail.append(VAULT, "e")
    trail.run("sign_audit_heads")
    trail.run("sign_audit_heads")
    first, second, third = _documents(trail)
    assert (second.previous, third.previous) == (sha256_of(first.encode()), sha256_of(second.encode()))
    assert (first.ends()[VAULT][0], second.ends()[VAULT][0], third.ends()[VAULT][0]) == (3, 4, 4)
    assert _history(trail).findings == []


def test_a_document_that_somebody_deleted_is_built_upon_all_the_same(trail: Trail) -> None:
    trail.run("sign_audit_heads")
    trail.delete(trail.run("sign_audit_heads")["key"])
    trail.run("sign_audit_heads")
    assert _history(trail).findings == []
    assert _history(trail).documents == 3


def _after(hours: int) -> Any:
    later = datetime.now(UTC) + timedelta(hours=hours)
    return patch("lambdas.adapters.lambda_handler.Run.now", lambda _: later)


STRANGER = "heads/9999/12/31/235959Z.json"


def test_a_stranger_among_the_documents_is_told_and_signed_once_and_stops_no_hour(trail: Trail) -> None:
    first = trail.run("sign_audit_heads")["key"]
    trail.put_object(STRANGER, b"junk")
    told = f"{STRANGER}: it cannot be read as a document of signed heads; the heads go on without it"
    with _after(hours=1), pytest.raises(AuditTrailBroken, match=told):
        trail.run("sign_audit_heads")
    for hours in (2, 3):
        with _after(hours):
            trail.run("sign_audit_heads")
    trail.destroy(STRANGER)
    documents = _documents(trail)
    assert [document.faults for document in documents] == [[], [told], [], []]
    before = ["0" * 64, *(sha256_of(document.encode()) for document in documents)]
    assert [document.previous for document in documents] == before[:-1]
    assert heads_key(documents[0].signed_at) == first
    assert len(_history(trail).findings) == 1


def test_a_stranger_before_the_first_document_is_told(trail: Trail) -> None:
    trail.put_object(STRANGER, b"junk")
    with pytest.raises(AuditTrailBroken, match=STRANGER):
        trail.run("sign_audit_heads")


def test_strangers_crowd_out_no_fault_of_a_chain(trail: Trail) -> None:
    for number in range(25):
        trail.put_object(f"heads/9999/12/31/2359{number:02}Z.json", b"junk")
    trail.put(trail.item(2) | {"user_id": "nobody"})
    with pytest.raises(AuditTrailBroken, match="platform#vault: event 2 was changed"):
        trail.run("sign_audit_heads")


def test_a_document_that_the_same_key_signed_in_the_other_region_is_a_stranger(trail: Trail) -> None:
    trail.run("sign_audit_heads")
    (ours,) = _documents(trail)
    foreign = msgspec.structs.replace(ours, region=STANDBY, signed_at="9999-12-31T23:59:59+00:00", heads=[])
    signature = SigningKey(trail.house.keys.arn("evidence")).sign(foreign.signed_bytes())
    foreign = msgspec.structs.replace(foreign, signature=base64.b64encode(signature).decode())
    trail.put_object(STRANGER, foreign.encode())
    with _after(hours=1), pytest.raises(AuditTrailBroken, match=f"it is of the region {STANDBY}, and those before"):
        trail.run("sign_audit_heads")
    assert _documents(trail)[1].previous == sha256_of(ours.encode())


def test_an_empty_trail_is_signed_too(house: House) -> None:
    assert Trail(house).run("sign_audit_heads")["chains"] == 0


def test_running_it_twice_signs_once(trail: Trail) -> None:
    operation = trail.house.operation("audit_signing")
    found = [trail.house.run("sign_audit_heads", {"operation": operation}) for _ in range(2)]
    assert found[0] == found[1]
    assert len(_documents(trail)) == 1


def test_a_clock_that_goes_back_signs_no_document_before_the_last(trail: Trail) -> None:
    trail.run("sign_audit_heads")
    with patch("lambdas.adapters.lambda_handler.Run.now", lambda _: datetime(2020, 2, 29, tzinfo=UTC)):
        trail.run("sign_audit_heads")
    assert len(_documents(trail)) == 2
    assert _history(trail).findings == []


def test_what_the_stream_has_missed_is_archived_before_it_is_signed(trail: Trail) -> None:
    trail.archive.keep(trail.links()[0])
    trail.archive.keep(trail.links()[2])
    trail.run("sign_audit_heads")
    assert len([key for key in trail.objects() if key.startswith("events/")]) == 4


def test_nothing_is_signed_that_could_not_be_archived(trail: Trail) -> None:
    refuse = refused(lambda request: request.method == "PUT" and "/events/" in request.url, "AccessDenied", 403)
    with refuse, pytest.raises(Unexpected, match="AccessDenied from PutObject"):
        trail.run("sign_audit_heads")
    assert _documents(trail) == []
    trail.run("sign_audit_heads")
    assert len(_documents(trail)) == 1


@pytest.mark.parametrize(
    ("sequence", "change", "told"),
    [
        (2, {"user_id": "nobody"}, "platform#vault: event 2 was changed"),
        (3, {"previous": "f" * 64}, "platform#vault: event 3 does not follow the event before it"),
    ],
)
def test_what_is_wrong_in_what_is_new_is_told_and_signed_all_the_same(
    sequence: int, change: dict[str, str], told: str, trail: Trail
) -> None:
    trail.put(trail.item(sequence) | change)
    with pytest.raises(AuditTrailBroken, match=told):
        trail.run("sign_audit_heads")
    (document,) = _documents(trail)
    assert told in document.faults
    assert set(document.ends()) == {VAULT, TENANT}
    trail.run("sign_audit_heads")


def test_what_was_wrong_is_told_again_when_it_runs_again(trail: Trail) -> None:
    trail.remove(3)
    operation = trail.house.operation("audit_signing")
    for _ in range(2):
        with pytest.raises(AuditTrailBroken, match="the chain ends at event 2, and its head is event 3"):
            trail.house.run("sign_audit_heads", {"operation": operation})
    assert len(_documents(trail)) == 1


def test_an_event_that_differs_from_its_archived_copy_is_told_and_both_are_kept(trail: Trail) -> None:
    first = trail.links()[0]
    trail.archive.keep(first)
    aws("dynamodb").delete_item(TableName=HEADS, Key={"scope": {"S": VAULT}})
    trail.remove(1)
    trail.append(VAULT, "x")
    with pytest.raises(AuditTrailBroken, match="event 1 differs from its archived copy"):
        trail.run("sign_audit_heads")
    second = trail.links()[0]
    assert trail.versions(event_key(VAULT, 1)) == [encode_link(first)]
    assert trail.versions(second_key(second)) == [encode_link(second)]


def test_of_many_new_events_all_are_archived_and_those_that_differ_are_told_in_their_order(trail: Trail) -> None:
    trail.append(TENANT, *(f"many-{number}" for number in range(2, 41)))
    links = trail.links(TENANT)
    for each in (links[32], links[4]):
        trail.archive.keep(dataclasses.replace(each, hash="f" * 64))
    with pytest.raises(AuditTrailBroken):
        trail.run("sign_audit_heads")
    (document,) = _documents(trail)
    assert document.faults == [f"{TENANT}: event {number} differs from its archived copy" for number in (5, 33)]
    assert document.ends()[TENANT] == (40, links[-1].hash)
    assert [each.sequence for each in trail.archive.copies(TENANT)] == list(range(1, 41))


def test_a_chain_whose_head_is_gone_is_told(trail: Trail) -> None:
    trail.run("sign_audit_heads")
    aws("dynamodb").delete_item(TableName=HEADS, Key={"scope": {"S": TENANT}})
    with pytest.raises(AuditTrailBroken, match="tenant#1: the chain ends at event 1, and its head is event 0"):
        trail.run("sign_audit_heads")


def test_without_the_key_nothing_is_signed(trail: Trail) -> None:
    with refused("Sign", "DisabledException"), pytest.raises(KeyUnusable):
        trail.run("sign_audit_heads")
    assert _documents(trail) == []
