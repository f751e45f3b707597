"""`send_heartbeat`: the monitor of the estate is called, once a run, and its URL stays in the estate.

It is called when every kind of backup is good and young, whichever of them the night was of.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from lambdas.domain.backup import ProofLevel
from lambdas.domain.errors import HeartbeatNotSent
from lambdas.domain.estate import Heartbeat
from tests.actions.house import House
from tests.domain.builders import DATABASE, row_of
from tests.servers.aws import STANDBY
from tests.servers.monitor import SECRET_PATH, Monitor

SENT = {"heartbeat": "sent"}


@dataclass(frozen=True)
class Watched:
    """A house whose estate names a monitor."""

    house: House
    monitor: Monitor

    def put_estate(self, *, database: bool) -> None:
        """Deploy the estate with a database, or without."""
        estate: dict[str, Any] = yaml.safe_load(self.house.estate_text(self.house.vault))
        self.house.put_estate(text=yaml.safe_dump(estate | (yaml.safe_load(DATABASE) if database else {})))

    def keep(self, kind: str, hours_ago: float = 1, proof: ProofLevel = "intact", region: str | None = None) -> None:
        """Put a backup into the catalog."""
        row = row_of(datetime.now(UTC).replace(microsecond=0) - timedelta(hours=hours_ago), kind, proof=proof)
        (self.house.catalog(region) if region else self.house.catalog()).put(row)

    def send(self, scenario: str = "vault_backup") -> Any:
        """Send the heartbeat of a night."""
        return self.house.run("send_heartbeat", {"operation": self.house.operation(scenario)})


@pytest.fixture
def watched(house: House, tmp_path: Path) -> Iterator[Watched]:
    with Monitor.open(tmp_path) as monitor:
        house.heartbeat = Heartbeat(monitor.url, monitor.ca)
        house.secrets |= {monitor.url, SECRET_PATH}
        watched = Watched(house, monitor)
        watched.put_estate(database=False)
        yield watched


def test_a_good_night_is_told_to_the_monitor_each_time(watched: Watched) -> None:
    watched.keep("vault")
    assert [watched.send() for _ in range(2)] == [SENT] * 2
    assert watched.monitor.heard == [SECRET_PATH] * 2


def test_an_estate_without_a_monitor_has_nobody_to_tell(house: House) -> None:
    sent = house.run("send_heartbeat", {"operation": house.operation("vault_backup")})
    assert sent == {"heartbeat": "not configured"}


def test_a_monitor_that_refuses_is_an_error_that_does_not_show_its_url(watched: Watched) -> None:
    watched.keep("vault")
    watched.monitor.answers = [404]
    with pytest.raises(HeartbeatNotSent, match="heartbeat-not-sent: The backup is good, but"):
        watched.send()
    assert watched.monitor.heard == [SECRET_PATH]


# --- with a database --------------------------------------------------------------------------------------


@pytest.mark.parametrize("scenario", ["vault_backup", "database_backup"])
def test_the_night_of_either_backup_is_told_when_both_are_good(watched: Watched, scenario: str) -> None:
    watched.put_estate(database=True)
    watched.keep("vault", 24.9)
    watched.keep("database", 24.9)
    assert watched.send(scenario) == SENT
    assert watched.monitor.heard == [SECRET_PATH]


@pytest.mark.parametrize(("bad", "good"), [("database", "vault"), ("vault", "database")])
def test_a_night_that_was_good_is_not_told_while_the_other_kind_has_no_good_backup(
    watched: Watched, bad: str, good: str
) -> None:
    watched.put_estate(database=True)
    withheld = {"heartbeat": f"withheld: no good {bad} backup in the last 25 hours"}
    watched.keep(good)
    assert watched.send(f"{good}_backup") == withheld
    watched.keep(bad, 25.1)
    watched.keep(bad, 1, proof="stored")
    watched.keep(bad, 2, region=STANDBY)
    assert watched.send(f"{good}_backup") == withheld
    assert watched.monitor.heard == []
    watched.keep(bad, 3)
    assert watched.send(f"{good}_backup") == SENT


def test_when_no_kind_has_a_good_backup_both_are_named(watched: Watched) -> None:
    watched.put_estate(database=True)
    assert watched.send() == {"heartbeat": "withheld: no good vault or database backup in the last 25 hours"}
    assert watched.monitor.heard == []


def test_an_estate_that_has_no_database_waits_for_none(watched: Watched) -> None:
    watched.keep("vault")
    watched.keep("database", 1000)
    assert watched.send() == SENT
