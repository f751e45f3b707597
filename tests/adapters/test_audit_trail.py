"""The audit trail: chains that many write to at once, and the questions that are asked of it."""

import dataclasses
import statistics
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lambdas.adapters.audit_archive import AuditArchive
from lambdas.adapters.audit_trail import AuditTrail, newest_events, tenant_scope, timestamp
from lambdas.adapters.tables import all_items, from_item, to_item
from lambdas.domain.audit import GENESIS, Event, Severity, event_id, faults
from lambdas.domain.errors import AuditConflict
from tests.servers.aws import PRIMARY, aws, refused
from tests.servers.buckets import make_bucket
from tests.servers.tables import make_tables

EVENTS, HEADS = "mailark-audit-events", "mailark-audit-heads"
SCOPE = "platform#vault"
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)

pytestmark = pytest.mark.usefixtures("_clean")


@pytest.fixture
def trail() -> AuditTrail:
    make_tables()
    return AuditTrail(PRIMARY, EVENTS, HEADS)


def _event(name: str = "operation_started", number: int = 1, **fields: Any) -> Event:
    given: dict[str, Any] = {
        "id": event_id(f"op-{number}", name),
        "event": name,
        "user_id": "jo",
        "timestamp": timestamp(NOW),
        "severity": "info",
    }
    return Event(**(given | fields))


def _found(trail: AuditTrail, scope: str = SCOPE) -> list[Event]:
    """The events of a sound chain."""
    links = list(trail.chain(scope))
    assert faults(links, trail.head(scope)) == []
    return [link.event for link in links]


# --- appending --------------------------------------------------------------------------------------------


def test_an_empty_chain_is_sound(trail: AuditTrail) -> None:
    assert _found(trail) == []
    assert trail.head(SCOPE) == (0, GENESIS)


def test_events_are_read_in_the_order_in_which_they_were_appended(trail: AuditTrail) -> None:
    events = [_event(number=i, timestamp=timestamp(NOW - timedelta(minutes=i))) for i in range(5)]
    for event in events:
        trail.append(SCOPE, event)
    assert _found(trail) == events
    assert trail.head(SCOPE)[0] == 5


def test_every_field_of_an_event_is_kept(trail: AuditTrail) -> None:
    full = Event(
        id="5f0c3c1e-1111-5222-8333-444455556666",
        event="smtp_credentials_accessed",
        user_id="jörg",
        timestamp="2026-11-22T12:00:00.123Z",
        severity="warning",
        details={"reason": "“why” 日本", "count": 3, "nested": {"list": [1, None, True]}, "incident_id": None},
        tenant_id="tenant-1",
        operation_id="op-1",
        ip_address="192.0.2.7",
        user_agent="Mozilla/5.0",
    )
    trail.append(SCOPE, full)
    assert _found(trail) == [full]


def test_chains_do_not_mix(trail: AuditTrail) -> None:
    trail.append(SCOPE, _event(number=1))
    trail.append("platform#database", _event(number=2))
    assert [len(_found(trail, scope)) for scope in (SCOPE, "platform#database", "platform#none")] == [1, 1, 0]


def test_an_event_is_appended_once_however_often_that_is_asked_for(trail: AuditTrail) -> None:
    first = _event(number=1)
    trail.append(SCOPE, first)
    trail.append(SCOPE, _event(number=2))
    for _ in range(2):
        trail.append(SCOPE, dataclasses.replace(first, timestamp=timestamp(NOW + timedelta(hours=1))))
    assert _found(trail) == [first, _event(number=2)]


def test_an_event_belongs_to_one_chain_only(trail: AuditTrail) -> None:
    trail.append(SCOPE, _event())
    trail.append("platform#database", _event())
    assert _found(trail, "platform#database") == []


def test_a_long_chain_is_read_over_several_pages(trail: AuditTrail) -> None:
    for i in range(12):
        trail.append(SCOPE, _event(number=i, details={"filling": "x" * 100_000}))
    page = aws("dynamodb").query(
        TableName=EVENTS,
        KeyConditionExpression="#scope = :scope",
        ExpressionAttributeNames={"#scope": "scope"},
        ExpressionAttributeValues=to_item({":scope": SCOPE}),
    )
    assert "LastEvaluatedKey" in page
    assert len(_found(trail)) == 12


# --- many at once -----------------------------------------------------------------------------------------


