"""Which backups stay: counted, so that no failure, no clock and no month's end deletes the last good one."""

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambdas.domain.backup import CatalogRow, ProofLevel, Series
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


def test_each_good_one_of_a_day_is_that_days() -> None:
    """The first one was locked as that day's before the second one came."""
    first, second = row_of(NOW - timedelta(days=40, hours=2)), row_of(NOW - timedelta(days=40, hours=1))
    bad = row_of(NOW - timedelta(days=40), proof="stored")
    found = kept(plan([*(night(days) for days in range(29)), first, second, bad, night(52)]))
    assert ["day 30 of 30" in found[row.id].reasons for row in (first, second)] == [True, True]
    assert bad.id not in found


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


def test_a_days_lock_ends_when_the_day_begins_that_may_push_it_out() -> None:
    """However late it is set: a second backup on a day locks all that stays anew."""
    evening, rows = NOW.replace(hour=22), [night(days) for days in range(35)]
    found = kept(plan([*rows, row_of(evening - timedelta(minutes=10))], evening))
    locked = [found[night(days).id].locked_until for days in (0, 1, 15, 29)]
    assert locked == [NOW.replace(hour=0) + timedelta(days=30 - days) for days in (0, 1, 15, 29)]


def test_after_a_bad_night_the_backup_of_the_day_may_still_come() -> None:
    days = {int(each.reasons[0].split()[1]): each for each in plan([night(days) for days in range(1, 35)]).kept}
    midnight = NOW.replace(hour=0)
    assert days[1].locked_until == midnight + timedelta(days=29)
    assert days[29].locked_until == midnight + timedelta(days=1)
    assert days[30].locked_until == NOW + timedelta(hours=1)


def test_the_newest_that_is_proven_is_locked_for_long_when_no_day_keeps_it() -> None:
    nights = [night(days) for days in range(1, 400)]
    found = {each.row.id: each for each in plan([night(0, "proven"), *nights]).kept}
    assert found[night(0).id].locked_until - NOW < timedelta(days=30)
    alone = kept(plan([night(0), *nights, night(4000, "proven")]))[night(4000).id]
    assert alone.locked_until == NOW + timedelta(days=30)


@pytest.mark.parametrize("series", ["pre-restore", "staging"])
def test_what_any_hour_may_push_out_is_locked_until_the_next_night_may_come(series: Series) -> None:
    saved = row_of(NOW - timedelta(days=8), series=series)
    assert kept(plan([saved, night(0)]))[saved.id].locked_until == NOW.replace(hour=0) + timedelta(days=1)
    assert kept(plan([saved, night(1)]))[saved.id].locked_until == NOW + timedelta(hours=1)


@pytest.mark.parametrize("minutes", [0, 29, 59])
def test_a_lock_lies_ahead_when_it_is_asked_for(minutes: int) -> None:
    late = NOW.replace(hour=23, minute=minutes)
    saved = row_of(NOW - timedelta(days=8), series="staging")
    locked = kept(plan([saved, night(0)], late))[saved.id].locked_until
    assert late + timedelta(hours=1) <= locked < NOW + timedelta(days=1)


def test_what_is_proven_elsewhere_counts_as_proven() -> None:
    old = night(4000)
    nights = [night(days) for days in range(1000)]
    assert old.id not in kept(plan([*nights, old]))
    found = {each.row.id: each for each in plan_retention([*nights, old], "vault", RULE, NOW, proven={old.id}).kept}
    assert found[old.id].reasons == ["the newest that is proven"]


# --- three years ------------------------------------------------------------------------------------------


