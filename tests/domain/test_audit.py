"""The hash chain of the audit trail: a sound one has no fault, and whatever is done to one leaves a fault."""

import dataclasses
import hashlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambdas.domain.audit import GENESIS, Event, Link, event_id, faults, link

SCOPE = "platform#vault"

texts = st.sampled_from(["", "a", "b", "1", "null"])
maybe = st.none() | texts
events = st.builds(
    Event,
    id=texts,
    event=texts,
    user_id=texts,
    timestamp=texts,
    severity=st.sampled_from(["info", "warning", "critical"]),
    details=st.dictionaries(texts, maybe | st.sampled_from([0, 1, True, False]), max_size=2),
    tenant_id=maybe,
)
histories = st.lists(events, min_size=1, max_size=6)


def chain_of(history: list[Event], scope: str = SCOPE) -> list[Link]:
    links: list[Link] = []
    for sequence, event in enumerate(history, start=1):
        links.append(link(scope, sequence, links[-1].hash if links else GENESIS, event))
    return links


def head_of(links: list[Link]) -> tuple[int, str]:
    return (links[-1].sequence, links[-1].hash) if links else (0, GENESIS)


def changed(value: Any) -> Any:
    """Another value than this one, and as like it as can be."""
    match value:
        case None:
            return ""
        case dict():
            return value | {"": not value.get("")}
        case int():
            return value + 1
        case "info" | "warning":
            return "critical"
        case _:
            return f"{value} "


def event_named(name: str) -> Event:
    return Event(name, name, "system", "2026-11-22T02:00:00.000Z", "info")


# --- sound chains -----------------------------------------------------------------------------------------


@given(st.lists(events, max_size=6))
def test_a_sound_chain_has_no_fault(history: list[Event]) -> None:
    links = chain_of(history)
    assert faults(links) == []
    assert faults(links, head_of(links)) == []


@given(histories, events)
def test_a_chain_that_has_grown_is_still_sound(history: list[Event], event: Event) -> None:
    links = chain_of(history)
    sequence, previous = head_of(links)
    longer = [*links, link(SCOPE, sequence + 1, previous, event)]
    assert faults(longer, head_of(longer)) == []


# --- what is done to one ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(Event)])
@settings(max_examples=25)
@given(history=histories, data=st.data())
def test_a_change_of_any_field_of_any_event_is_found(name: str, history: list[Event], data: st.DataObject) -> None:
    links = chain_of(history)
    place = data.draw(st.integers(0, len(links) - 1))
    before = links[place].event
    event = dataclasses.replace(before, **{name: changed(getattr(before, name))})
    links[place] = dataclasses.replace(links[place], event=event)
    assert f"event {place + 1} was changed" in faults(links)


@pytest.mark.parametrize("name", ["scope", "sequence", "previous", "hash"])
@settings(max_examples=25)
@given(history=histories, data=st.data())
def test_a_change_of_the_place_of_any_event_is_found(name: str, history: list[Event], data: st.DataObject) -> None:
    links = chain_of(history)
    place = data.draw(st.integers(0, len(links) - 1))
    links[place] = dataclasses.replace(links[place], **{name: changed(getattr(links[place], name))})
    assert faults(links)


@given(histories, st.data())
def test_an_event_that_was_changed_and_linked_anew_is_found(history: list[Event], data: st.DataObject) -> None:
    links = chain_of(history)
    place = data.draw(st.integers(0, len(links) - 1))
    old = links[place]
    event = dataclasses.replace(old.event, user_id=changed(old.event.user_id))
    head = head_of(links)
    links[place] = link(old.scope, old.sequence, old.previous, event)
    assert faults(links, head)


@given(histories, st.data())
def test_a_chain_that_was_rewritten_to_its_end_is_found_by_its_head(history: list[Event], data: st.DataObject) -> None:
    head = head_of(chain_of(history))
    place = data.draw(st.integers(0, len(history) - 1))
    rewritten = list(history)
    rewritten[place] = dataclasses.replace(history[place], user_id=changed(history[place].user_id))
    assert faults(chain_of(rewritten)) == []
    end = f"the chain ends at event {len(history)}, and its head is another event of that number"
    assert faults(chain_of(rewritten), head) == [end]