def test_fifty_writers_at_once_lose_nothing_and_reorder_nothing(trail: AuditTrail, measured: list[str]) -> None:
    writers, each = 50, 2
    seconds: list[float] = []
    begin = threading.Barrier(writers)

    def write(writer: int) -> None:
        own = AuditTrail(PRIMARY, EVENTS, HEADS)
        begin.wait(60)
        for i in range(each):
            started = time.monotonic()
            own.append(SCOPE, _event(number=writer * 100 + i, user_id=f"writer-{writer}", details={"i": i}))
            seconds.append(time.monotonic() - started)

    with ThreadPoolExecutor(writers) as pool:
        list(pool.map(write, range(writers)))
    events = _found(trail)
    assert len(events) == len({event.id for event in events}) == writers * each
    for writer in range(writers):
        assert [event.details["i"] for event in events if event.user_id == f"writer-{writer}"] == list(range(each))
    cuts = statistics.quantiles(seconds, n=20)
    measured.append(
        f"audit trail, {writers} writers of one chain at once: an event takes {statistics.median(seconds):.1f} s "
        f"(95 %: {cuts[-1]:.1f} s, longest {max(seconds):.1f} s)"
    )
    assert max(seconds) < 45, "a function that audits has 60 seconds"


def test_the_same_event_by_two_writers_at_once_is_appended_once(trail: AuditTrail) -> None:
    barrier = threading.Barrier(2)

    def write() -> None:
        own = AuditTrail(PRIMARY, EVENTS, HEADS)
        once = iter([barrier.wait])
        own._dynamo.meta.events.register("after-call.dynamodb.GetItem", lambda **_: next(once, int)())
        own.append(SCOPE, _event())

    threads = [threading.Thread(target=write) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert _found(trail) == [_event()]


def test_a_writer_who_always_comes_second_gives_up_with_a_name(
    trail: AuditTrail, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr("lambdas.adapters.audit_trail.time.sleep", waits.append)
    own = AuditTrail(PRIMARY, EVENTS, HEADS)
    numbers = iter(range(1000, 2000))
    own._dynamo.meta.events.register(
        "after-call.dynamodb.GetItem", lambda **_: trail.append(SCOPE, _event(number=next(numbers)))
    )
    with pytest.raises(AuditConflict, match="Event operation_started could not be appended to platform#vault after 20"):
        own.append(SCOPE, _event())
    assert _event().id not in [event.id for event in _found(trail)]
    assert len(waits) == 20
    assert max(waits) <= 3


def test_a_refusal_of_the_table_is_passed_on_and_nothing_is_half_written(trail: AuditTrail) -> None:
    with refused("TransactWriteItems", "AccessDeniedException"), pytest.raises(ClientError, match="AccessDenied"):
        trail.append(SCOPE, _event())
    assert _found(trail) == []


def test_a_chain_that_grows_while_it_is_read_is_read_to_the_head_that_goes_with_it(trail: AuditTrail) -> None:
    for i in range(3):
        trail.append(SCOPE, _event(number=i))
    own, others = AuditTrail(PRIMARY, EVENTS, HEADS), iter(range(10, 12))

    def append_meanwhile(**_: Any) -> None:
        for number in others:
            trail.append(SCOPE, _event(number=number))
            break

    own._dynamo.meta.events.register("after-call.dynamodb.Query", append_meanwhile)
    reading = own.chain_until_head(SCOPE)
    links = list(reading.links())
    assert [link.sequence for link in links] == [1, 2, 3, 4, 5]
    assert faults(links, reading.head) == []


def test_a_chain_whose_tail_was_cut_is_not_waited_for(trail: AuditTrail) -> None:
    for i in range(3):
        trail.append(SCOPE, _event(number=i))
    _delete(3)
    reading = trail.chain_until_head(SCOPE)
    assert [link.sequence for link in reading.links()] == [1, 2]
    assert reading.head[0] == 3


# --- when the tables take nothing --------------------------------------------------------------------------


class Spool(list[tuple[str, Event]]):
    """Takes what cannot be chained."""

    def __call__(self, scope: str, event: Event) -> None:
        self.append((scope, event))


@pytest.mark.parametrize("code", ["AccessDeniedException", "ProvisionedThroughputExceededException", None])
@pytest.mark.parametrize("operation", ["GetItem", "TransactWriteItems"])
def test_an_event_that_the_tables_do_not_take_is_spooled_and_the_operation_goes_on(
    operation: str, code: str | None, trail: AuditTrail
) -> None:
    spool = Spool()
    with refused(operation, code):
        AuditTrail(PRIMARY, EVENTS, HEADS, spool).append(SCOPE, _event())
    assert spool == [(SCOPE, _event())]
    assert _found(trail) == []


def test_an_event_is_spooled_when_there_is_no_table() -> None:
    spool = Spool()
    AuditTrail(PRIMARY, EVENTS, HEADS, spool).append(SCOPE, _event())
    assert spool == [(SCOPE, _event())]


def test_an_event_is_spooled_when_other_writers_were_faster_every_time(
    trail: AuditTrail, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lambdas.adapters.audit_trail.time.sleep", lambda _: None)
    spool = Spool()
    own = AuditTrail(PRIMARY, EVENTS, HEADS, spool)
    numbers = iter(range(1000, 2000))
    own._dynamo.meta.events.register(
        "after-call.dynamodb.GetItem", lambda **_: trail.append(SCOPE, _event(number=next(numbers)))
    )
    own.append(SCOPE, _event())
    assert spool == [(SCOPE, _event())]


def test_an_event_that_the_tables_take_is_not_spooled(trail: AuditTrail) -> None:
    spool = Spool()
    for _ in range(2):
        AuditTrail(PRIMARY, EVENTS, HEADS, spool).append(SCOPE, _event())
    assert spool == []
    assert _found(trail) == [_event()]


def test_when_even_the_spool_takes_nothing_what_the_table_said_is_raised(trail: AuditTrail) -> None:
    make_bucket()
    spool = AuditArchive(PRIMARY, f"backups-{PRIMARY}").spool
    refuse = refused(lambda request: "s3." in request.url, "InternalError", 500)
    with refused("TransactWriteItems", "AccessDeniedException"), refuse, pytest.raises(ClientError) as raised:
        AuditTrail(PRIMARY, EVENTS, HEADS, spool).append(SCOPE, _event())
    assert raised.value.response["Error"]["Code"] == "AccessDeniedException"


# --- tampering --------------------------------------------------------------------------------------------


def _item(sequence: int) -> dict[str, Any]:
    key = to_item({"scope": SCOPE, "sequence": sequence})
    return from_item(aws("dynamodb").get_item(TableName=EVENTS, Key=key)["Item"])


def _put(item: dict[str, Any]) -> None:
    aws("dynamodb").put_item(TableName=EVENTS, Item=to_item(item))


def _delete(sequence: int) -> None:
    aws("dynamodb").delete_item(TableName=EVENTS, Key=to_item({"scope": SCOPE, "sequence": sequence}))


@pytest.mark.parametrize(
    ("tamper", "fault"),
    [
        (lambda: _put(_item(2) | {"user_id": "nobody"}), "event 2 was changed"),
        (lambda: _put(_item(2) | {"details": '{"i":7}'}), "event 2 was changed"),
        (lambda: _delete(2), "event 2 is missing before event 3"),
        (lambda: _delete(4), "the chain ends at event 3, and its head is event 4"),
    ],
)
def test_whoever_changes_the_table_itself_is_found_out(
    tamper: Callable[[], None], fault: str, trail: AuditTrail
) -> None:
    for i in range(4):
        trail.append(SCOPE, _event(number=i, details={"i": i}))
    assert len(_found(trail)) == 4
    tamper()
    assert fault in faults(trail.chain(SCOPE), trail.head(SCOPE))


# --- questions (platform-facts.md, "Questions asked of the audit trail") ----------------------------------


def _seed(trail: AuditTrail, name: str, at: datetime, number: int, **fields: Any) -> Event:
    severity: Severity = "critical" if "reset" in name else "info"
    event = _event(name, number, timestamp=timestamp(at), severity=severity, **fields)
    trail.append(tenant_scope(event.tenant_id) if event.tenant_id else SCOPE, event)
    return event


def test_all_events_of_a_tenant(trail: AuditTrail) -> None:
    own = [_seed(trail, "smtp_credentials_stored", NOW, i, tenant_id="t1") for i in range(3)]
    _seed(trail, "smtp_credentials_stored", NOW, 9, tenant_id="t11")
    assert trail.of_tenant("t1") == own
    assert trail.of_tenant("t2") == []


def test_all_events_of_an_operation_in_whatever_chain(trail: AuditTrail) -> None:
    own = [
        _seed(trail, "operation_started", NOW, 1, operation_id="op-1"),
        _seed(trail, "smtp_credentials_recovered", NOW + timedelta(seconds=1), 2, operation_id="op-1", tenant_id="t1"),
        _seed(trail, "vault_restored_from_backup", NOW + timedelta(seconds=2), 3, operation_id="op-1"),
    ]
    _seed(trail, "operation_started", NOW, 4, operation_id="op-2")
    _seed(trail, "vault_health_check", NOW, 5)
    assert trail.of_operation("op-1") == own


def test_all_actions_of_one_person(trail: AuditTrail) -> None:
    own = [
        _seed(trail, "smtp_credentials_accessed", NOW, 1, user_id="kim", tenant_id="t1"),
        _seed(trail, "operation_started", NOW + timedelta(days=1), 2, user_id="kim"),
    ]
    _seed(trail, "operation_started", NOW, 3, user_id="system")
    assert trail.of_person("kim") == own
    assert [event.user_id for event in trail.of_person("system")] == ["system"]


def test_all_emergency_resets_of_the_last_thirty_days(trail: AuditTrail) -> None:
    name = "smtp_credentials_emergency_reset"
    _seed(trail, name, NOW - timedelta(days=30, seconds=1), 1, tenant_id="t1")
    edge = _seed(trail, name, NOW - timedelta(days=30), 2, tenant_id="t1")
    recent = _seed(trail, name, NOW - timedelta(minutes=1), 3, tenant_id="t2")
    _seed(trail, "smtp_credentials_rotated", NOW, 4, tenant_id="t1")
    assert trail.emergency_resets(NOW) == [edge, recent]
    assert trail.emergency_resets(NOW, days=1) == [recent]


def test_emergency_resets_without_an_incident(trail: AuditTrail) -> None:
    name = "smtp_credentials_emergency_reset"
    _seed(trail, name, NOW - timedelta(hours=3), 1, tenant_id="t1", details={"incident_id": "INC-7"})
    lacking = [
        _seed(trail, name, NOW - timedelta(hours=2), 2, tenant_id="t1", details={"incident_id": None}),
        _seed(trail, name, NOW - timedelta(hours=1), 3, tenant_id="t1", details={"reason": "because"}),
    ]
    assert trail.resets_without_incident(NOW) == lacking


def test_accesses_per_person_in_the_last_hour(trail: AuditTrail) -> None:
    name = "smtp_credentials_accessed"
    for i in range(6):
        _seed(trail, name, NOW - timedelta(minutes=i), i, user_id="kim", tenant_id=f"t{i}")
    _seed(trail, name, NOW - timedelta(minutes=59, seconds=59), 10, user_id="jo", tenant_id="t1")
    _seed(trail, name, NOW - timedelta(minutes=60, seconds=1), 11, user_id="jo", tenant_id="t1")
    _seed(trail, "smtp_credentials_rotated", NOW, 12, user_id="sam", tenant_id="t1")
    assert trail.accesses_per_person(NOW) == {"kim": 6, "jo": 1}


@pytest.mark.parametrize(
    ("at", "night"),
    [
        ("2026-11-21T21:59:59.999Z", False),
        ("2026-11-21T22:00:00.000Z", True),
        ("2026-11-22T00:30:00.000Z", True),
        ("2026-11-22T05:59:59.999Z", True),
        ("2026-11-22T06:00:00.000Z", False),
        ("2026-10-22T23:00:00.000Z", False),
    ],
)
def test_accesses_between_ten_at_night_and_six_in_the_morning(at: str, night: bool, trail: AuditTrail) -> None:
    event = _seed(trail, "smtp_credentials_accessed", datetime.fromisoformat(at), 1, tenant_id="t1")
    _seed(trail, "smtp_credentials_rotated", datetime(2026, 11, 22, 1, tzinfo=UTC), 2, tenant_id="t1")
    assert trail.accesses_at_night(NOW) == ([event] if night else [])


def test_a_moment_is_written_in_utc_so_that_it_sorts(trail: AuditTrail) -> None:
    elsewhere = datetime.fromisoformat("2026-11-22T14:00:00.5+02:00")
    assert timestamp(elsewhere) == "2026-11-22T12:00:00.500Z"


def test_no_question_needs_a_scan(trail: AuditTrail) -> None:
    _seed(trail, "smtp_credentials_accessed", NOW, 1, tenant_id="t1", operation_id="op-1")
    with refused("Scan", "AccessDeniedException") as scans:
        trail.of_tenant("t1")
        trail.of_operation("op-1")
        trail.of_person("jo")
        trail.accesses_per_person(NOW)
        trail.accesses_at_night(NOW)
        trail.resets_without_incident(NOW)
    assert scans.met == 0
    assert len(list(all_items(aws("dynamodb").scan, TableName=EVENTS))) == 1


def test_the_events_of_a_name_come_newest_first_whatever_order_they_came_in(trail: AuditTrail) -> None:
    assert list(newest_events(PRIMARY, EVENTS, "vault_restore_test_completed")) == []
    events = [
        _event("vault_restore_test_completed", number, timestamp=timestamp(NOW + timedelta(days=days)))
        for number, days in ((1, 0), (2, 7), (3, 3))
    ]
    for event in [*events, _event("vault_restore_test_failed", 4, timestamp=timestamp(NOW + timedelta(days=9)))]:
        trail.append(SCOPE, event)
    found = list(newest_events(PRIMARY, EVENTS, "vault_restore_test_completed"))
    assert found == [events[1], events[2], events[0]]
