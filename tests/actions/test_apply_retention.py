"""`apply_retention`: what is kept is locked, what is not goes by its version, and what crashes left is removed."""

import dataclasses
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import Mock, patch

import pytest
from botocore.client import BaseClient

from benchmarks.grown import full_house
from lambdas.adapters.backup_locks import BackupLocks
from lambdas.adapters.lambda_handler import Run
from lambdas.domain.backup import CatalogRow, ProofLevel, manifest_key
from lambdas.domain.errors import BackupsVanished, StorageRefused
from lambdas.domain.operation import Operation
from lambdas.domain.retention import READERS, RULES
from lambdas.domain.scenarios import SCENARIOS
from tests.actions.house import House, SavedBackup, bucket_name, execution_arn
from tests.domain.builders import row_of
from tests.servers.aws import PRIMARY, STANDBY, aws, on_s3, refused

NOW = datetime.now(UTC).replace(microsecond=0)
LATE = (NOW.replace(day=28) + timedelta(days=25)).replace(day=22, hour=3)
"""The 22nd of next month: what is the first of its month does not depend on the day of the test."""


def _put(
    house: House,
    days_ago: int,
    proof: ProofLevel = "intact",
    region: str = PRIMARY,
    now: datetime = NOW,
    kind: str = "vault",
) -> CatalogRow:
    """A backup of so many nights ago: an object, a manifest and a row."""
    row = row_of(now - timedelta(days=days_ago), kind, proof=proof)
    s3, bucket = aws("s3", region), bucket_name("backups", region)
    versions = [s3.put_object(Bucket=bucket, Key=key, Body=b"x")["VersionId"] for key, _ in row.versions]
    row = dataclasses.replace(row, version_id=versions[0], manifest_version=versions[1])
    house.catalog(region).put(row)
    return row


LATER = NOW + timedelta(days=8)


def _put_useless(house: House, monkeypatch: pytest.MonkeyPatch, region: str = PRIMARY, days_ago: int = 0) -> CatalogRow:
    """A backup that no rule keeps: it was never proved, and now its week is over."""
    row = _put(house, days_ago, "stored", region)
    _at(monkeypatch, LATER)
    return row


def _apply(house: House, operation: Operation | None = None, region: str = PRIMARY, **more: object) -> Any:
    event = {"operation": operation or house.operation("vault_backup", region=region), "kind": "vault"}
    return house.run("apply_retention", event | more, region=region)


def _at(monkeypatch: pytest.MonkeyPatch, now: datetime) -> None:
    monkeypatch.setattr(Run, "now", staticmethod(lambda: now))


