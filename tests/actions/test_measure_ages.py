"""`measure_ages`: what a region knows of its backups and tests, as numbers that an alarm can miss."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import yaml

from lambdas.adapters.audit_trail import AuditTrail, timestamp
from lambdas.adapters.aws import brief_calls
from lambdas.adapters.inspection import Inspection
from lambdas.domain.ages import TEST_EVENTS
from lambdas.domain.audit import Event
from lambdas.domain.backup import BackupName
from lambdas.domain.status_facts import RestoreTested
from tests.actions.house import OTHER, House
from tests.domain.builders import DATABASE, row_of
from tests.servers.aws import ACCOUNT, PRIMARY, STANDBY, aws, forget

HOUR = 3600


@pytest.fixture(autouse=True)
def _no_metrics() -> Iterator[None]:
    yield
    forget("cloudwatch")


def _ago(hours: float) -> datetime:
    return (datetime.now(UTC) - timedelta(hours=hours)).replace(microsecond=0)


def _tested(hours_ago: float, event: str | None = None, data_hours: float = 2, kind: str = "vault") -> None:
    """A restore test that ended so long ago (`event`: well), of a backup that was so many hours old then."""
    of = "smtpy" if kind == "database" else ""
    details = {"backup_id": BackupName(kind, "daily", _ago(hours_ago + data_hours), of).id}
    ended = timestamp(_ago(hours_ago))
    trail = AuditTrail(PRIMARY, "mailark-audit-events", "mailark-audit-heads")
    told = Event(f"e-{kind}-{hours_ago}", event or TEST_EVENTS[kind], "system", ended, "info", details)
    trail.append(f"platform#{kind}", told)


@pytest.fixture
def with_database(house: House) -> House:
    """The same house, whose estate has a database too."""
    text = yaml.safe_dump(yaml.safe_load(house.estate_text(house.vault)) | yaml.safe_load(DATABASE))
    for region in OTHER:
        house.put_estate(region=region, text=text)
    return house


def _measure(house: House, region: str = PRIMARY) -> Any:
    return house.run("measure_ages", {"operation": house.operation("backup_watch")}, region)


def _published(region: str = PRIMARY, kind: str = "vault") -> dict[str, float]:
    """The greatest value of each metric about a kind of backup."""
    found = {}
    cloudwatch = aws("cloudwatch", region)
    for metric in cloudwatch.list_metrics(Namespace="Mailark")["Metrics"]:
        if metric["Dimensions"] != [{"Name": "kind", "Value": kind}]:
            continue
        now = datetime.now(UTC)
        points = cloudwatch.get_metric_statistics(
            **metric,
            StartTime=now - timedelta(hours=1),
            EndTime=now + timedelta(hours=1),
            Period=HOUR,
            Statistics=["Maximum"],
        )["Datapoints"]
        found[metric["MetricName"]] = max(point["Maximum"] for point in points)
    return found


def _age_in_the_status(kind: str = "vault") -> float:
    """How old the newest restore test of a kind is by what `lambdas.status` reads."""
    with brief_calls():
        tested = Inspection(PRIMARY, ACCOUNT, "aws", [], [kind]).facts().tested[kind]
    assert isinstance(tested, RestoreTested)
    return (datetime.now(UTC) - tested.ended_at).total_seconds()


def test_the_ages_of_the_newest_good_backup_and_test_are_published_and_recorded(house: House) -> None:
    newest = row_of(_ago(2))
    for row in (newest, row_of(_ago(26))):
        house.catalog().put(row)
    house.catalog().put(row_of(_ago(1), proof="stored"))
    for hours in (30, 200):
        _tested(hours)
    _tested(3, "vault_restore_test_failed")

    measured = [_measure(house) for _ in range(2)][1]

    published = _published()
    assert published == pytest.approx({"BackupAgeSeconds": 2 * HOUR, "RestoreTestAgeSeconds": 30 * HOUR}, abs=30)
    assert (measured["verdict"], measured["problems"]) == ("good", [])
    (ages,) = measured["ages"]
    assert (ages["kind"], ages["backup_id"]) == ("vault", newest.id)
    assert ages["backup_seconds"] == pytest.approx(published["BackupAgeSeconds"], abs=30)


def test_what_is_not_there_is_not_published_so_that_the_alarm_misses_it(house: House) -> None:
    measured = _measure(house)
    assert _published() == {}
    assert measured["verdict"] == "not good"
    assert measured["problems"] == [
        "there is no good vault backup",
        "no fresh vault backup has been restored as a test",
    ]


def test_what_is_too_old_is_in_the_record_and_no_failure(house: House) -> None:
    house.catalog().put(row_of(_ago(26)))
    _tested(170)
    measured = _measure(house)
    assert measured["problems"] == [
        "the newest good vault backup is 26 h old",
        "the newest restore test of a fresh vault backup is 7 days old",
    ]


def test_of_a_database_that_the_estate_has_not_nothing_is_measured(house: House) -> None:
    house.catalog().put(row_of(_ago(2)))
    _tested(30)
    measured = _measure(house)
    assert [ages["kind"] for ages in measured["ages"]] == ["vault"]
    assert (measured["verdict"], _published(kind="database")) == ("good", {})


def test_a_database_that_has_gone_from_the_estate_is_told_while_its_backups_are_there(house: House) -> None:
    """No alarm waits for its age any more: nobody else would say that its protection has ended."""
    for kind in ("vault", "database"):
        house.catalog().put(row_of(_ago(2), kind))
        _tested(30, kind=kind)
    measured = _measure(house)
    assert (measured["verdict"], measured["problems"]) == (
        "not good",
        [
            "there are database backups, and the estate has no database any more: no new one is made. "
            "Put database back into the estate and run `cdk deploy --all`; or, if nothing of it is to be protected any "
            "more, delete the rows of its backups from the table mailark-catalog, in both regions."
        ],
    )
    assert _published(kind="database") == {}


def test_each_kind_of_the_estate_is_measured_by_itself(with_database: House) -> None:
    for kind, hours in (("vault", 2), ("database", 3)):
        with_database.catalog().put(row_of(_ago(hours), kind))
    _tested(30)
    _tested(800, kind="database")
    measured = _measure(with_database)
    assert (measured["verdict"], measured["problems"]) == ("good", [])
    assert [ages["kind"] for ages in measured["ages"]] == ["vault", "database"]
    assert _published() == pytest.approx({"BackupAgeSeconds": 2 * HOUR, "RestoreTestAgeSeconds": 30 * HOUR}, abs=30)
    assert _published(kind="database") == pytest.approx(
        {"BackupAgeSeconds": 3 * HOUR, "RestoreTestAgeSeconds": 800 * HOUR}, abs=30
    )
    assert _age_in_the_status("database") == pytest.approx(800 * HOUR, abs=30)


def test_a_database_whose_backups_fail_is_told_though_vaults_are_good(with_database: House) -> None:
    with_database.catalog().put(row_of(_ago(2)))
    with_database.catalog().put(row_of(_ago(26), "database"))
    _tested(30)
    _tested(842, kind="database")
    measured = _measure(with_database)
    assert measured["problems"] == [
        "the newest good database backup is 26 h old",
        "the newest restore test of a fresh database backup is 35 days old",
    ]


def test_without_a_dump_and_a_test_of_one_the_alarms_miss_their_ages(with_database: House) -> None:
    with_database.catalog().put(row_of(_ago(2)))
    _tested(30)
    measured = _measure(with_database)
    assert measured["problems"] == [
        "there is no good database backup",
        "no fresh database backup has been restored as a test",
    ]
    assert _published(kind="database") == {}


def test_tests_of_old_backups_are_passed_over_however_many_there_are(house: House) -> None:
    house.catalog().put(row_of(_ago(2)))
    for hours in range(1, 13):  # more than one page of the index
        _tested(hours, data_hours=50)
    _tested(170)
    measured = _measure(house)
    assert measured["problems"] == ["the newest restore test of a fresh vault backup is 7 days old"]
    assert _published()["RestoreTestAgeSeconds"] == pytest.approx(170 * HOUR, abs=30)
    assert _age_in_the_status() == pytest.approx(170 * HOUR, abs=30)


def test_what_is_dated_in_the_future_does_not_look_young(house: House) -> None:
    ahead = row_of(_ago(-1000))
    house.catalog().put(ahead)
    _tested(-1000)
    said = f"{ahead.id} is dated in the future, and a recovery takes it for the newest"
    measured = _measure(house)
    assert _published() == {}
    assert measured["problems"] == [
        "there is no good vault backup",
        said,
        "no fresh vault backup has been restored as a test",
    ]

    house.catalog().put(row_of(_ago(2)))
    _tested(30)
    assert _measure(house)["problems"] == [said]
    assert _published() == pytest.approx({"BackupAgeSeconds": 2 * HOUR, "RestoreTestAgeSeconds": 30 * HOUR}, abs=30)
    assert _age_in_the_status() == pytest.approx(30 * HOUR, abs=30)


def test_each_region_measures_what_it_has_itself_and_the_standby_expects_no_tests(house: House) -> None:
    house.catalog().put(row_of(_ago(1)))
    house.catalog(STANDBY).put(row_of(_ago(5)))
    measured = _measure(house, STANDBY)
    assert (measured["verdict"], measured["problems"]) == ("good", [])
    assert _published(STANDBY) == pytest.approx({"BackupAgeSeconds": 5 * HOUR}, abs=30)
    assert _published() == {}
