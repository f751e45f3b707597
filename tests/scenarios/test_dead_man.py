"""The dead man on the deployed house: what has not happened is noticed, in both regions and outside of AWS."""

import dataclasses
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from lab.watching import Finished
from lambdas.adapters.tables import to_item
from lambdas.domain.ages import TEST_LIMITS
from lambdas.domain.alarms import backup_alarm, restore_test_alarm
from lambdas.domain.backup import CatalogRow
from tests.scenarios.house import House, backup_of, broken, failure
from tests.servers.monitor import SECRET_PATH, Monitor

KINDS = ("vault", "database")
OTHER = {"vault": "database", "database": "vault"}

# --- ages, and the alarms that wait for them --------------------------------------------------------------


def _watch(house: House, region: str) -> Finished:
    """Let the hour come, and follow what it starts."""
    finished = house.follow(house.let_schedule_come("backup_watch", region))
    assert finished.status == "SUCCEEDED", finished.cause
    return finished


def _state(house: House, region: str, alarm: str) -> str:
    (found,) = house.lab.client("cloudwatch", region).describe_alarms(AlarmNames=[alarm])["MetricAlarms"]
    return str(found["StateValue"])


def _told(house: House, region: str, alarm: str) -> list[str]:
    """What the contacts were told, each time that the backups of a region, or their tests, were too old."""
    subject = f'ALARM: "{alarm}" in {region}'
    return [
        str(json.loads(alert.body)["AlarmDescription"]) for alert in house.every_alert() if alert.subject == subject
    ]


def _put(house: House, region: str, rows: list[CatalogRow]) -> None:
    dynamo = house.lab.client("dynamodb", region)
    for row in rows:
        dynamo.put_item(TableName="mailark-catalog", Item=to_item(dataclasses.asdict(row)))


@contextmanager
def _aged(house: House, region: str, kind: str, hours: float) -> Iterator[None]:
    """Let every backup of a kind that a region knows be so many hours older while the block runs."""
    rows = [row for row in house.catalog(region).values() if row.kind == kind]
    older = [datetime.fromisoformat(row.started_at) - timedelta(hours=hours) for row in rows]
    _put(
        house,
        region,
        [dataclasses.replace(row, started_at=at.isoformat()) for row, at in zip(rows, older, strict=True)],
    )
    try:
        yield
    finally:
        _put(house, region, rows)


@pytest.fixture(scope="module")
def _backed_up(house: House, backup_id: str) -> None:
    """A backup of each kind of this very day."""
    assert backup_id
    house.run_well("database_backup", {"reason": "a dump for the tests"})


@pytest.fixture(params=["primary", "standby"])
def region(request: pytest.FixtureRequest, house: House, _backed_up: None) -> str:
    """A region in which there is a backup of each kind of this very day, and that is known."""
    region = str(getattr(house.lab, request.param))
    house.lab.aws.let_hours_pass(region, 4)
    _watch(house, region)
    assert {_state(house, region, backup_alarm(kind)) for kind in KINDS} == {"OK"}
    return region


def test_every_hour_each_region_says_how_old_its_newest_backups_are(house: House, region: str) -> None:
    finished = _watch(house, region)
    found = finished.output["details"]["ages"]
    assert [ages["kind"] for ages in found] == list(KINDS)
    for ages in found:
        good = [row.id for row in house.catalog(region).values() if row.is_good and row.kind == ages["kind"]]
        assert ages["backup_id"] == good[-1]
        assert 0 < ages["backup_seconds"] < 3600
    assert house.operation(finished.arn)["user_id"] == "system"
    assert house.audit_events(finished.arn) == ["operation_started", "backup_watch_completed"]
    assert house.audit_faults("platform#watch", region) == []
    assert house.lease_is_free("watch#backups", region)


@pytest.mark.parametrize("kind", KINDS)
def test_a_backup_over_25_hours_alarms_at_once_and_a_fresh_one_brings_it_back(
    house: House, region: str, kind: str
) -> None:
    alarm, other = backup_alarm(kind), backup_alarm(OTHER[kind])
    told = len(_told(house, region, alarm))
    with _aged(house, region, kind, 24.9):
        _watch(house, region)
        assert _state(house, region, alarm) == "OK"
    with _aged(house, region, kind, 25.1):
        finished = _watch(house, region)
        assert finished.output["details"]["verdict"] == "not good"
        assert (_state(house, region, alarm), len(_told(house, region, alarm))) == ("ALARM", told + 1)
        assert _state(house, region, other) == "OK", "the other kind is good"

    house.lab.aws.let_hours_pass(region, 2)
    _watch(house, region)
    assert _state(house, region, alarm) == "ALARM", "the greatest age within three hours counts"
    house.lab.aws.let_hours_pass(region, 1)
    _watch(house, region)
    assert _state(house, region, alarm) == "OK"


def test_one_lost_hour_pages_nobody_and_three_do(house: House, region: str) -> None:
    alarms = {kind: backup_alarm(kind) for kind in KINDS}
    told = {kind: len(_told(house, region, alarm)) for kind, alarm in alarms.items()}
    house.lab.aws.let_hours_pass(region, 2)  # the hour that was lost, and the one that is due
    for kind, alarm in alarms.items():
        assert (_state(house, region, alarm), len(_told(house, region, alarm))) == ("OK", told[kind])
    _watch(house, region)

    house.lab.aws.let_hours_pass(region, 3.1)

    for kind, alarm in alarms.items():
        assert (_state(house, region, alarm), len(_told(house, region, alarm))) == ("ALARM", told[kind] + 1)
        said = f"No good {kind} backup for 25 h, or nobody measures it any more."
        assert _told(house, region, alarm)[-1].startswith(said)


