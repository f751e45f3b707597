"""The spool held against its marks and the trail: what is whole passes, and whatever is done to it is found."""

import dataclasses
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lambdas.domain.audit import Event
from lambdas.domain.canonical import canonical_json
from lambdas.domain.spool import LARGEST, LATE, Spool, Spooled, mark_of, read_spooled, spool_key

VAULT = "platform#vault"
NOW = datetime(2026, 11, 22, 4, 30, tzinfo=UTC)
EVENT = Event("id-a", "secret_read", "jo", "2026-11-22T04:00:00.000Z", "info", {"n": 1})
OTHER = dataclasses.replace(EVENT, id="id-b")
KEY, MARK = "spool/id-a.json", "chained/id-a.json"


def _raw(event: Event = EVENT, scope: str = VAULT) -> bytes:
    return canonical_json({"scope": scope, "event": dataclasses.asdict(event)})


def _found(
    spooled: dict[str, bytes],
    marks: Sequence[str] = (),
    trail: Sequence[tuple[str, Event]] = (),
    since: datetime | None = NOW,
) -> list[str]:
    spool = Spool(marks, NOW)
    for key, raw in spooled.items():
        spool.add(key, raw, since)
    for scope, event in trail:
        spool.come_by(scope, event)
    return [str(finding) for finding in spool.findings()]


def test_an_event_lies_under_its_id_with_its_mark_beside_it() -> None:
    assert (spool_key("id-a"), mark_of(KEY)) == (KEY, MARK)
    assert read_spooled(KEY, _raw()) == Spooled(VAULT, EVENT)


def test_an_event_that_is_marked_and_in_its_chain_is_no_finding_and_neither_is_one_that_just_came() -> None:
    assert _found({KEY: _raw()}, [MARK], [(VAULT, OTHER), (VAULT, EVENT)]) == []
    assert _found({KEY: _raw()}) == []


@pytest.mark.parametrize("trail", [[], [(VAULT, OTHER)], [("tenant#1", EVENT)]])
def test_an_event_that_is_marked_and_not_in_its_chain_is_found(trail: list[tuple[str, Event]]) -> None:
    assert _found({KEY: _raw()}, [MARK], trail) == [
        f"{MARK}: it marks an event as chained, and {VAULT} has no such event"
    ]


@pytest.mark.parametrize("change", [{"user_id": "nobody"}, {"event": "secret_listed"}, {"details": {"n": 2}}])
def test_another_deed_under_the_same_id_does_not_take_the_place_of_what_was_spooled(change: dict[str, Any]) -> None:
    assert _found({KEY: _raw()}, [MARK], [(VAULT, dataclasses.replace(EVENT, **change))]) == [
        f"{MARK}: it marks an event as chained, and {VAULT} has no such event"
    ]


def test_the_time_of_a_second_try_and_being_chained_late_make_no_other_deed() -> None:
    again = dataclasses.replace(EVENT, timestamp="2026-11-22T04:00:09.000Z", details={"n": 1, "chained_late": True})
    assert _found({KEY: _raw()}, [MARK], [(VAULT, again)]) == []


def test_a_mark_of_what_was_never_spooled_is_found() -> None:
    assert _found({KEY: _raw()}, [MARK, "chained/id-b.json", "chained/x"], [(VAULT, EVENT)]) == [
        "chained/id-b.json: it marks an event as chained that was never spooled",
        "chained/x: it marks an event as chained that was never spooled",
    ]


@pytest.mark.parametrize(
    ("key", "raw"),
    [
        (KEY, b""),
        (KEY, b"{}"),
        (KEY, b"\xff"),
        ("spool/id-b.json", _raw()),
        (f"{KEY}.txt", _raw()),
        (KEY, _raw(dataclasses.replace(EVENT, timestamp="soon"))),
        (KEY, _raw(dataclasses.replace(EVENT, timestamp="2026-11-22T04:00:00"))),
        # What no table takes.
        pytest.param(KEY, _raw(scope=""), id="no chain"),
        pytest.param(KEY, _raw(dataclasses.replace(EVENT, event="")), id="no name"),
        pytest.param(KEY, _raw(dataclasses.replace(EVENT, details={"much": "x" * LARGEST})), id="too large"),
    ],
)
@pytest.mark.parametrize("marked", [False, True])
def test_what_mailark_did_not_spool_is_found_whether_it_is_marked_or_not(key: str, raw: bytes, marked: bool) -> None:
    assert _found({key: raw}, [mark_of(key)] if marked else []) == [f"{key}: it is no event that Mailark spooled"]


def test_an_event_waits_for_some_hours_before_it_is_a_finding() -> None:
    assert _found({KEY: _raw()}, since=NOW - LATE) == []
    late = NOW - LATE - timedelta(seconds=1)
    told = f"{KEY}: it waits to be chained since {late.isoformat()}, and that is done every hour"
    assert _found({KEY: _raw()}, since=late) == [told]
    assert _found({KEY: _raw()}, since=late, trail=[("tenant#1", EVENT)]) == [told]
    assert _found({KEY: _raw()}, since=late, trail=[(VAULT, EVENT)]) == []


def test_where_nobody_knows_when_it_was_put_the_event_says_when_it_happened() -> None:
    old = dataclasses.replace(EVENT, timestamp="2026-11-22T01:00:00.000Z")
    assert _found({KEY: _raw()}, since=None) == []
    assert _found({KEY: _raw(old)}, since=None) == [
        f"{KEY}: it waits to be chained since 2026-11-22T01:00:00+00:00, and that is done every hour"
    ]


def test_how_many_events_were_spooled_is_counted_without_what_is_none() -> None:
    spool = Spool([], NOW)
    spool.add(KEY, _raw())
    spool.add("spool/x", b"")
    assert spool.events == 1
