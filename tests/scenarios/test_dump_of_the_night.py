"""The night's dump of the database, as the schedule starts it, and the test that proves it."""

import base64
import dataclasses
import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from lab.forwarding_service import ALEMBIC_REVISION, DATABASE
from lab.postgres import PostgresServer
from lambdas.adapters.backup_store import BackupStore
from lambdas.adapters.catalog import Catalog
from lambdas.adapters.envelope import OfflineEnvelope
from lambdas.adapters.signing import SigningKey
from lambdas.domain.backup import CatalogRow, manifest_key
from lambdas.domain.database_manifest import DatabaseManifest
from tests.scenarios.house import House, backup_of, failure
from tests.servers.aws import PRIMARY


@pytest.fixture(scope="module")
def night(house: House) -> dict[str, Any]:
    """The operation that the schedule's own target starts at 03:00."""
    finished = house.follow(house.let_schedule_come("database_backup"))
    assert finished.status == "SUCCEEDED", finished.cause
    return dict(finished.output)


def _row(house: House, night: dict[str, Any], region: str | None = None) -> CatalogRow:
    return house.catalog(region)[night["details"]["backup_id"]]


def _manifest(house: House, row: CatalogRow) -> DatabaseManifest:
    raw = house.lab.client("s3").get_object(Bucket=house.bucket(), Key=manifest_key(row.key))["Body"].read()
    return msgspec.json.decode(raw, type=DatabaseManifest)


def test_the_nights_dump_is_proved_intact_in_both_regions(house: House, night: dict[str, Any]) -> None:
    row = _row(house, night)
    assert (row.kind, row.series, row.proof, row.copy) == ("database", "daily", "intact", "intact")
    assert _row(house, night, house.lab.standby).proof == "intact"
    assert row.key == f"database/daily/{row.date}/{row.id}.enc"
    assert row.id.startswith("smtpy_")
    assert row.id.endswith(".sql.gz")


def test_its_manifest_says_what_the_database_held(house: House, night: dict[str, Any]) -> None:
    manifest = _manifest(house, _row(house, night))
    held = house.database_fingerprint()
    assert {table.title: (table.rows, table.checksum) for table in manifest.contents.tables} == held
    assert (manifest.source.database, manifest.source.major) == (DATABASE, 17)
    assert manifest.contents.alembic == ALEMBIC_REVISION
    assert night["details"]["rows"] == sum(rows for rows, _ in held.values())


def test_the_operators_key_alone_opens_it_and_it_is_what_gzip_and_psql_read(
    house: House, night: dict[str, Any]
) -> None:
    row = _row(house, night)
    manifest = _manifest(house, row)
    envelope = OfflineEnvelope(house.lab.offline.private.read_text())
    packed = b"".join(envelope.open([house.object_bytes(row)], manifest.encryption.context))
    sql = gzip.decompress(packed)
    assert sql.startswith(b"--\n-- PostgreSQL database dump\n--\n")
    assert b"\n-- PostgreSQL database dump complete\n" in sql[-200:]
    roles = envelope.unwrap(manifest.contents.globals.message, manifest.contents.globals.context)
    assert b"CREATE ROLE smtpy;" in roles
    assert b"PASSWORD" not in roles


def test_the_record_says_what_was_kept_and_why(night: dict[str, Any]) -> None:
    here, there = night["details"]["retention"]
    (kept,) = (each for each in here["kept"] if each["backup_id"] == night["details"]["backup_id"])
    assert "day 1 of 30" in kept["reasons"]
    (copy,) = (each for each in there["kept"] if each["backup_id"] == night["details"]["backup_id"])
    assert "day 1 of 90" in copy["reasons"]


def test_a_restore_test_proves_it_and_leaves_nothing_on_the_staging_server(house: House, night: dict[str, Any]) -> None:
    finished = house.run_well("database_restore_test", {"reason": "is it any good?"})
    details = finished.output["details"]
    assert details["backup_id"] == night["details"]["backup_id"]
    assert (details["checks"], details["same_bytes"]) == (2, True)
    assert _row(house, night).proof == "proven"
    names = {name for (name,) in house.lab.database.staging.query("select datname from pg_database")}
    assert names == {"postgres", "template0", "template1"}
    assert finished.output["rto"]["measured"] < finished.output["rto"]["objective"]


def test_a_server_that_does_not_answer_ends_red_and_the_last_backup_stays(house: House, night: dict[str, Any]) -> None:
    server = house.lab.database.server
    server.stop()
    try:
        finished = house.run("database_backup", {"reason": "the server is down"})
    finally:
        server.start()
        server.wait_until_ready()
    found = failure(finished)
    assert found.code == "database-unreachable"
    assert f"PostgreSQL at {server.host}:{server.port} does not answer" in found.sentence
    assert "in the step CheckDatabase" in house.alert_of(finished.arn).body
    assert _row(house, night).is_good
    assert house.open_uploads() == []