@pytest.mark.usefixtures("_backed_up")
def test_the_standby_goes_on_measuring_with_the_primary_gone(house: House) -> None:
    with house.lab.gate.without_region(house.lab.primary) as refused:
        _watch(house, house.lab.standby)
        assert refused == []


@pytest.mark.usefixtures("_backed_up")
def test_a_week_without_a_restore_test_alarms_and_five_weeks_of_the_database(house: House) -> None:
    region = house.lab.primary
    house.lab.aws.let_hours_pass(region, 4)  # nothing that was measured before counts
    due = datetime.now(UTC) + timedelta(seconds=90)
    for kind in KINDS:
        house.tell_of_restore_test(due - timedelta(seconds=TEST_LIMITS[kind]), kind)
    alarms = {kind: restore_test_alarm(kind) for kind in KINDS}
    young = {ages["kind"]: ages["test_seconds"] for ages in _watch(house, region).output["details"]["ages"]}
    assert all(young[kind] <= TEST_LIMITS[kind] for kind in KINDS)
    assert {_state(house, region, alarm) for alarm in alarms.values()} == {"OK"}
    told = {kind: len(_told(house, region, alarm)) for kind, alarm in alarms.items()}

    time.sleep(max(0.0, (due - datetime.now(UTC)).total_seconds()) + 1)
    finished = _watch(house, region)

    assert finished.output["details"]["problems"] == [
        "the newest restore test of a fresh vault backup is 7 days old",
        "the newest restore test of a fresh database backup is 35 days old",
    ]
    for kind, alarm in alarms.items():
        assert _state(house, region, alarm) == "ALARM"
        assert len(_told(house, region, alarm)) == told[kind] + 1
        assert _told(house, region, alarm)[-1].startswith(f"No fresh {kind} backup has been restored as a test")


# --- the heartbeat ----------------------------------------------------------------------------------------


@pytest.fixture
def monitor(house: House, _backed_up: None, tmp_path: Path) -> Iterator[Monitor]:
    """A monitor that the estate names, in the region that makes the backups; of each kind there is one of today."""
    ssm, name = house.lab.client("ssm"), "/mailark/estate"
    before = ssm.get_parameter(Name=name)["Parameter"]["Value"]
    with Monitor.open(tmp_path, house.lab.authority) as monitor:
        estate = yaml.safe_load(before) | {"heartbeat": {"url": monitor.url, "ca": monitor.ca}}
        ssm.put_parameter(Name=name, Value=yaml.safe_dump(estate), Type="String", Tier="Advanced", Overwrite=True)
        try:
            yield monitor
        finally:
            ssm.put_parameter(Name=name, Value=before, Type="String", Tier="Advanced", Overwrite=True)


def _heartbeat(house: House, finished: Finished) -> str:
    """What the record of a good backup says of the heartbeat."""
    outcome = json.loads(house.operation(finished.arn)["outcome"])
    row = house.catalog()[backup_of(house, finished)]
    assert (row.proof, row.copy) == ("intact", "intact")
    return str(outcome["details"]["heartbeat"])


@pytest.mark.parametrize("kind", KINDS)
def test_a_good_night_is_told_to_the_monitor_and_nobody_else_learns_its_url(
    house: House, monitor: Monitor, kind: str
) -> None:
    finished = house.run_well(f"{kind}_backup", {"reason": "a good night"})
    assert _heartbeat(house, finished) == "sent"
    assert monitor.heard == [SECRET_PATH]
    assert SECRET_PATH not in json.dumps(house.history(finished.arn), default=str)


@pytest.mark.parametrize("kind", KINDS)
def test_while_the_other_kind_has_no_good_backup_a_good_night_is_not_told_to_the_monitor(
    house: House, monitor: Monitor, kind: str
) -> None:
    with _aged(house, house.lab.primary, OTHER[kind], 26):
        finished = house.run_well(f"{kind}_backup", {"reason": "the other one has failed"})
        assert _heartbeat(house, finished) == f"withheld: no good {OTHER[kind]} backup in the last 25 hours"
    assert monitor.heard == []
    assert house.alerts_about(finished.arn) == []


def test_a_night_whose_copy_failed_is_not_told_to_the_monitor(house: House, monitor: Monitor) -> None:
    with house.lab.gate.without_region(house.lab.standby):
        finished = house.run("vault_backup", {"reason": "the standby is gone"})
    assert failure(finished).code == "storage-refused"
    assert monitor.heard == []


def test_a_monitor_that_refuses_leaves_the_night_green_and_is_in_its_record(house: House, monitor: Monitor) -> None:
    monitor.answers = [404]
    finished = house.run_well("vault_backup", {"reason": "the monitor refuses"})
    assert _heartbeat(house, finished) == "failed: HeartbeatNotSent"
    assert house.alerts_about(finished.arn) == []
    assert SECRET_PATH not in json.dumps(house.history(finished.arn), default=str)


def test_a_heartbeat_that_cannot_even_be_tried_leaves_the_night_green_too(house: House, monitor: Monitor) -> None:
    with broken(house, "send_heartbeat"):
        finished = house.run_well("vault_backup", {"reason": "the heartbeat's function is broken"})
    assert _heartbeat(house, finished).startswith("failed: ")
    assert monitor.heard == []


def test_without_a_monitor_the_record_says_so(house: House, backup_id: str) -> None:
    made_by = house.catalog()[backup_id].operation_id
    (operation,) = [each for each in house.items("operations") if each["id"] == made_by]
    assert json.loads(operation["outcome"])["details"]["heartbeat"] == "not configured"
