"""When what was counted is suspicious, whose credential it is about, and what follows."""

from datetime import UTC, datetime
from itertools import count

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from lambdas.domain.detection import (
    HOUR,
    LogEvent,
    Sighting,
    Signal,
    Slot,
    Suspicion,
    Window,
    judge,
    limit_of,
    measure,
    see_mailu,
    see_vault,
    slot_of,
    usual_hour,
)
from lambdas.domain.estate_detection import CredentialReads, Detection, FailedLogins, LoginNetworks, Single
from tests.domain.log_lines import failed, logged_in, marked, read, sent

TENANT, OTHER = "550e8400-e29b-41d4-a716-446655440000", "11111111-e29b-41d4-a716-446655440000"
CANARY = "smtp/test-tenant-id/admin"
USUAL = Detection()
NOON = int(datetime(2026, 11, 22, 12, 30, tzinfo=UTC).timestamp())
MIDNIGHT = NOON + 12 * HOUR
SIGNALS: tuple[Signal, ...] = ("failed_logins", "login_networks", "sending", "credential_reads", "night_reads")


def _events(*lines: str, at: int = NOON) -> list[LogEvent]:
    return [LogEvent(str(n), at, line) for n, line in zip(count(), lines, strict=False)]


def _counted(sightings: list[Sighting], detection: Detection) -> dict[Slot, dict[int, Window]]:
    """What the windows hold when all of this was counted, by slots."""
    by_window: dict[tuple[str, str, str, int], list[Sighting]] = {}
    for each in sightings:
        slot = slot_of(each, detection)
        for start in slot.starts:
            by_window.setdefault((slot.signal, slot.owner, slot.subject, start), []).append(each)
    windows = {
        key: Window(len(found), frozenset(each.member for each in found if each.member))
        for key, found in by_window.items()
    }
    slots = {slot_of(each, detection) for each in sightings}
    return {
        slot: {start: windows[slot.signal, slot.owner, slot.subject, start] for start in slot.starts} for slot in slots
    }


def _judged(sightings: list[Sighting], detection: Detection = USUAL, usual: int = 0) -> set[Suspicion]:
    counted = _counted(sightings, detection)
    return {
        suspicion
        for slot, windows in counted.items()
        for suspicion in judge(
            slot, [each for each in sightings if slot_of(each, detection) == slot], windows, detection, usual
        )
    }


# --- what a line adds -------------------------------------------------------------------------------------


def test_lines_of_a_mail_server_are_failed_logins_networks_and_messages() -> None:
    lines = [failed(), logged_in("admin@example.org", "203.0.113.9"), sent(), "something else"]
    first, second, third = see_mailu(TENANT, _events(*lines))
    assert (first.signal, first.subject) == ("failed_logins", "")
    assert (second.signal, second.subject, second.member) == ("login_networks", "admin@example.org", "203.0.113.0/24")
    assert (third.signal, third.subject, third.event) == ("sending", "", "2")
    assert {each.tenant_id for each in (first, second, third)} == {TENANT}


def test_a_read_by_day_is_counted_for_its_person_and_one_at_night_for_the_tenant_too() -> None:
    (by_day,) = see_vault(_events(read(TENANT)), USUAL, CANARY)
    assert (by_day.signal, by_day.subject, by_day.member) == ("credential_reads", "e-bob", TENANT)
    at_night = see_vault(_events(read(TENANT), at=MIDNIGHT), USUAL, CANARY)
    assert [each.signal for each in at_night] == ["credential_reads", "night_reads"]


@pytest.mark.parametrize(("hour", "minute", "night"), [(21, 59, False), (22, 0, True), (5, 59, True), (6, 0, False)])
def test_the_night_is_from_ten_to_six_in_utc(hour: int, minute: int, night: bool) -> None:
    at = int(datetime(2026, 11, 22, hour, minute, tzinfo=UTC).timestamp())
    signals = [each.signal for each in see_vault(_events(read(TENANT), at=at), USUAL, CANARY)]
    assert ("night_reads" in signals) == night