@given(st.lists(events, min_size=2, max_size=6), st.data())
def test_a_removed_event_is_found(history: list[Event], data: st.DataObject) -> None:
    links = chain_of(history)
    place = data.draw(st.integers(0, len(links) - 2))
    del links[place]
    assert faults(links) == [f"event {place + 1} is missing before event {place + 2}"]


@given(histories, st.data())
def test_a_cut_tail_is_found_by_the_head(history: list[Event], data: st.DataObject) -> None:
    links = chain_of(history)
    left = data.draw(st.integers(0, len(links) - 1))
    assert faults(links[:left]) == []
    end = f"the chain ends at event {left}, and its head is event {len(links)}"
    assert faults(links[:left], head_of(links)) == [end]


@given(st.lists(events, min_size=2, max_size=6), st.data())
def test_two_events_that_changed_places_are_found(history: list[Event], data: st.DataObject) -> None:
    links = chain_of(history)
    one, other = data.draw(st.lists(st.integers(0, len(links) - 1), min_size=2, max_size=2, unique=True))
    links[one], links[other] = links[other], links[one]
    assert faults(links)


@given(histories, events, st.data())
def test_an_inserted_event_is_found(history: list[Event], event: Event, data: st.DataObject) -> None:
    links = chain_of(history)
    head = head_of(links)
    place = data.draw(st.integers(0, len(links)))
    previous = links[place - 1].hash if place else GENESIS
    links.insert(place, link(SCOPE, place + 1, previous, event))
    assert faults(links, head)


@given(histories, st.data())
def test_an_event_that_stands_twice_is_found(history: list[Event], data: st.DataObject) -> None:
    links = chain_of(history)
    place = data.draw(st.integers(0, len(links) - 1))
    links.insert(place, links[place])
    assert f"event {place + 1} stands after event {place + 1}" in faults(links)


@given(histories, st.data())
def test_an_event_of_another_chain_is_found(history: list[Event], data: st.DataObject) -> None:
    links, others = chain_of(history), chain_of(history, "tenant#1")
    head = head_of(links)
    place = data.draw(st.integers(0, len(links) - 1))
    links[place] = others[place]
    assert faults(links, head)


# --- words ------------------------------------------------------------------------------------------------


def test_every_fault_is_said_in_words() -> None:
    a, b, c, d = chain_of([event_named(name) for name in "abcd"])
    broken = [a, dataclasses.replace(b, event=event_named("x")), d, c]
    assert faults(broken, (5, "f" * 64)) == [
        "event 2 was changed",
        "event 3 is missing before event 4",
        "event 3 stands after event 4",
        "the chain ends at event 3, and its head is event 5",
    ]


def test_an_event_of_another_past_does_not_follow() -> None:
    a, b = chain_of([event_named("a"), event_named("b")])
    stranger = link(SCOPE, 1, GENESIS, event_named("x"))
    assert faults([stranger, b]) == ["event 2 does not follow the event before it"]
    assert faults([a, b]) == []


# --- ids --------------------------------------------------------------------------------------------------


def test_a_deed_has_the_same_id_however_often_it_is_recorded() -> None:
    assert event_id("op-1", "vault_restored_from_backup") == event_id("op-1", "vault_restored_from_backup")


def test_other_deeds_and_other_operations_have_other_ids() -> None:
    ids = {event_id(operation, event) for operation in ("op-1", "op-2") for event in ("started", "completed")}
    assert len(ids) == 4


def test_the_hash_is_over_the_same_text_in_every_version() -> None:
    event = dataclasses.replace(event_named("a"), details={"b": 1, "a": "✉"}, tenant_id="t")
    text = (
        '{"event":{"details":{"a":"✉","b":1},"event":"a","id":"a","ip_address":null,"operation_id":null,'
        '"severity":"info","tenant_id":"t","timestamp":"2026-11-22T02:00:00.000Z","user_agent":null,'
        f'"user_id":"system"}},"previous":"{"0" * 64}","scope":"platform#vault","sequence":1}}'
    )
    assert link(SCOPE, 1, GENESIS, event).hash == hashlib.sha256(text.encode()).hexdigest()


def test_the_id_of_a_deed_is_the_same_in_every_version() -> None:
    assert event_id("op-1", "operation_started") == "2a9c79f7-b631-5592-9667-da773978011a"
