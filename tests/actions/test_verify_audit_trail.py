"""`verify_audit_trail`: the whole trail against its heads, its signatures and its archive."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from unittest.mock import patch

import pytest

from lambdas.domain.errors import AuditTrailBroken
from lambdas.domain.evidence import event_key, heads_key
from tests.actions.house import House, bucket_name
from tests.actions.trail import HEADS, TENANT, VAULT, Trail, event
from tests.servers.aws import PRIMARY, aws


@pytest.fixture
def trail(house: House) -> Trail:
    """Two chains, signed twice, and an event that is not signed yet."""
    found = Trail(house)
    found.append(VAULT, "a", "b", "c")
    found.append(TENANT, "d")
    found.run("sign_audit_heads")
    found.append(VAULT, "e")
    found.run("sign_audit_heads")
    found.append(VAULT, "f")
    return found


def test_a_trail_as_it_was_written_passes_however_often(trail: Trail) -> None:
    found = [trail.run("verify_audit_trail") for _ in range(2)]
    assert found[0] == found[1]
    assert (found[0]["chains"], found[0]["documents"]) == (2, 2)
    newest = trail.archive.newest_heads()
    assert newest
    assert heads_key(found[0]["signed_until"]) == newest[0]


def test_it_changes_nothing(trail: Trail) -> None:
    before = trail.objects()
    trail.run("verify_audit_trail")
    assert trail.objects() == before
    assert [len(trail.versions(key)) for key in before] == [1] * len(before)


def test_a_new_house_whose_heads_are_not_due_yet_passes(house: House) -> None:
    trail = Trail(house)
    assert trail.run("verify_audit_trail") == {"chains": 0, "documents": 0, "signed_until": ""}
    trail.append(VAULT, "a")
    assert trail.run("verify_audit_trail")["chains"] == 1


def _change(trail: Trail) -> None:
    trail.put(trail.item(2) | {"user_id": "nobody"})


def _remove(trail: Trail) -> None:
    trail.remove(2)


def _cut(trail: Trail) -> None:
    trail.remove(4)
    trail.remove(5)


def _rewrite(trail: Trail) -> None:
    """All of a chain, with its head, by somebody with full access to the tables."""
    for sequence in range(1, 6):
        trail.remove(sequence)
    for key in (VAULT, *(f"id#{event(name).id}" for name in "abcef")):
        aws("dynamodb").delete_item(TableName=HEADS, Key={"scope": {"S": key}})
    trail.append(VAULT, *(f"{name}-other" for name in "abcef"))


def _shorten(trail: Trail) -> None:
    """The tail with its head."""
    head = trail.links()[2]
    _cut(trail)
    trail.put({"scope": VAULT, "sequence": 3, "hash": head.hash}, HEADS)


def _forget(trail: Trail) -> None:
    """A whole chain with its head."""
    trail.remove(1, TENANT)
    aws("dynamodb").delete_item(TableName=HEADS, Key={"scope": {"S": TENANT}})


def _invent(trail: Trail) -> None:
    """A chain past Mailark, which the stream would archive."""
    trail.put(trail.item(1) | {"scope": "tenant#2"})


def _garble(trail: Trail) -> None:
    trail.put(trail.item(2) | {"details": "NaN"})


def _lose_a_copy(trail: Trail) -> None:
    aws("s3").delete_object(Bucket=bucket_name("audit", PRIMARY), Key=event_key(VAULT, 2))


def _put_over_a_copy(trail: Trail) -> None:
    aws("s3").put_object(Bucket=bucket_name("audit", PRIMARY), Key=event_key(VAULT, 2), Body=b"{}")


def _lose_a_document(trail: Trail) -> None:
    (first, *_) = sorted(key for key in trail.objects() if key.startswith("heads/"))
    aws("s3").delete_object(Bucket=bucket_name("audit", PRIMARY), Key=first)


def _forge_a_document(trail: Trail) -> None:
    *_, last = sorted(key for key in trail.objects() if key.startswith("heads/"))
    body = trail.objects()[last].replace(b'"sequence":4', b'"sequence":3')
    aws("s3").put_object(Bucket=bucket_name("audit", PRIMARY), Key=last, Body=body)


@pytest.mark.parametrize(
    ("deed", "told"),
    [
        (_change, "platform#vault: event 2 was changed; platform#vault: event 2 differs from its copy in the archive"),
        (_remove, "platform#vault: event 2 is missing before event 3"),
        (_cut, "platform#vault: the chain ends at event 3, and event 4 was signed"),
        (_cut, "platform#vault: the chain ends at event 3, and its head is event 5"),
        (_rewrite, "platform#vault: event 3 is another one than was signed"),
        (_shorten, "platform#vault: event 4 is in the archive, and not in the table"),
        (_forget, "tenant#1: the chain ends at event 0, and event 1 was signed"),
        (_garble, "platform#vault: event 2 was changed"),
        (_lose_a_copy, "platform#vault: event 2 has no copy in the archive"),
        (_put_over_a_copy, "platform#vault: event 2 differs from its copy in the archive"),
        (_lose_a_document, "the documents before it are missing, or changed"),
        (_forge_a_document, "its signature does not match"),
    ],
)
def test_whatever_somebody_did_is_found_and_named(deed: Callable[[Trail], None], told: str, trail: Trail) -> None:
    deed(trail)
    with pytest.raises(AuditTrailBroken) as raised:
        trail.run("verify_audit_trail")
    assert told in str(raised.value)
    assert "audit trail broken" in trail.house.log


def test_a_chain_without_a_head_is_found_by_what_the_stream_archived_of_it(trail: Trail) -> None:
    _invent(trail)
    (stranger,) = trail.links("tenant#2")
    trail.archive.keep(stranger)
    with pytest.raises(AuditTrailBroken, match="tenant#2: event 1 was changed; tenant#2: the chain ends at event 1"):
        trail.run("verify_audit_trail")


def test_heads_that_are_signed_no_more_are_found(trail: Trail) -> None:
    later = datetime.now(UTC) + timedelta(hours=2, minutes=1)
    with (
        patch("lambdas.adapters.lambda_handler.Run.now", lambda _: later),
        pytest.raises(AuditTrailBroken, match="no heads were signed since"),
    ):
        trail.run("verify_audit_trail")


def test_heads_that_were_never_signed_are_found(house: House) -> None:
    trail = Trail(house)
    trail.table.append(VAULT, event("a", hours_ago=3))
    with pytest.raises(AuditTrailBroken, match="no heads were signed since"):
        trail.run("verify_audit_trail")


def test_of_very_many_findings_the_first_are_told(trail: Trail) -> None:
    for sequence in range(10, 250, 2):
        trail.put(trail.item(1) | {"sequence": sequence})
    with pytest.raises(AuditTrailBroken, match="found in at least 100 places: platform#vault: event"):
        trail.run("verify_audit_trail")