def test_an_emptied_database_does_not_become_the_newest_good_backup(house: House, night: dict[str, Any]) -> None:
    with _another(house, "create database smtpy"):
        finished = house.run("database_backup", {"reason": "somebody dropped everything"})
    found = failure(finished)
    assert found.code == "dump-looks-lost"
    assert found.sentence.endswith("does not count as good: there is no table in it.")
    assert not house.catalog()[backup_of(house, finished)].is_good
    assert _row(house, night).is_good


def test_a_dump_that_was_refused_can_be_tested_by_its_id_and_never_becomes_good(
    house: House, night: dict[str, Any]
) -> None:
    house.tell_of_restore_test(datetime.now(UTC) - timedelta(hours=1), "database")
    before = _ages(house)
    with _another(house, "create database smtpy template smtpy_away") as server:
        server.query("truncate organizations cascade", DATABASE)
        finished = house.run("database_backup", {"reason": "somebody deleted every customer"})
    assert failure(finished).code == "dump-looks-lost"
    refused = backup_of(house, finished)

    tested = house.run_well("database_restore_test", {"reason": "is anything in it?", "backup_id": refused})

    details = tested.output["details"]
    assert (details["backup_id"], details["proof"]) == (refused, "stored")
    assert house.catalog()[refused].proof == "stored"
    after = _ages(house)
    assert after["backup_id"] == before["backup_id"] == night["details"]["backup_id"]
    assert after["test_seconds"] > before["test_seconds"], "a test of what was refused counts"
    details = house.run_well("database_restore_test", {"reason": "the next one"}).output["details"]
    assert (details["backup_id"], details["proof"]) == (night["details"]["backup_id"], "proven")


def test_a_dump_whose_restored_database_does_not_equal_it_is_passed_over_by_the_next_run(
    house: House, night: dict[str, Any]
) -> None:
    made = house.run_well("database_backup", {"reason": "one to be refuted"})
    newest = house.catalog()[backup_of(house, made)]
    _let_its_manifest_lie(house, newest)

    finished = house.run("database_restore_test", {"reason": "is it any good?"})

    assert failure(finished).code == "backup-refuted"
    assert house.catalog()[newest.id].proof == "stored"
    assert _ages(house)["backup_id"] == night["details"]["backup_id"]
    details = house.run_well("database_restore_test", {"reason": "once more"}).output["details"]
    assert (details["backup_id"], details["proof"]) == (night["details"]["backup_id"], "proven")


def test_an_accepted_loss_is_known_in_both_regions(house: House, night: dict[str, Any]) -> None:
    made = backup_of(house, house.run_well("database_backup", {"reason": "a table went", "accept_loss": True}))
    assert [house.catalog(region)[made].loss_accepted for region in (None, house.lab.standby)] == [True, True]
    assert not _row(house, night).loss_accepted


def _let_its_manifest_lie(house: House, row: CatalogRow) -> None:
    """Signed, and with a row more in its first table than there was."""
    manifest = _manifest(house, row)
    assert manifest.signature is not None
    first, *others = manifest.contents.tables
    tables = [msgspec.structs.replace(first, rows=first.rows + 1), *others]
    lying = msgspec.structs.replace(manifest, contents=msgspec.structs.replace(manifest.contents, tables=tables))
    with house.lab.as_root():
        value = base64.b64encode(SigningKey(manifest.signature.key_id).sign(lying.signed_bytes())).decode()
        signed = lying.with_signature(msgspec.structs.replace(manifest.signature, value=value))
        version = BackupStore(PRIMARY, house.bucket()).put_manifest(signed)
        Catalog(PRIMARY, "mailark-catalog").put(dataclasses.replace(row, manifest_version=version))


def _ages(house: House) -> dict[str, Any]:
    """What the watch finds of the dumps."""
    found = house.run_well("backup_watch", {"reason": "what counts?"}).output["details"]["ages"]
    return next(dict(ages) for ages in found if ages["kind"] == "database")


@contextmanager
def _another(house: House, create: str) -> Iterator[PostgresServer]:
    """Another database has the live one's name while the block runs."""
    server = house.lab.database.server
    with server.connect("postgres") as session:
        session.execute("alter database smtpy rename to smtpy_away")
        session.execute(create.encode())
    try:
        yield server
    finally:
        with server.connect("postgres") as session:
            session.execute("drop database smtpy with (force)")
            session.execute("alter database smtpy_away rename to smtpy")