@pytest.mark.parametrize("service", ["userpass-bob", "e-bob"])
def test_a_service_of_the_estate_may_read_but_not_mark_without_an_incident(service: str) -> None:
    detection = Detection(services=[service])
    seen = see_vault(_events(read(TENANT), marked(TENANT), at=MIDNIGHT), detection, CANARY)
    assert [each.signal for each in seen] == ["reset_without_incident"]


def test_the_canary_is_nobodys_credential() -> None:
    assert see_vault(_events(read(TENANT)), USUAL, f"smtp/{TENANT}/admin") == []


# --- how much is too much ---------------------------------------------------------------------------------


def test_failed_logins_are_asked_above_the_threshold() -> None:
    detection = Detection(failed_logins=FailedLogins(more_than=3))
    seen = see_mailu(TENANT, _events(*[failed()] * 4))
    assert _judged(seen[:3], detection) == set()
    said = "4 failed logins since 2026-11-22 12:30 UTC, more than 3"
    assert _judged(seen, detection) == {Suspicion(TENANT, "failed_logins", "ask", said)}


def test_networks_are_counted_once_each_and_for_each_mailbox_alone() -> None:
    detection = Detection(login_networks=LoginNetworks(more_than=2))
    own = [logged_in("admin@example.org", f"203.0.{n}.{m}") for n in range(2) for m in range(9)]
    colleague = [logged_in("jo@example.org", f"198.51.{n}.1") for n in range(2)]
    assert _judged(see_mailu(TENANT, _events(*own, *colleague)), detection) == set()
    third = logged_in("admin@example.org", "2001:db8::1")
    said = "admin@example.org logged in from 3 networks since 2026-11-22 12:00 UTC, more than 2"
    found = _judged(see_mailu(TENANT, _events(*own, *colleague, third)), detection)
    assert found == {Suspicion(TENANT, "login_networks", "rotate", said)}


def test_another_mailbox_than_the_tenants_own_is_asked() -> None:
    lines = [logged_in("jo@example.org", f"203.0.{n}.1") for n in range(6)]
    (found,) = _judged(see_mailu(TENANT, _events(*lines)))
    assert found.response == "ask"
    (found,) = _judged(see_mailu(TENANT, _events(*lines)), Detection(account="JO"))
    assert found.response == "rotate"


def test_sending_is_held_against_the_usual_and_against_a_least_number() -> None:
    slot = Slot("sending", TENANT, "", NOON, HOUR)
    seen = see_mailu(TENANT, _events(sent()))

    def judged(lines: int, usual: int) -> list[Suspicion]:
        return judge(slot, seen, {NOON: Window(lines)}, USUAL, usual)

    assert (judged(500, 0), judged(3000, 1000)) == ([], [])
    assert [each.response for each in [*judged(501, 0), *judged(501, 100), *judged(3001, 1000)]] == ["rotate"] * 3


def test_a_person_who_reads_too_many_makes_every_tenant_of_them_suspicious() -> None:
    tenants = [f"{n}{TENANT[1:]}" for n in range(6)]
    seen = see_vault(_events(*[read(each) for each in tenants]), USUAL, CANARY)
    assert _judged(seen[:5]) == set()
    found = _judged(seen)
    assert {each.tenant_id for each in found} == set(tenants)
    assert {each.said for each in found} == {
        "userpass-bob read 6 credentials in Vault since 2026-11-22 12:00 UTC, more than 5"
    }


def test_reading_one_credential_again_and_again_counts_too_and_two_persons_do_not_add_up() -> None:
    lines = [read(TENANT, person) for person in ("bob", "eve") for _ in range(3)]
    assert _judged(see_vault(_events(*lines), USUAL, CANARY)) == set()
    assert len(_judged(see_vault(_events(*lines, *lines[:3]), USUAL, CANARY))) == 1


