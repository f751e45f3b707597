"""What is seen in the logs is counted once, in windows that overlap, and held against what a tenant usually sends."""

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lambdas.adapters.detection_windows import DetectionWindows, new_generation, tenant_key, within_the_hour
from lambdas.adapters.tables import from_item, to_item
from lambdas.adapters.transactions import transact
from lambdas.domain.detection import HOUR, Sighting, Signal, Slot, Window, slot_of
from lambdas.domain.estate_detection import Detection, FailedLogins, Sending
from tests.servers.aws import PRIMARY, aws, refused
from tests.servers.detection import TABLE, make_detection_table

TENANT = "550e8400-e29b-41d4-a716-446655440000"
NOON = datetime(2026, 11, 22, 12, 30, tzinfo=UTC)
AT = int(NOON.timestamp())
DETECTION = Detection(failed_logins=FailedLogins(more_than=3), sending=Sending(times_usual=3, at_least=10))

pytestmark = pytest.mark.usefixtures("_clean")


@pytest.fixture
def windows() -> DetectionWindows:
    make_detection_table()
    return DetectionWindows(PRIMARY, TABLE)


def _failed(*events: str, at: int = AT) -> list[Sighting]:
    return [Sighting(event, at, "failed_logins", TENANT) for event in events]


def _sent(first: int, last: int, at: int = AT) -> list[Sighting]:
    return [Sighting(f"{at}-{n}", at, "sending", TENANT) for n in range(first, last)]


def _slot(sightings: list[Sighting]) -> Slot:
    return slot_of(sightings[0], DETECTION)


def _item(key: str) -> dict[str, Any]:
    return from_item(aws("dynamodb").get_item(TableName=TABLE, Key=to_item({"window": key}))["Item"])


def test_each_event_counts_once_however_often_and_with_whatever_it_is_delivered(windows: DetectionWindows) -> None:
    seen = _failed("a", "b")
    slot = _slot(seen)
    assert windows.count(slot, seen, NOON) == 2
    assert windows.count(slot, seen, NOON) == 0
    assert windows.count(slot, _failed("b", "c", "c"), NOON) == 1
    assert windows.read(slot) == {start: Window(3) for start in slot.starts}


def test_a_batch_of_more_than_one_transaction_holds_is_counted_whole(windows: DetectionWindows) -> None:
    seen = _failed(*(str(n) for n in range(200)))
    assert windows.count(_slot(seen), seen[:100], NOON) == 100
    assert windows.count(_slot(seen), seen, NOON) == 100
    assert windows.read(_slot(seen))[_slot(seen).start] == Window(200)


def test_nothing_is_counted_when_a_part_of_it_cannot_be_written(windows: DetectionWindows) -> None:
    seen = _failed("a", "b")
    with refused("TransactWriteItems", "AccessDeniedException"), pytest.raises(ClientError):
        DetectionWindows(PRIMARY, TABLE).count(_slot(seen), seen, NOON)
    assert windows.count(_slot(seen), seen, NOON) == 2


def test_one_event_counts_for_each_of_its_signals(windows: DetectionWindows) -> None:
    signals: tuple[Signal, ...] = ("credential_reads", "night_reads")
    for signal in signals:
        seen = [Sighting("a", AT, signal, TENANT, "e-bob", TENANT)]
        assert windows.count(_slot(seen), seen, NOON) == 1


def test_a_burst_across_a_border_is_found_and_one_below_the_threshold_is_not(windows: DetectionWindows) -> None:
    border = AT // 600 * 600
    before, after = _failed("a", "b", at=border - 1), _failed("c", "d", at=border + 1)
    assert windows.add(_slot(before), before, DETECTION, NOON) == (2, [])
    assert windows.add(_slot(after), after[:1], DETECTION, NOON) == (1, [])
    new, (suspicion,) = windows.add(_slot(after), after, DETECTION, NOON)
    assert (new, suspicion.said) == (1, "4 failed logins since 2026-11-22 12:20 UTC, more than 3")


def test_what_was_counted_before_is_judged_again(windows: DetectionWindows) -> None:
    """The function that counted it may have died before it told anybody."""
    seen = _failed("a", "b", "c", "d")
    first, again = (windows.add(_slot(seen), seen, DETECTION, NOON) for _ in range(2))
    assert (first[0], again[0]) == (4, 0)
    assert first[1] == again[1] != []


