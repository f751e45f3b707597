"""Which backups stay: counted, so that no failure, no clock and no month's end deletes the last good one."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambdas.domain.backup import CatalogRow, ProofLevel
from lambdas.domain.retention import Kept, Retention, RetentionRule, first_lock, plan_retention
from tests.domain.builders import row_of
from tests.domain.retention_world import RULE, World

NOW = datetime(2026, 11, 22, 3, tzinfo=UTC)


def night(days_ago: int, proof: ProofLevel = "intact") -> CatalogRow:
    return row_of(NOW - timedelta(days=days_ago, hours=1), proof=proof)


def plan(rows: Iterable[CatalogRow], now: datetime = NOW, rule: RetentionRule = RULE) -> Retention:
    return plan_retention(rows, "vault", rule, now)


def kept(retention: Retention) -> dict[str, Kept]:
    return {each.row.id: each for each in retention.kept}


# --- what stays, and why ----------------------------------------------------------------------------------


def test_the_rule_for_vault_is_the_plans() -> None:
    assert (RULE.daily, RULE.monthly) == (30, 12)


def test_thirty_days_and_the_first_of_each_of_twelve_months_stay() -> None:
    rows = [night(days) for days in range(500)]
    found = kept(plan(rows))
    daily = {row.id for row in rows[:30]}
    firsts = {row.id for row in rows if row.date[-2:] == "01"}
    months = {row.id for row in rows if row.date[-2:] == "01" and row.date >= "2025-12"}
    assert found.keys() == daily | months
    assert firsts - months  # older months went


def test_each_that_stays_says_why() -> None:
    rows = [night(0), night(21), night(52)]
    found = [each.reasons for each in plan(rows).kept]
    assert found == [
        ["day 1 of 30", "younger than 7 days"],
        ["day 2 of 30", "month 1 of 12"],
        ["day 3 of 30", "month 2 of 12"],
    ]


def test_the_newest_empty_state_of_the_staging_vault_stays() -> None:
    states = [row_of(NOW - timedelta(days=days), series="staging") for days in (14, 21, 28)]
    found = plan([*states, night(0)])
    assert kept(found)[states[0].id].reasons == ["the empty state of the staging Vault"]
    assert [row.id for row in found.deleted] == [states[2].id, states[1].id]


def test_the_first_lock_lasts_as_long_as_a_backup_stays_whatever_becomes_of_it() -> None:
    assert first_lock(RULE, NOW) == NOW + timedelta(days=RULE.evidence_days)


def test_what_is_deleted_is_named_oldest_first() -> None:
    rows = [night(days) for days in range(40)]
    deleted = plan(rows).deleted
    assert [row.date for row in deleted] == sorted(row.date for row in deleted)
    assert {row.id for row in deleted} | kept(plan(rows)).keys() == {row.id for row in rows}


def test_when_backups_stop_deletion_stops() -> None:
    rows = [kept_row.row for kept_row in plan([night(days) for days in range(500)]).kept]
    for years in range(1, 30):
        assert plan(rows, NOW + timedelta(days=365 * years)).deleted == []


def test_backups_that_fail_push_no_good_one_out() -> None:
    good = [night(days) for days in range(100, 130)]
    bad = [night(days, "stored") for days in range(100)]
    assert {row.id for row in good} <= kept(plan([*bad, *good])).keys()


def test_a_backup_that_is_not_proved_stays_a_week_as_evidence() -> None:
    rows = [night(days, "stored") for days in range(10)]
    assert [each.row.date for each in plan(rows).kept] == [row.date for row in rows[:7]]


def test_the_newest_proven_one_stays_however_old_it_is() -> None:
    proven = night(4000, "proven")
    found = kept(plan([*(night(days) for days in range(1000)), proven, night(4001, "proven")]))
    assert found[proven.id].reasons == ["the newest that is proven"]


def test_each_good_one_of_a_day_is_that_days() -> None:
    """The first one was locked as that day's before the second one came."""
    first, second = row_of(NOW - timedelta(days=40, hours=2)), row_of(NOW - timedelta(days=40, hours=1))
    bad = row_of(NOW - timedelta(days=40), proof="stored")
    found = kept(plan([*(night(days) for days in range(29)), first, second, bad, night(52)]))
    assert ["day 30 of 30" in found[row.id].reasons for row in (first, second)] == [True, True]
    assert bad.id not in found


def test_what_was_brought_back_is_young_again() -> None:
    old = night(20, "stored")
    assert plan([old]).deleted == [old]
    (back,) = plan_retention([old], "vault", RULE, NOW, written={old.id: NOW - timedelta(days=1)}).kept
    assert (back.reasons, back.locked_until) == (["younger than 7 days"], NOW + timedelta(days=6))


def test_what_was_saved_before_a_restore_stays_by_its_own_count() -> None:
    saved = [row_of(NOW - timedelta(days=days), series="pre-restore") for days in (40, 41, 42, 43)]
    found = kept(plan([*saved, *(night(days) for days in range(40))]))
    assert [row.id in found for row in saved] == [True, True, True, False]
    assert found[saved[0].id].reasons == ["saved before one of the last 3 restores"]