def test_one_read_at_night_and_one_unnamed_reset_are_enough() -> None:
    detection = Detection(night_reads=Single("rotate"), credential_reads=CredentialReads(more_than=50))
    seen = see_vault(_events(read(TENANT), marked(OTHER), at=MIDNIGHT), detection, CANARY)
    assert {(each.tenant_id, each.signal, each.response) for each in _judged(seen, detection)} == {
        (TENANT, "night_reads", "rotate"),
        (OTHER, "reset_without_incident", "ask"),
    }


def test_a_name_in_a_reason_can_be_put_into_json_as_it_is() -> None:
    """EventBridge escapes nothing of what it puts into the input of an execution."""
    seen = [Sighting("1", NOON, "night_reads", TENANT, "e1", name='jo", "tenant_id": "\\é\n')]
    (found,) = _judged(seen)
    assert found.said.startswith("jo????tenant_id??????? read the credential in Vault at night")


def test_nothing_seen_now_is_nothing_suspicious_now() -> None:
    slot = Slot("sending", TENANT, "", NOON, HOUR)
    assert judge(slot, [], {NOON: Window(9999)}, USUAL) == []


# --- windows ----------------------------------------------------------------------------------------------


@given(st.sampled_from(SIGNALS), st.integers(0, 2**32), st.integers(0, HOUR), st.integers(1, 60))
def test_what_happens_within_a_span_is_in_one_window(signal: Signal, at: int, apart: int, minutes: int) -> None:
    detection = Detection(failed_logins=FailedLogins(minutes=minutes))
    first = slot_of(Sighting("1", at, signal, TENANT), detection)
    assume(apart < first.span)
    last = slot_of(Sighting("2", at + apart, signal, TENANT), detection)
    assert set(first.starts) & set(last.starts)


@given(st.integers(0, 2**32), st.integers(1, 60))
def test_a_window_holds_nothing_of_before_it_and_is_over_when_it_says(at: int, minutes: int) -> None:
    slot = slot_of(Sighting("1", at, "failed_logins", TENANT), Detection(failed_logins=FailedLogins(minutes=minutes)))
    assert all(start <= at < start + 2 * slot.span for start in slot.starts)
    assert at < slot.over_at


@given(st.lists(st.integers(0, HOUR - 1), min_size=4, max_size=4), st.integers(0, 2**31))
def test_a_burst_across_any_border_is_found(offsets: list[int], start: int) -> None:
    detection = Detection(failed_logins=FailedLogins(more_than=3, minutes=60))
    seen = [Sighting(str(n), start + each, "failed_logins", TENANT) for n, each in enumerate(offsets)]
    assert _judged(seen, detection)


@given(st.lists(st.integers(0, 2**20), max_size=3))
def test_no_more_than_allowed_is_never_suspicious(times: list[int]) -> None:
    detection = Detection(failed_logins=FailedLogins(more_than=3, minutes=60))
    assert _judged([Sighting(str(n), at, "failed_logins", TENANT) for n, at in enumerate(times)], detection) == set()


# --- what is usual ----------------------------------------------------------------------------------------


def test_the_usual_is_the_busiest_hour_of_the_fourteen_days_before_and_not_of_today() -> None:
    busiest = {"2026-11-07": 900, "2026-11-08": 50, "2026-11-15": 400, "2026-11-22": 5000}
    assert usual_hour(busiest, "2026-11-22") == 400
    assert usual_hour(busiest, "2026-11-21") == 900
    assert usual_hour({}, "2026-11-22") == 0


@given(st.integers(0, 10_000), st.integers(0, 10_000))
def test_the_more_is_usual_the_more_is_allowed(usual: int, more: int) -> None:
    assert limit_of("sending", USUAL, usual) <= limit_of("sending", USUAL, usual + more)


def test_networks_are_measured_by_their_number_and_all_else_by_lines() -> None:
    window = Window(7, frozenset({"a", "b"}))
    assert [measure(signal, window) for signal in SIGNALS] == [7, 2, 7, 7, 7]
