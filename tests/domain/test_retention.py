"""Which backups stay: counted, so that no failure, no clock and no month's end deletes the last good one."""

import random
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambdas.domain.backup import CatalogRow, ProofLevel, reaches
from lambdas.domain.retention import RULES, Kept, Retention, RetentionRule, first_lock, plan_retention
from tests.domain.builders import row_of

RULE = RULES["vault"]
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
    assert first_lock(RULE, NOW) == NOW + timedelta(days=RULE.evidence_days, hours=-12)


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


def test_the_newest_good_one_of_a_day_is_that_days() -> None:
    first, second = row_of(NOW - timedelta(days=40, hours=2)), row_of(NOW - timedelta(days=40, hours=1))
    later = [night(days) for days in range(29)]
    month = night(52)
    found = kept(plan([*later, first, second, month]))
    assert second.id in found
    assert "day 30 of 30" in found[second.id].reasons


def test_what_was_saved_before_a_restore_stays_by_its_own_count() -> None:
    saved = [row_of(NOW - timedelta(days=days), series="pre-restore") for days in (40, 41, 42, 43)]
    found = kept(plan([*saved, *(night(days) for days in range(40))]))
    assert [row.id in found for row in saved] == [True, True, True, False]
    assert found[saved[0].id].reasons == ["saved before one of the last 3 restores"]


def test_backups_of_another_kind_are_not_touched() -> None:
    other = row_of(NOW - timedelta(days=4000), kind="database")
    found = plan([other, night(0)])
    assert other.id not in kept(found)
    assert other not in found.deleted


# --- locks ------------------------------------------------------------------------------------------------


def test_a_lock_ends_before_the_night_that_may_delete_what_it_protects() -> None:
    """Otherwise every deletion would be refused, or somebody would have to be able to lift locks."""
    rows = {row.id: row for row in [night(days) for days in range(400)]}
    locks: dict[str, datetime] = {}
    for later in range(400):
        now = NOW + timedelta(days=later)
        if later:
            tonight = row_of(now - timedelta(hours=1))
            rows[tonight.id] = tonight
        found = plan(rows.values(), now)
        for row in found.deleted:
            assert locks.get(row.id, now) <= now, (row.id, now)
            del rows[row.id]
        locks |= {each.row.id: each.locked_until for each in found.kept}


def test_the_newest_backup_is_locked_for_the_whole_time_that_it_may_be_asked_for() -> None:
    newest = plan([night(days) for days in range(400)]).kept[0]
    assert timedelta(days=29) < newest.locked_until - NOW < timedelta(days=30)


def test_the_backup_of_a_month_is_locked_for_as_long_as_months_will_keep_it() -> None:
    first = next(each for each in plan([night(days) for days in range(60)]).kept if "month 1 of 12" in each.reasons)
    assert first.locked_until - NOW > timedelta(days=300)


def test_all_that_stays_is_locked_beyond_the_next_night_or_goes_that_night() -> None:
    rows = [night(days) for days in range(400)]
    for later in range(60):  # over the ends of months
        now = NOW + timedelta(days=later)
        rows.append(row_of(now - timedelta(hours=1)))
        tomorrow = now + timedelta(days=1)
        stays = kept(plan([*rows, row_of(tomorrow - timedelta(hours=1))], tomorrow))
        for each in plan(rows, now).kept:
            assert each.locked_until > tomorrow or each.row.id not in stays, (each, now)


def test_what_is_proven_elsewhere_counts_as_proven() -> None:
    old = night(4000)
    nights = [night(days) for days in range(1000)]
    assert old.id not in kept(plan([*nights, old]))
    found = {each.row.id: each for each in plan_retention([*nights, old], "vault", RULE, NOW, proven={old.id}).kept}
    assert found[old.id].reasons == ["the newest that is proven"]


# --- three years ------------------------------------------------------------------------------------------


@dataclass
class World:
    """Three years of nights, some of which fail; the clock may jump. Holds what the bucket would hold."""

    seed: int
    fail: float
    rows: dict[str, CatalogRow] = field(default_factory=dict)
    now: datetime = datetime(2026, 1, 28, 3, tzinfo=UTC)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)

    def night(self) -> None:
        before = dict(self.rows)
        self.now += timedelta(days=1)
        if self.random.random() < 0.02:
            self.now += timedelta(days=self.random.choice([-40, -2, 3, 35, 400]))
        if self.random.random() > self.fail:
            row = row_of(self.now - timedelta(minutes=59), proof=self.random.choice(["stored", "intact", "intact"]))
            self.rows[row.id] = row
        good = [row for row in self.rows.values() if reaches(row.proof, "intact")]
        if good and self.random.random() < 1 / 7:
            newest = max(good, key=lambda row: row.started_at)
            self.rows[newest.id] = replace(newest, proof="proven")
        retention = plan_retention(self.rows.values(), "vault", RULE, self.now)
        for row in retention.deleted:
            del self.rows[row.id]
        self.check(before | self.rows)

    def check(self, before: dict[str, CatalogRow]) -> None:
        good = sorted((row for row in before.values() if reaches(row.proof, "intact")), key=lambda row: row.started_at)
        days = {row.date for row in good}
        left = [row for row in self.rows.values() if reaches(row.proof, "intact")]
        assert len({row.date for row in left}) >= min(RULE.daily, len(days))
        assert len({row.date[:7] for row in left}) >= min(RULE.monthly, len({day[:7] for day in days}))
        if good:
            assert good[-1].id in self.rows
        proven = [row for row in good if row.proof == "proven"]
        if proven:
            assert proven[-1].id in self.rows
        for month in sorted({day[:7] for day in days})[-RULE.monthly :]:
            assert next(row.id for row in good if row.date.startswith(month)) in self.rows


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([0.0, 0.1, 0.5, 0.95]))
def test_in_three_years_of_failures_and_jumping_clocks_no_rule_is_ever_broken(seed: int, fail: float) -> None:
    world = World(seed, fail)
    for _ in range(3 * 365):
        world.night()


@pytest.mark.parametrize("seed", range(3))
def test_three_years_without_a_failure_leave_no_more_than_was_asked_for(seed: int) -> None:
    world = World(seed, 0.0)
    world.random = random.Random(seed)
    for _ in range(3 * 365):
        world.night()
    most = RULE.daily + RULE.monthly + RULE.evidence_days + 1
    assert len(world.rows) <= most
