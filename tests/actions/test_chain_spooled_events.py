"""`chain_spooled_events`: what could not be chained when it happened is chained, once, oldest first."""

import dataclasses

import pytest

from lambdas.domain.audit import Event, faults
from lambdas.domain.errors import AuditTrailBroken, Unexpected
from tests.actions.house import House, bucket_name
from tests.actions.trail import TENANT, VAULT, Trail, event
from tests.servers.aws import PRIMARY, aws, refused


@pytest.fixture
def trail(house: House) -> Trail:
    return Trail(house)


def _late(given: Event) -> Event:
    return dataclasses.replace(given, details=given.details | {"chained_late": True})


def _events(trail: Trail, scope: str = VAULT) -> list[Event]:
    links = trail.links(scope)
    assert faults(links, trail.table.head(scope)) == []
    return [each.event for each in links]


def test_spooled_events_are_chained_oldest_first_with_their_own_times_and_a_word_about_it(trail: Trail) -> None:
    trail.append(VAULT, "before")
    spooled = [event("b", hours_ago=2), event("a", hours_ago=1), event("c", hours_ago=3)]
    for each in spooled:
        trail.archive.spool(VAULT, each)
    trail.archive.spool(TENANT, other := event("d"))
    assert trail.run("chain_spooled_events") == {"chained": 4}
    assert _events(trail)[1:] == [_late(spooled[2]), _late(spooled[0]), _late(spooled[1])]
    assert _events(trail, TENANT) == [_late(other)]


def test_what_was_spooled_first_is_chained_whatever_was_put_over_it(trail: Trail) -> None:
    trail.archive.spool(VAULT, first := event("a"))
    trail.put_object("spool/id-a.json", trail.objects()["spool/id-a.json"].replace(b'"jo"', b'"me"'))
    trail.delete("spool/id-a.json")
    assert trail.run("chain_spooled_events") == {"chained": 1}
    assert _events(trail) == [_late(first)]


def test_an_event_whose_mark_was_planted_is_chained_when_the_mark_is_deleted(trail: Trail) -> None:
    trail.archive.spool(VAULT, given := event("a"))
    trail.put_object("chained/id-a.json", b"{}")
    assert trail.run("chain_spooled_events") == {"chained": 0}
    trail.delete("chained/id-a.json")
    assert trail.run("chain_spooled_events") == {"chained": 1}
    assert trail.run("chain_spooled_events") == {"chained": 0}
    assert _events(trail) == [_late(given)]


def test_nothing_waits_and_nothing_is_done(trail: Trail) -> None:
    assert trail.run("chain_spooled_events") == {"chained": 0}


def test_what_is_chained_is_chained_once_and_marked(trail: Trail) -> None:
    trail.archive.spool(VAULT, event("a"))
    trail.run("chain_spooled_events")
    before = trail.objects()
    assert trail.run("chain_spooled_events") == {"chained": 0}
    assert list(before) == ["chained/id-a.json", "spool/id-a.json"]
    assert trail.objects() == before
    assert len(_events(trail)) == 1


def test_one_that_was_chained_when_the_mark_could_not_be_put_is_not_chained_again(trail: Trail) -> None:
    trail.archive.spool(VAULT, event("a"))
    refuse = refused(lambda request: "/chained/" in request.url and request.method == "PUT", "AccessDenied", 403)
    with refuse, pytest.raises(Unexpected):
        trail.run("chain_spooled_events")
    assert trail.run("chain_spooled_events") == {"chained": 1}
    assert len(_events(trail)) == 1


def test_one_that_reached_the_table_after_all_keeps_what_stands_there(trail: Trail) -> None:
    trail.table.append(VAULT, given := event("a"))
    trail.archive.spool(VAULT, given)
    trail.run("chain_spooled_events")
    assert _events(trail) == [given]


def test_while_the_table_cannot_be_written_everything_goes_on_waiting(trail: Trail) -> None:
    trail.archive.spool(VAULT, event("a"))
    with refused("TransactWriteItems", "AccessDeniedException"), pytest.raises(Unexpected):
        trail.run("chain_spooled_events")
    assert [kept.key for kept, _ in trail.archive.waiting()] == ["spool/id-a.json"]
    assert trail.run("chain_spooled_events") == {"chained": 1}


@pytest.mark.parametrize("body", [b"", b"{}", b'{"scope":"x","event":{}}'])
def test_what_nobody_spooled_is_told_and_holds_up_no_other(body: bytes, trail: Trail) -> None:
    trail.archive.spool(VAULT, event("a"))
    aws("s3").put_object(Bucket=bucket_name("audit", PRIMARY), Key="spool/strange.json", Body=body)
    with pytest.raises(AuditTrailBroken, match=r"spool/strange.json: it is no event that Mailark spooled"):
        trail.run("chain_spooled_events")
    assert len(_events(trail)) == 1


def test_a_spooled_event_under_another_name_is_not_chained(trail: Trail) -> None:
    trail.archive.spool(VAULT, event("a"))
    trail.run("chain_spooled_events")
    body = trail.objects()["spool/id-a.json"]
    aws("s3").put_object(Bucket=bucket_name("audit", PRIMARY), Key="spool/id-b.json", Body=body)
    with pytest.raises(AuditTrailBroken, match=r"spool/id-b.json"):
        trail.run("chain_spooled_events")
    assert len(_events(trail)) == 1