@dataclass
class World:
    """Three years of nights, some of which fail, and of what people do by day; holds what the bucket would hold.

    With `jumps` the clock goes wrong at times. Locks are of S3's clock and not of ours: then nothing waits for one.
    """

    seed: int
    fail: float
    jumps: bool = False
    rows: dict[str, CatalogRow] = field(default_factory=dict)
    locks: dict[str, datetime] = field(default_factory=dict)
    proven_alone: set[str] = field(default_factory=set)
    now: datetime = datetime(2026, 1, 28, 3, tzinfo=UTC)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)

    def live(self, days: int = 3 * 365) -> None:
        night = self.now
        for _ in range(days):
            night += timedelta(days=1)
            if self.jumps and self.random.random() < 0.02:
                night += timedelta(days=self.random.choice([-40, -2, 3, 35, 400]))
            self.now = night
            if self.random.random() > self.fail:
                self.store("daily", self.random.choice(["stored", "intact", "intact"]))
            self.retain(at_night=True)
            for hours, deed in self.deeds():
                self.now = night + timedelta(hours=hours)
                deed()

    def deeds(self) -> list[tuple[float, Callable[[], None]]]:
        """What is done between two nights, by the hour."""
        found = [(self.random.uniform(2, 22), deed) for deed in (self.by_hand, self.recover) if self.chance(0.06)]
        if (self.now.weekday() == 6 and not self.chance(0.1 + self.fail)) or self.chance(0.01):
            found.append((self.random.uniform(1, 2), self.test))
        return sorted(found, key=lambda each: each[0])

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def store(self, series: Series, proof: ProofLevel) -> None:
        row = row_of(self.now - timedelta(minutes=59), series=series, proof=proof)
        self.rows[row.id] = row
        self.lock(row.id, first_lock(RULE, self.now))

    def lock(self, backup_id: str, until: datetime) -> None:
        self.locks[backup_id] = max(until, self.locks.get(backup_id, until))

    def by_hand(self) -> None:
        self.store("daily", "intact")
        self.retain(at_night=False)

    def recover(self) -> None:
        self.store("pre-restore", "intact")

    def test(self) -> None:
        self.store("staging", "proven")
        if good := self.good():
            self.rows[good[-1].id] = replace(good[-1], proof="proven")

    def good(self) -> list[CatalogRow]:
        """Oldest first."""
        return sorted((row for row in self.rows.values() if row.is_good), key=lambda row: row.started_at)

    def retain(self, *, at_night: bool) -> None:
        before, good = dict(self.rows), self.good()
        midnight = self.now.replace(hour=0, minute=0, second=0, microsecond=0)
        tomorrow = max(midnight + timedelta(days=1), self.now + timedelta(hours=1))
        had = bool(good) and good[-1].started_at >= midnight.isoformat()
        least = tomorrow if had else self.now + timedelta(hours=1)
        retention = plan(self.rows.values(), self.now)
        for each in retention.kept:
            assert each.locked_until >= least, each
            self.lock(each.row.id, each.locked_until)
            if each.reasons == ["the newest that is proven"]:
                self.proven_alone.add(each.row.id)
        for row in retention.deleted:
            until = self.locks[row.id]
            if until > self.now and not self.jumps:
                # No night asks for what is locked; what is asked for by day, on the last day of a lock, waits for it.
                assert row.id in self.proven_alone or (not at_night and until <= tomorrow), (row.id, until, self.now)
            else:
                del self.rows[row.id]
        self.check(before, good)
        if not self.jumps:
            self.check_locks(good, midnight)

    def check(self, before: dict[str, CatalogRow], good: list[CatalogRow]) -> None:
        days, months = sorted({row.date for row in good}), sorted({row.date[:7] for row in good})
        assert {row.id for row in good if row.date in days[-RULE.daily :]} <= self.rows.keys()
        for month in months[-RULE.monthly :]:
            assert next(row.id for row in good if row.date.startswith(month)) in self.rows
        newest_first = sorted(before.values(), key=lambda row: row.started_at, reverse=True)
        stay = [row for row in newest_first if row.series == "pre-restore"][: RULE.undo]
        stay += [row for row in newest_first if row.series == "staging"][:1]
        stay += [*good[-1:], *[row for row in good if row.proof == "proven"][-1:]]
        assert {row.id for row in stay} <= self.rows.keys()

    def check_locks(self, good: list[CatalogRow], midnight: datetime) -> None:
        # A day's backup is locked until the first day begins that can push it out.
        days = {day: place for place, day in enumerate(sorted({row.date for row in good}, reverse=True))}
        for row in good:
            left = RULE.daily - days[row.date] - 1
            assert left <= 0 or self.locks[row.id] >= midnight + timedelta(days=left), (row.id, self.now)


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([0.0, 0.1, 0.5, 0.95]))
def test_in_three_years_of_failures_and_jumping_clocks_no_rule_is_ever_broken(seed: int, fail: float) -> None:
    World(seed, fail, jumps=True).live()


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([0.0, 0.1, 0.5, 0.95]))
def test_in_three_years_of_failures_no_night_asks_for_what_is_locked(seed: int, fail: float) -> None:
    world = World(seed, fail)
    world.live()
    for years in range(1, 10):  # when backups stop, deletion stops
        assert not any(
            row.is_good for row in plan(world.rows.values(), world.now + timedelta(days=365 * years)).deleted
        )


@pytest.mark.parametrize("seed", range(3))
def test_three_years_without_a_failure_leave_no_more_than_was_asked_for(seed: int) -> None:
    world = World(seed, 0.0)
    world.live()
    week_ago = (world.now - timedelta(days=RULE.evidence_days + 1)).isoformat()
    old = [row for row in world.rows.values() if row.started_at < week_ago and row.id not in world.proven_alone]
    assert len({row.date for row in old if row.is_good}) <= RULE.daily + RULE.monthly + 1
    assert len([row for row in old if row.series == "pre-restore"]) <= RULE.undo
    assert len([row for row in old if row.series == "staging"]) <= 1
    assert not [row for row in old if row.series == "daily" and not row.is_good]
