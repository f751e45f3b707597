"""Three years of nights, for the rule of retention: what fails, what people do by day, and what must never happen."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from lambdas.domain.backup import CatalogRow, ProofLevel, Series
from lambdas.domain.retention import RULES, first_lock, plan_retention
from tests.domain.builders import row_of

RULE = RULES["vault"]


@dataclass
class World:
    """Nights, some of which fail, and what people do by day; holds what the bucket of one region would hold.

    With `jumps` the clock goes wrong at times. Locks are of S3's clock and not of ours: then nothing waits for one.
    """

    seed: int
    fail: float
    jumps: bool = False
    rows: dict[str, CatalogRow] = field(default_factory=dict)
    locks: dict[str, datetime] = field(default_factory=dict)
    kept: set[str] = field(default_factory=set)
    proven_there: set[str] = field(default_factory=set)
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
            failed = self.chance(self.fail)
            if not failed:
                self.store("daily", self.random.choice(["stored", "intact", "intact"]))
            late = timedelta(hours=self.random.uniform(0, 11) if self.chance(0.05) else 0)
            self.now = night + late
            self.retain(lock_only=failed or self.chance(0.05))  # or somebody is restoring at this time
            for hours, deed in self.deeds():
                self.now = night + max(timedelta(hours=hours), late)
                deed()

    def deeds(self) -> list[tuple[float, Callable[[], None]]]:
        """What is done between two nights, by the hour."""
        found = [(self.random.uniform(2, 22), deed) for deed in (self.by_hand, self.recover) if self.chance(0.06)]
        if self.chance(0.02):
            found.append((self.random.uniform(2, 22), self.prove_late))
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
        self.retain()

    def recover(self) -> None:
        self.store("pre-restore", "intact")

    def test(self) -> None:
        """A restore test, in this region or in the other one."""
        self.store("staging", "proven")
        if good := self.good():
            if self.chance(0.2):
                self.proven_there.add(good[-1].id)
            else:
                self.rows[good[-1].id] = replace(good[-1], proof="proven")

    def prove_late(self) -> None:
        """Somebody restores a backup by hand that no night has proved."""
        bad = [row for row in self.rows.values() if row.series == "daily" and not row.is_good]
        if bad:
            row = self.random.choice(bad)
            self.rows[row.id] = replace(row, proof="proven")

    def good(self) -> list[CatalogRow]:
        """Oldest first, and none that is dated in the future."""
        past = (row for row in self.rows.values() if row.started_at <= self.now.isoformat())
        return sorted((row for row in past if row.is_good), key=lambda row: row.started_at)

    def proven(self, row: CatalogRow) -> bool:
        return row.proof == "proven" or row.id in self.proven_there

    def retain(self, lock_only: bool = False) -> None:
        before, good = dict(self.rows), self.good()
        retention = plan_retention(self.rows.values(), "vault", RULE, self.now, self.proven_there)
        for each in retention.kept:
            if each.row.id in self.kept and not self.jumps:
                assert self.locks[each.row.id] > self.now, f"{each} lay unlocked"
            self.lock(each.row.id, each.locked_until)
        self.kept = {each.row.id for each in retention.kept}
        for row in [] if lock_only else retention.deleted:
            if self.jumps or self.locks[row.id] <= self.now:
                del self.rows[row.id]
        self.check(before, good)

    def check(self, before: dict[str, CatalogRow], good: list[CatalogRow]) -> None:
        days, months = sorted({row.date for row in good}), sorted({row.date[:7] for row in good})
        stay = [row for row in good if row.date in days[-RULE.daily :]]
        stay += [next(row for row in good if row.date.startswith(month)) for month in months[-RULE.monthly :]]
        stay += [*good[-1:], *[row for row in good if self.proven(row)][-1:]]
        ahead = [row for row in before.values() if row.started_at > self.now.isoformat()]
        past = sorted((row for row in before.values() if row not in ahead), key=lambda row: row.started_at)
        stay += [row for row in past if row.series == "pre-restore"][-RULE.undo :]
        stay += [row for row in past if row.series == "staging"][-1:]
        week_ago = (self.now - timedelta(days=RULE.evidence_days)).isoformat()
        stay += [row for row in past if row.started_at > week_ago]
        assert {row.id for row in [*stay, *ahead]} <= self.rows.keys()
