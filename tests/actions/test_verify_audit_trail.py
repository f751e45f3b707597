"""`verify_audit_trail`: the whole trail against its heads, its signatures and its archive."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from unittest.mock import patch

import pytest

from lambdas.domain.audit_bucket import event_key, heads_key, second_key
from lambdas.domain.errors import AuditTrailBroken
from tests.actions.house import House
from tests.actions.trail import HEADS, TENANT, VAULT, Trail, event
from tests.servers.aws import aws


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
    newest, _ = next(trail.archive.newest_heads())
    assert heads_key(found[0]["signed_until"]) == newest.key


def test_spooled_events_that_were_chained_and_one_that_waits_pass(trail: Trail) -> None:
    trail.archive.spool(VAULT, event("late"))
    trail.archive.spool("tenant#new", event("first"))
    trail.run("chain_spooled_events")
    trail.archive.spool(VAULT, event("waits"))
    assert trail.run("verify_audit_trail")["chains"] == 3


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
    trail.destroy(event_key(VAULT, 2))


def _hide_a_copy(trail: Trail) -> None:
    trail.delete(event_key(VAULT, 2))


def _put_over_a_copy(trail: Trail) -> None:
    trail.put_object(event_key(VAULT, 2), trail.objects()[event_key(VAULT, 2)])


def _replace_a_copy(trail: Trail) -> None:
    trail.destroy(event_key(VAULT, 2))
    trail.put_object(event_key(VAULT, 2), b"{}")


def _plant_a_copy(trail: Trail) -> None:
    trail.put_object("events/notes.txt", b"x")


def _documents(trail: Trail) -> list[str]:
    return sorted(key for key in trail.objects() if key.startswith("heads/"))


def _lose_a_document(trail: Trail) -> None:
    trail.destroy(_documents(trail)[0])


def _hide_the_last_document(trail: Trail) -> None:
    trail.delete(_documents(trail)[-1])


def _put_over_a_document(trail: Trail) -> None:
    trail.put_object(_documents(trail)[-1], b"{}")


def _plant_a_document(trail: Trail) -> None:
    trail.put_object("heads/9999/12/31/235959Z.json", b"junk")


def _plant_a_document_of_no_time(trail: Trail) -> None:
    body = trail.objects()[_documents(trail)[-1]]
    signed_at = json.loads(body)["signed_at"].encode()
    trail.put_object("heads/strange.json", body.replace(signed_at, b"9999-12-31T23:59:59-23:00"))


def _forge_a_document(trail: Trail) -> None:
    last = _documents(trail)[-1]
    body = trail.objects()[last].replace(b'"sequence":4', b'"sequence":3')
    trail.destroy(last)
    trail.put_object(last, body)


def _mark_as_chained(trail: Trail) -> None:
    """An event that waits: it would never be chained."""
    trail.archive.spool(VAULT, event("late"))
    trail.put_object("chained/id-late.json", b"{}")
    trail.run("chain_spooled_events")


def _mark_what_was_never_spooled(trail: Trail) -> None:
    trail.put_object("chained/id-late.json", b"{}")


def _chain_one_late(trail: Trail) -> None:
    trail.archive.spool(VAULT, event("late"))
    trail.run("chain_spooled_events")


def _put_over_what_was_spooled(trail: Trail) -> None:
    _chain_one_late(trail)
    trail.put_object("spool/id-late.json", b"{}")


def _hide_what_was_spooled(trail: Trail) -> None:
    _chain_one_late(trail)
    trail.delete("spool/id-late.json")


def _hide_a_mark(trail: Trail) -> None:
    _chain_one_late(trail)
    trail.delete("chained/id-late.json")


def _plant_in_the_spool(trail: Trail) -> None:
    trail.put_object("spool/strange.json", b"{}")
    trail.put_object("chained/strange.json", b"{}")


def _mark_as_appended(trail: Trail) -> None:
    """An event that is still to come: `append` will take it for one that is there."""
    trail.put({"scope": "id#to-come", "chain": VAULT}, HEADS)
    trail.append(VAULT, "g")


def _mark_as_appended_to_no_chain(trail: Trail) -> None:
    trail.put({"scope": "id#to-come", "chain": "tenant#none"}, HEADS)


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
        (_hide_a_copy, "events/platform%23vault/000000000002.json: it was deleted"),
        (_put_over_a_copy, "000000000002.json: it was put again; of its 2 versions, the oldest is believed"),
        (_replace_a_copy, "platform#vault: event 2 differs from its copy in the archive"),
        (_plant_a_copy, "events/notes.txt: it lies where no event belongs"),
        (_lose_a_document, "the documents before it are missing, or changed"),
        (_hide_the_last_document, "Z.json: it was deleted; below the deletion marker, the lock keeps what lay there"),
        (_put_over_a_document, "Z.json: it was put again; of its 2 versions, the oldest is believed"),
        (_plant_a_document, "heads/9999/12/31/235959Z.json: it cannot be read as a document of signed heads"),
        (_plant_a_document_of_no_time, "heads/strange.json: its signature does not match"),
        (_forge_a_document, "its signature does not match"),
        (_mark_as_chained, "chained/id-late.json: it marks an event as chained, and platform#vault has no such event"),
        (_mark_what_was_never_spooled, "chained/id-late.json: it marks an event as chained that was never spooled"),
        (_put_over_what_was_spooled, "spool/id-late.json: it was put again; of its 2 versions, the oldest is believed"),
        (_hide_what_was_spooled, "spool/id-late.json: it was deleted; below the deletion marker"),
        (_hide_a_mark, "chained/id-late.json: it was deleted; below the deletion marker"),
        (_plant_in_the_spool, "spool/strange.json: it is no event that Mailark spooled"),
        (_mark_as_appended, "platform#vault: the id to-come is marked as appended, and no event of the chain has it"),
        (_mark_as_appended_to_no_chain, "tenant#none: the id to-come is marked as appended"),
    ],
)
def test_whatever_somebody_did_is_found_and_named(deed: Callable[[Trail], None], told: str, trail: Trail) -> None:
    deed(trail)
    with pytest.raises(AuditTrailBroken) as raised:
        trail.run("verify_audit_trail")
    assert told in str(raised.value)
    assert "audit trail broken" in trail.house.log


def test_deletion_markers_hide_no_tail_that_was_cut_with_its_head(trail: Trail) -> None:
    """Event 4 is signed, event 5 is archived alone: both are read in the version that was put first."""
    trail.archive.keep(trail.links()[4])
    _shorten(trail)
    for key in (event_key(VAULT, 4), event_key(VAULT, 5), _documents(trail)[-1]):
        trail.delete(key)
    with pytest.raises(AuditTrailBroken) as raised:
        trail.run("verify_audit_trail")
    for told in (
        "000000000004.json: it was deleted",
        "000000000005.json: it was deleted",
        "platform#vault: the chain ends at event 3, and event 4 was signed",
        "platform#vault: event 4 is in the archive, and not in the table",
        "platform#vault: event 5 is in the archive, and not in the table",
    ):
        assert told in str(raised.value)


def test_a_fault_that_was_signed_stays_a_finding_when_the_table_is_mended(trail: Trail) -> None:
    whole = trail.item(5)
    trail.put(whole | {"user_id": "nobody"})
    with pytest.raises(AuditTrailBroken):
        trail.run("sign_audit_heads")
    trail.put(whole)
    trail.run("sign_audit_heads")
    for _ in range(2):
        with pytest.raises(AuditTrailBroken, match="when it was signed, this was found: platform#vault: event 5 was"):
            trail.run("verify_audit_trail")


def test_an_archived_event_that_was_exchanged_before_it_was_signed_is_found_for_ever(trail: Trail) -> None:
    trail.archive.keep(trail.links()[4])
    trail.remove(5)
    trail.put({"scope": VAULT, "sequence": 4, "hash": trail.links()[3].hash}, HEADS)
    trail.append(VAULT, "another")
    with pytest.raises(AuditTrailBroken, match="event 5 differs from its archived copy"):
        trail.run("sign_audit_heads")
    trail.append(VAULT, "g")
    trail.run("sign_audit_heads")
    for _ in range(2):
        with pytest.raises(AuditTrailBroken) as raised:
            trail.run("verify_audit_trail")
        for told in (
            "when it was signed, this was found: platform#vault: event 5 differs from its archived copy",
            f"{second_key(trail.links()[4])}: it lies where no event belongs",
            "platform#vault: event 5 differs from its copy in the archive",
            "platform#vault: the id id-f is marked as appended, and no event of the chain has it",
        ):
            assert told in str(raised.value)


def test_a_chain_without_a_head_is_found_by_what_the_stream_archived_of_it(trail: Trail) -> None:
    _invent(trail)
    (stranger,) = trail.links("tenant#2")
    trail.archive.keep(stranger)
    with pytest.raises(AuditTrailBroken, match="tenant#2: event 1 was changed; tenant#2: the chain ends at event 1"):
        trail.run("verify_audit_trail")


@pytest.mark.parametrize(("hours", "late"), [(2.9, False), (3.1, True)])
def test_a_spooled_event_that_waits_for_more_than_three_hours_is_found(hours: float, late: bool, trail: Trail) -> None:
    """How long it waits is told by when it was put, whatever time it names: here it says that it just happened."""
    trail.archive.spool(VAULT, event("waits", hours_ago=-hours))
    later = datetime.now(UTC) + timedelta(hours=hours)
    with (
        patch("lambdas.adapters.lambda_handler.Run.now", lambda _: later),
        pytest.raises(AuditTrailBroken) as raised,
    ):
        trail.run("verify_audit_trail")
    assert ("spool/id-waits.json: it waits to be chained since" in str(raised.value)) == late


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