def test_members_are_kept_once_each_and_not_without_end(
    windows: DetectionWindows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lambdas.adapters.detection_windows._MEMBERS", 10)

    def seen(first: int, last: int) -> list[Sighting]:
        return [Sighting(str(n), AT, "login_networks", TENANT, "jo", f"net-{n}") for n in range(first, last)]

    slot = _slot(seen(0, 1))
    windows.count(slot, seen(0, 2), NOON)
    windows.count(slot, [Sighting("x", AT, "login_networks", TENANT, "jo", "net-0")], NOON)
    assert windows.read(slot)[slot.start] == Window(3, frozenset({"net-0", "net-1"}))
    windows.count(slot, seen(2, 10), NOON)
    windows.count(slot, seen(10, 15), NOON)
    found = windows.read(slot)[slot.start]
    assert (found.lines, len(found.members)) == (16, 10)


def test_a_counter_expires_a_day_after_its_windows_and_never_before_it_could_be_asked_for(
    windows: DetectionWindows,
) -> None:
    seen = _failed("a")
    windows.count(_slot(seen), seen, NOON)
    late = _failed("late", at=AT - 10 * 24 * HOUR)
    windows.count(_slot(late), late, NOON)
    assert _item("event#failed_logins#a")["expires"] == _slot(seen).over_at + 24 * HOUR
    assert _item("event#failed_logins#late")["expires"] == AT + 24 * HOUR
    assert _item(f"{TENANT}#failed_logins##0#{_slot(seen).start}")["expires"] == _slot(seen).over_at + 24 * HOUR


def test_a_tenants_windows_begin_anew_with_its_generation(windows: DetectionWindows) -> None:
    seen = _failed("a", "b", "c", "d")
    assert len(windows.add(_slot(seen), seen, DETECTION, NOON)[1]) == 1
    transact(aws("dynamodb"), [new_generation(TABLE, TENANT, NOON)])
    assert windows.tenant(TENANT).generation == 1
    assert windows.add(_slot(seen), _failed("e"), DETECTION, NOON) == (1, [])


def test_many_that_count_at_once_lose_nothing(windows: DetectionWindows) -> None:
    slot = _slot(_failed("a"))
    batches = [_failed(*(f"{batch}-{n}" for n in range(5))) for batch in range(4)]
    threads = [
        threading.Thread(target=DetectionWindows(PRIMARY, TABLE).count, args=(slot, [*batch, *batches[0]], NOON))
        for batch in batches
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert windows.read(slot)[slot.start] == Window(20)


# --- what a tenant usually sends --------------------------------------------------------------------------


def test_what_was_sent_on_other_days_is_what_is_usual(windows: DetectionWindows) -> None:
    yesterday = AT - 24 * HOUR
    for last in (4, 9):
        seen = _sent(0, last, yesterday)
        windows.add(_slot(seen), seen, DETECTION, NOON - timedelta(days=1))
    assert dict(windows.tenant(TENANT).busiest) == {"2026-11-21": 9}
    seen = _sent(0, 27)
    assert windows.add(_slot(seen), seen, DETECTION, NOON) == (27, [])
    new, (suspicion,) = windows.add(_slot(seen), _sent(27, 28), DETECTION, NOON)
    assert (new, suspicion.said) == (1, "28 messages sent since 2026-11-22 12:00 UTC, more than 27")


def test_one_bad_day_does_not_become_what_is_usual(windows: DetectionWindows) -> None:
    seen = _sent(0, 60)
    assert windows.add(_slot(seen), seen, DETECTION, NOON)[1] != []
    assert dict(windows.tenant(TENANT).busiest) == {"2026-11-22": 10}


def test_days_that_nothing_is_compared_with_any_more_are_forgotten(windows: DetectionWindows) -> None:
    for days in (20, 14, 0):
        seen = _sent(0, 5, AT - days * 24 * HOUR)
        windows.add(_slot(seen), seen, DETECTION, NOON - timedelta(days=days))
    assert dict(windows.tenant(TENANT).busiest) == {"2026-11-08": 5, "2026-11-22": 5}
    assert _item(tenant_key(TENANT))["expires"] > AT + 29 * 24 * HOUR


# --- so many an hour --------------------------------------------------------------------------------------


def _let_through(now: datetime, limit: int) -> bool:
    return transact(aws("dynamodb"), within_the_hour(TABLE, "automatic", now, limit)) == []


def test_no_hour_has_more_than_the_limit_wherever_it_begins(windows: DetectionWindows) -> None:
    del windows
    assert [_let_through(NOON, 2) for _ in range(3)] == [True, True, False]
    assert not _let_through(NOON + timedelta(minutes=59), 2)
    assert not _let_through(NOON - timedelta(minutes=59), 2)
    assert _let_through(NOON + timedelta(hours=2), 2)