def test_a_full_house_asks_of_s3_what_the_estimate_of_the_cost_says(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the 31st, when most is kept and most is locked again, and later in the day than the night before it."""
    now = datetime(NOW.year + 1, 1, 31, 3, tzinfo=UTC)
    firsts = [now.replace(day=1), *(datetime(NOW.year, month, 1, 3, tzinfo=UTC) for month in range(2, 13))]
    for days in [*range(30), *((now - first).days for first in firsts)]:
        _put(house, days, now=now)
    operation = house.operation("vault_backup")
    _at(monkeypatch, now)
    assert len(_apply(house, operation)["kept"]) == 42
    _at(monkeypatch, now + timedelta(minutes=1))
    asked: Counter[str] = Counter()
    call = BaseClient._make_api_call  # type: ignore[attr-defined]  # botocore's types leave it out

    def count(self: BaseClient, name: str, arguments: Any) -> Any:
        asked[name] += 1
        return call(self, name, arguments)

    with patch.object(BaseClient, "_make_api_call", count):
        _apply(house, operation)
    units = full_house("vault", 0)
    assert asked["PutObjectRetention"] * 2 == units["S3 write"]
    assert asked["GetObjectRetention"] * 2 == units["S3 read"]


def test_thirty_days_stay_locked_and_what_is_older_goes_by_its_versions(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    _at(monkeypatch, LATE)
    rows = [_put(house, days, now=LATE) for days in range(33)]
    gone = rows[30:32]  # the first of its month stays
    applied = _apply(house)
    assert set(applied["deleted"]) == {row.id for row in gone}
    assert {row.id for row in house.catalog().rows()} == {row.id for row in rows} - set(applied["deleted"])
    left = house.versions()
    for row in gone:
        assert row.key not in left
        assert manifest_key(row.key) not in left
    newest = next(kept for kept in applied["kept"] if kept["backup_id"] == rows[0].id)
    assert "day 1 of 30" in newest["reasons"]
    assert datetime.fromisoformat(newest["locked_until"]) > LATE + timedelta(days=29)
    again = _apply(house)
    assert (again["deleted"], again["orphans"], again["uploads_aborted"]) == ([], [], 0)


def test_when_backups_stop_deletion_stops(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [_put(house, days) for days in range(5)]
    _at(monkeypatch, NOW + timedelta(days=1000))
    assert _apply(house)["deleted"] == []
    assert len(house.catalog().rows()) == len(rows)


def test_what_a_lock_still_holds_is_shown_and_stays_whole(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    old = _put_useless(house, monkeypatch)
    BackupLocks(PRIMARY, bucket_name("backups", PRIMARY), "governance").lock_backup(old, LATER + timedelta(days=1))
    applied = _apply(house)
    assert (applied["still_locked"], applied["deleted"]) == ([old.id], [])
    assert {old.key, manifest_key(old.key)} <= set(house.versions())
    assert house.catalog().get(old.id) == old


@pytest.mark.parametrize("scenario", ["vault_restore", "vault_restore_test"])
@pytest.mark.parametrize("region", [PRIMARY, STANDBY])
def test_nothing_is_deleted_under_the_hands_of_who_restores_there(
    house: House, region: str, scenario: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _put(house, 1, region=region)
    useless = _put_useless(house, monkeypatch, region)
    before = house.versions(region)
    operation, target = house.operation("vault_backup"), SCENARIOS[scenario].target
    reader = execution_arn(scenario, "reader")
    house.leases(region).take(target, reader, lambda _: True)
    applied = _apply(house, operation, copies=region == STANDBY)
    assert (applied["deferred_by"], applied["deleted"]) == (reader, [])
    assert applied["kept"]
    assert house.versions(region) == before
    house.leases(region).release(target, reader)
    applied = _apply(house, operation, copies=region == STANDBY)
    assert (applied["deferred_by"], applied["deleted"]) == (None, [useless.id])


def test_a_reader_in_one_region_does_not_keep_the_other_from_its_deletions(house: House) -> None:
    house.leases().take("vault", execution_arn("vault_restore", "reader"), lambda _: True)
    assert _apply(house, copies=True)["deferred_by"] is None


def test_the_audit_trail_tells_of_each_deletion_once(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [_put_useless(house, monkeypatch, days_ago=days) for days in (0, 1)]
    assert len(_apply(house)["deleted"]) == 2
    _apply(house)
    told = [event.details["backup_id"] for event in house.events() if event.event == "backup_deleted"]
    assert sorted(told) == sorted(row.id for row in rows)


@pytest.mark.parametrize("copies", [True, False], ids=["decided by the other region", "decided by its own"])
def test_the_copy_of_what_is_proven_in_the_other_region_stays(
    house: House, copies: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    _at(monkeypatch, LATE)
    _put(house, 45, "proven", region=PRIMARY, now=LATE)
    rows = [_put(house, days, region=STANDBY, now=LATE) for days in (*range(30), 45, 48)]
    applied = _apply(house, copies=copies, region=PRIMARY if copies else STANDBY)
    assert applied["deleted"] == []
    kept = {each["backup_id"]: each["reasons"] for each in applied["kept"]}
    assert kept[rows[30].id] == ["the newest that is proven"]


def test_locks_are_set_though_the_other_region_does_not_answer(house: House) -> None:
    row = _put(house, 0)
    with refused(lambda request: STANDBY in request.url, "InternalServerError", 500):
        assert [each["backup_id"] for each in _apply(house, lock_only=True)["kept"]] == [row.id]


def test_an_upload_that_is_under_way_is_left_alone(house: House) -> None:
    """moto says of every upload that it began in 2010, so this one is told of by hand."""
    begun = {"Key": "vault/daily/x.enc", "UploadId": "young", "Initiated": NOW - timedelta(hours=1)}
    locks = BackupLocks(PRIMARY, bucket_name("backups", PRIMARY), "governance")
    listing = Mock(paginate=lambda **_: [{"Uploads": [begun]}])
    with patch.object(locks._s3, "get_paginator", lambda _: listing):
        assert locks.abort_uploads("vault/", NOW - timedelta(days=2)) == 0


def test_the_other_region_is_decided_by_its_own_catalog(house: House) -> None:
    here = [_put(house, days) for days in range(3)]
    there = [_put(house, days, region=STANDBY) for days in range(2)]
    applied = _apply(house, copies=True)
    assert applied["region"] == STANDBY
    assert {kept["backup_id"] for kept in applied["kept"]} == {row.id for row in there}
    assert len(house.catalog().rows()) == len(here)


def test_what_crashed_uploads_left_is_removed_and_nothing_else(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    s3, bucket = aws("s3"), bucket_name("backups", PRIMARY)
    row = _put(house, 0)
    unmanifested = "vault/daily/2026-11-20/vault-snapshot-20261120T020000Z.enc"
    s3.put_object(Bucket=bucket, Key=unmanifested, Body=b"the manifest never came")
    s3.put_object(Bucket=bucket, Key=row.key, Body=b"an upload that was made again")
    unknown = "vault/daily/2026-11-19/vault-snapshot-20261119T020000Z.enc"
    for key in (unknown, manifest_key(unknown)):
        s3.put_object(Bucket=bucket, Key=key, Body=b"a backup that the catalog has lost")
    assert _apply(house)["orphans"] == []  # a backup that is being made looks like these
    s3.create_multipart_upload(Bucket=bucket, Key=row.key)
    _at(monkeypatch, NOW + timedelta(days=3))
    old = _apply(house)
    assert sorted(old["orphans"]) == sorted([unmanifested, row.key])
    assert old["uploads_aborted"] == 1
    assert old["unusable"] == [
        f"{manifest_key(unknown)}: "
        "The manifest of vault-snapshot-20261119T020000Z is not what was signed: "
        "it cannot be read"
    ]
    assert house.versions() == sorted([*(key for key, _ in row.versions), unknown, manifest_key(unknown)])


@pytest.mark.parametrize("region", [PRIMARY, STANDBY])
def test_a_backup_whose_writer_died_before_the_row_gets_it_two_days_later(
    region: str, house: House, saved: SavedBackup, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = saved.put(house, region)
    house.store(region).keep_status(row)
    house.catalog(region).delete(row.id)
    assert _apply(house, copies=region == STANDBY)["added"] == []  # its writer may be about to
    _at(monkeypatch, NOW + timedelta(days=3))
    applied = _apply(house, copies=region == STANDBY)
    assert (applied["added"], applied["unusable"], applied["orphans"]) == ([row.id], [], [])
    assert [kept["backup_id"] for kept in applied["kept"]] == [row.id]
    assert house.catalog(region).rows() == [row]


def test_a_lost_catalog_deletes_nothing_that_has_a_manifest(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [_put(house, 10 * days) for days in range(10)]
    before = house.versions()
    for row in rows:
        house.catalog().delete(row.id)
    _at(monkeypatch, NOW + timedelta(days=30))
    applied = _apply(house)
    assert (applied["kept"], applied["deleted"], applied["orphans"]) == ([], [], [])
    assert house.versions() == before


@pytest.mark.parametrize("lost", [0, 1])
@pytest.mark.parametrize("region", [PRIMARY, STANDBY])
def test_a_backup_that_somebody_deleted_stops_deletion_and_no_lock(
    region: str, lost: int, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [_put(house, days, region=region) for days in range(1, 5)]
    _put_useless(house, monkeypatch, region)
    key, version = rows[1].versions[lost]
    aws("s3", region).delete_object(Bucket=bucket_name("backups", region), Key=key, VersionId=version)
    before = house.versions(region)
    with pytest.raises(BackupsVanished, match=f"first {rows[1].id}"):
        _apply(house, copies=region == STANDBY)
    assert house.versions(region) == before
    locks = BackupLocks(region, bucket_name("backups", region), "governance")
    left = [version for row in rows for version in row.versions if version != (key, rows[1].versions[lost][1])]
    assert all(locks.is_locked(*version, LATER + timedelta(hours=35)) for version in left)


def test_what_was_deleted_by_the_trail_and_is_in_the_catalog_again_goes_from_it(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A catalog that was rewound, or rebuilt from what was listed before."""
    row = _put_useless(house, monkeypatch)
    assert _apply(house)["deleted"] == [row.id]
    house.catalog().put(row)
    assert _apply(house)["deleted"] == [row.id]
    assert house.catalog().rows() == []


def test_what_is_brought_back_has_a_week_to_be_proved(house: House) -> None:
    _put(house, 20, "stored")
    (kept,) = _apply(house)["kept"]
    assert kept["reasons"] == ["younger than 7 days"]
    assert datetime.fromisoformat(kept["locked_until"]) > NOW + timedelta(days=6)


def test_after_a_backup_that_failed_all_that_stays_is_locked_and_nothing_goes(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    stays, _ = _put(house, 1), _put_useless(house, monkeypatch)
    before, operation = house.versions(), house.operation("vault_backup")
    applied = _apply(house, operation, lock_only=True)
    assert (applied["deleted"], applied["deferred_by"]) == ([], operation.execution)
    assert [each["backup_id"] for each in applied["kept"]] == [stays.id]
    assert house.versions() == before


@pytest.mark.parametrize("held", ["GOVERNANCE", "COMPLIANCE"])
@pytest.mark.parametrize("mode", ["governance", "compliance"])
def test_a_lock_is_extended_in_the_mode_that_it_was_set_in(house: House, held: str, mode: str) -> None:
    """S3 takes no other: the estate's mode is for what comes."""
    row, until = _put(house, 0), NOW + timedelta(days=9)
    BackupLocks(PRIMARY, bucket_name("backups", PRIMARY), held.lower()).lock_backup(row, NOW + timedelta(days=1))
    assert BackupLocks(PRIMARY, bucket_name("backups", PRIMARY), mode).lock_backup(row, until) == until
    for key, version in row.versions:
        answer = aws("s3").get_object_retention(Bucket=bucket_name("backups", PRIMARY), Key=key, VersionId=version)
        assert answer["Retention"]["Mode"] == held


@pytest.mark.parametrize("deletions", [1, 2])
def test_a_deletion_that_dies_on_its_way_is_ended_the_next_night(
    house: House, deletions: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody else is suspected of it."""
    row = _put_useless(house, monkeypatch)
    asked: list[str] = []

    def dies(request: Any) -> bool:
        asked.extend([request.url] if request.method == "DELETE" else [])
        return request.method == "DELETE" and len(asked) >= deletions

    with refused(dies, "AccessDenied", 403), pytest.raises(StorageRefused):
        _apply(house)
    _apply(house)
    told = [event.details["backup_id"] for event in house.events() if event.event == "backup_deleted"]
    assert told.count(row.id) == 1
    assert not {row.key, manifest_key(row.key)} & set(house.versions())
    assert row.id not in {each.id for each in house.catalog().rows()}


def test_a_lock_that_cannot_be_set_stops_before_anything_is_deleted(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    _put(house, 1)
    _put_useless(house, monkeypatch)
    before = house.versions()
    with refused(on_s3("PUT", "retention"), "AccessDenied", 403), pytest.raises(StorageRefused):
        _apply(house)
    assert house.versions() == before


def test_the_reader_of_every_kind_is_known() -> None:
    assert READERS.keys() == RULES.keys()


# --- dumps ------------------------------------------------------------------------------------------------


def _apply_to_dumps(house: House, operation: Operation | None = None, **more: object) -> Any:
    event = {"operation": operation or house.operation("database_backup"), "kind": "database"}
    return house.run("apply_retention", event | more)


@pytest.mark.parametrize(("copies", "days"), [(False, 30), (True, 90)])
def test_thirty_dumps_stay_here_and_ninety_copies_there_and_no_first_of_a_month(
    copies: bool, days: int, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    _at(monkeypatch, LATE)
    region = STANDBY if copies else PRIMARY
    rows = [_put(house, ago, region=region, now=LATE, kind="database") for ago in range(days + 3)]
    applied = _apply_to_dumps(house, copies=copies)
    assert (applied["region"], applied["deleted"]) == (region, [row.id for row in reversed(rows[days:])])
    assert {row.id for row in house.catalog(region).rows()} == {row.id for row in rows[:days]}
    newest = next(kept for kept in applied["kept"] if kept["backup_id"] == rows[0].id)
    assert f"day 1 of {days}" in newest["reasons"]
    assert datetime.fromisoformat(newest["locked_until"]) > LATE + timedelta(days=days - 1)
    assert _apply_to_dumps(house, copies=copies)["deleted"] == []


def test_dumps_and_snapshots_do_not_take_each_others_places(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    _at(monkeypatch, LATE)
    old = [_put(house, ago, now=LATE, kind=kind) for kind in ("vault", "database") for ago in range(30, 32)]
    new = [_put(house, ago, now=LATE, kind="database") for ago in range(30)]
    assert set(_apply_to_dumps(house)["deleted"]) == {row.id for row in old if row.kind == "database"}
    assert {row.id for row in house.catalog().rows() if row.kind == "vault"} == {
        row.id for row in old if row.kind == "vault"
    }
    assert {row.id for row in house.catalog().rows() if row.kind == "database"} == {row.id for row in new}


def test_the_newest_proven_dump_stays_however_old_it_is(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    _at(monkeypatch, LATE)
    proven = _put(house, 60, "proven", now=LATE, kind="database")
    for ago in range(31):
        _put(house, ago, now=LATE, kind="database")
    applied = _apply_to_dumps(house)
    assert proven.id not in applied["deleted"]
    assert len(applied["deleted"]) == 1


@pytest.mark.parametrize("reader", READERS["database"])
def test_while_a_dump_may_be_read_nothing_is_deleted(
    reader: str, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    _at(monkeypatch, LATER)
    old = _put(house, 0, "stored", kind="database")
    reading = house.operation(reader, "op-9")
    applied = _apply_to_dumps(house)
    assert (applied["deferred_by"], applied["deleted"]) == (reading.execution, [])
    house.leases().release(reading.lease.target, reading.execution)
    assert _apply_to_dumps(house)["deleted"] == [old.id]