def test_a_start_whose_saving_was_not_proved_undoes_nothing() -> None:
    saved = [row_of(NOW - timedelta(days=days), series="pre-restore", proof="intact") for days in (40, 41, 42)]
    attempts = [row_of(NOW - timedelta(days=days), series="pre-restore", proof="stored") for days in (10, 11, 12)]
    found = plan([*saved, *attempts, night(0)])
    assert {row.id for row in saved} <= kept(found).keys()
    assert [row.id for row in found.deleted] == [row.id for row in reversed(attempts)]


def test_what_a_clock_set_ahead_has_dated_stays_and_takes_no_place() -> None:
    ahead = [row_of(NOW + timedelta(days=365 - days), proof="proven") for days in range(40)]
    before = [night(days, "proven") for days in range(60)]
    found, alone = kept(plan([*ahead, *before])), kept(plan(before))
    assert {backup_id: found[backup_id] for backup_id in alone} == alone
    assert [found[row.id].reasons for row in ahead] == [["dated in the future"]] * 40
    assert {found[row.id].locked_until for row in ahead} == {NOW + timedelta(days=7)}


def test_backups_of_another_kind_are_not_touched() -> None:
    other = row_of(NOW - timedelta(days=4000), kind="database")
    found = plan([other, night(0)])
    assert other.id not in kept(found)
    assert other not in found.deleted


# --- locks ------------------------------------------------------------------------------------------------


def test_all_that_stays_is_locked_beyond_the_next_night() -> None:
    saved = [row_of(NOW - timedelta(days=8), series=series) for series in ("pre-restore", "staging")]
    for newest in (0, 1):  # a good night, and a bad one
        rows = [*saved, *(night(days) for days in range(newest, 400)), night(4000, "proven")]
        assert all(each.locked_until >= NOW + timedelta(hours=36) for each in plan(rows).kept)


def test_a_day_is_locked_until_so_many_others_may_have_come() -> None:
    found = kept(plan([night(days) for days in range(35)]))
    locked = [found[night(days).id].locked_until - NOW for days in (0, 1, 15, 28, 29)]
    assert locked == [
        timedelta(days=30),
        timedelta(days=29),
        timedelta(days=15),
        timedelta(days=2),
        timedelta(hours=36),
    ]


def test_the_backup_of_a_month_is_locked_for_as_long_as_months_will_keep_it() -> None:
    first = next(each for each in plan([night(days) for days in range(60)]).kept if "month 1 of 12" in each.reasons)
    assert first.locked_until == datetime(2027, 11, 1, tzinfo=UTC)


def test_the_newest_that_is_proven_is_locked_for_long_when_no_day_keeps_it() -> None:
    nights = [night(days) for days in range(1, 400)]
    alone = kept(plan([night(0), *nights, night(4000, "proven")]))[night(4000).id]
    assert alone.locked_until == NOW + timedelta(days=30)


def test_what_is_younger_than_a_week_is_locked_for_its_week() -> None:
    (bad,) = plan([night(1, "stored")]).kept
    assert bad.locked_until == NOW + timedelta(days=6, hours=-1)


def test_what_is_proven_elsewhere_counts_as_proven() -> None:
    old = night(4000)
    nights = [night(days) for days in range(1000)]
    assert old.id not in kept(plan([*nights, old]))
    found = {each.row.id: each for each in plan_retention([*nights, old], "vault", RULE, NOW, proven={old.id}).kept}
    assert found[old.id].reasons == ["the newest that is proven"]


# --- three years ------------------------------------------------------------------------------------------


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([0.0, 0.1, 0.5, 0.95]))
def test_in_three_years_of_failures_and_jumping_clocks_no_rule_is_ever_broken(seed: int, fail: float) -> None:
    World(seed, fail, jumps=True).live()


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([0.0, 0.1, 0.5, 0.95]))
def test_in_three_years_of_failures_nothing_that_stays_is_ever_unlocked(seed: int, fail: float) -> None:
    world = World(seed, fail)
    world.live()
    for years in range(1, 10):  # when backups stop, deletion stops
        later = world.now + timedelta(days=365 * years)
        deleted = plan_retention(world.rows.values(), "vault", RULE, later, world.proven_there).deleted
        assert not [row for row in deleted if row.is_good and row.id in world.kept]


@pytest.mark.parametrize("seed", range(3))
def test_three_years_without_a_failure_leave_no_more_than_was_asked_for(seed: int) -> None:
    world = World(seed, 0.0)
    world.live()
    week_ago = (world.now - timedelta(days=RULE.evidence_days + 1)).isoformat()
    old = [row for row in world.rows.values() if row.started_at < week_ago]
    waiting = [row for row in old if row.id not in world.kept]  # for a lock to end
    assert len(waiting) <= 5
    stay = [row for row in old if row.id in world.kept]
    assert len({row.date for row in stay if row.is_good}) <= RULE.daily + RULE.monthly + 1
    assert len([row for row in stay if row.series == "pre-restore"]) <= RULE.undo
    assert len([row for row in stay if row.series == "staging"]) <= 1
    assert not [row for row in stay if row.series == "daily" and not row.is_good]
