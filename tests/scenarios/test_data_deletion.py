"""Deleted rows: a customer comes back with all that belonged to them, once a second person has looked and approved."""

import csv
import io
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from lab.aws import ROOT
from lab.forwarding_service import DATABASE
from tests.scenarios.house import House, broken, failure
from tests.scenarios.people import Person, person

_SECONDS = 90
_LINKED = {"public.security_events", "public.activity_logs"}
"""Live rows that outlive a customer: their reference was emptied, and what is live is never changed."""


@pytest.fixture(scope="module")
def carol(house: House) -> Person:
    return person(house, "carol")


@pytest.fixture(scope="module")
def dave(house: House) -> Person:
    return person(house, "dave")


@pytest.fixture(scope="module")
def backed_up(house: House) -> Iterator[dict[str, tuple[int, str]]]:
    """What the database held when its newest good backup was made; at the end it is as it was."""
    house.run_well("database_backup", {"reason": "before somebody deletes"})
    yield house.database_fingerprint()
    house.run_well("database_corruption", {"reason": "what the tests have deleted", "even_if_sound": True})


@pytest.fixture(scope="module")
def customer(house: House, backed_up: dict[str, Any]) -> int:
    """A customer with messages."""
    query = "select organization_id from domains d join messages m on m.domain_id = d.id limit 1"
    return int(house.lab.database.server.query(query, DATABASE)[0][0])


def _delete(house: House, customer: int) -> None:
    """What somebody has done: everything of a customer goes with them."""
    house.lab.database.server.query("delete from organizations where id = %s", DATABASE, [customer])


def _input(customer: int, **more: object) -> dict[str, object]:
    scope = [{"table": "organizations", "where": f"id = {customer}"}]
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return {"reason": "an admin deleted the wrong customer", "deleted_at": now, "scope": scope, **more}


def _asked(house: House, arn: str) -> dict[str, Any]:
    """The request for approval of an execution, once it is there."""
    house.wait_for_state(arn, "AskForApproval", _SECONDS)
    operation, deadline = house.operation(arn)["id"], time.monotonic() + _SECONDS
    while time.monotonic() < deadline:
        for row in house.items("approvals"):
            if row["operation_id"] == operation and "sent_at" in row:
                return row
        time.sleep(0.2)
    raise AssertionError(f"nobody was asked: {house.states_entered(arn)}")


def _decide(house: House, who: Person, decision: str, approval: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "lambdas.approvals", decision, approval, "--reason", "I have read the preview"]
    return subprocess.run(
        command, cwd=ROOT, env=who.environment(house), capture_output=True, text=True, timeout=60, check=False
    )


def _text(house: House, address: str) -> str:
    bucket, _, key = address.removeprefix("s3://").partition("/")
    return str(house.lab.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read().decode())


def test_a_deleted_customer_comes_back_whole_once_a_second_person_has_approved(
    house: House, carol: Person, dave: Person, customer: int, backed_up: dict[str, Any]
) -> None:
    bodies = [body for (body,) in house.lab.database.server.query("select left(body, 60) from messages", DATABASE)]
    _delete(house, customer)
    assert house.database_fingerprint() != backed_up

    arn = carol.start(house, "data_deletion", _input(customer))
    approval = _asked(house, arn)["id"]
    assert _decide(house, carol, "approve", approval).returncode != 0, "who started it has approved it"
    decided = _decide(house, dave, "approve", approval)
    assert decided.returncode == 0, decided.stderr
    finished = house.follow(arn)

    assert finished.status == "SUCCEEDED", finished.cause
    details, now = finished.output["details"], house.database_fingerprint()
    assert {name: now[name] for name in now.keys() - _LINKED} == {
        name: backed_up[name] for name in backed_up.keys() - _LINKED
    }
    assert details["imported"]["rows"]["public.organizations"] == 1
    assert details["imported"]["rows"]["public.messages"] > 0
    assert "dave" in details["approved_by"]
    assert house.audit_events(finished.arn)[-1] == "deleted_data_recovered"
    _nothing_stays_on_staging(house)
    assert house.healthy()
    preview = _text(house, details["preview"])
    assert "public.organizations: 1 rows" in preview
    assert f"id={customer}" in preview
    assert re.search(r" before the deletion at \S+: rows written or changed in these .* cannot be in it", preview)
    assert not [body for body in bodies if body and body in preview], "the preview shows a message"
    assert details["preview"] in next(alert.body for alert in house.every_alert() if approval in alert.body)


def test_what_is_refused_is_not_imported(house: House, carol: Person, dave: Person, customer: int) -> None:
    _delete(house, customer)
    before = house.database_fingerprint()
    arn = carol.start(house, "data_deletion", _input(customer))
    assert _decide(house, dave, "refuse", _asked(house, arn)["id"]).returncode == 0
    assert failure(house.follow(arn)).code == "recovery-not-approved"
    assert house.database_fingerprint() == before
    _nothing_stays_on_staging(house)


def test_an_import_that_fails_after_its_approval_changes_nothing(
    house: House, carol: Person, dave: Person, customer: int
) -> None:
    before = house.database_fingerprint()
    arn = carol.start(house, "data_deletion", _input(customer))
    with broken(house, "import_rows"):
        assert _decide(house, dave, "approve", _asked(house, arn)["id"]).returncode == 0
        finished = house.follow(arn)
    assert failure(finished).sentence.startswith("The step ImportRows could not be run")
    assert house.database_fingerprint() == before
    _nothing_stays_on_staging(house)


def test_a_name_taken_since_stops_the_import_and_is_listed(house: House, customer: int) -> None:
    server = house.lab.database.server
    exported = house.run_well("data_deletion", _input(customer, mode="export"))
    domains = next(file for file in exported.output["details"]["files"] if file.endswith("public.domains.csv"))
    name = next(csv.DictReader(io.StringIO(_text(house, domains))))["name"]
    made = "insert into organizations (name, billing_email) values ('taker', 'x@taker.example') returning id"
    taker = server.query(made, DATABASE)[0][0]
    server.query("insert into domains (organization_id, name) values (%s, %s)", DATABASE, [taker, name])
    before = house.database_fingerprint()

    finished = house.run("data_deletion", _input(customer))

    found = failure(finished)
    assert found.code == "rows-in-conflict"
    listed = _text(house, "s3://" + found.sentence.partition("s3://")[2].removesuffix("."))
    assert next(csv.DictReader(io.StringIO(listed)))["table"] == "public.domains"
    assert house.database_fingerprint() == before
    _nothing_stays_on_staging(house)
    _delete(house, int(taker))


def test_without_tables_those_that_lost_rows_are_shown_and_nothing_is_changed(house: House, customer: int) -> None:
    _delete(house, customer)
    before = house.database_fingerprint()
    finished = house.run_well("data_deletion", _input(customer) | {"scope": []})
    assert " before the deletion at " in finished.output["details"]["lost"]["not_in_backup"]
    lost = finished.output["details"]["lost"]["lost"]
    assert "public.organizations" in {each["table"] for each in lost}
    assert finished.output["details"]["imported"] is None
    assert house.database_fingerprint() == before


def test_a_run_that_finds_every_row_live_says_that_nothing_was_brought_back(
    house: House, backed_up: dict[str, Any]
) -> None:
    newest = [row.id for row in house.catalog().values() if row.kind == "database"][-1]
    long_ago = {"deleted_at": "2020-01-01T00:00:00Z", "backup_id": newest, "scope": [{"table": "alembic_version"}]}
    finished = house.run_well("data_deletion", _input(0) | long_ago)
    details = finished.output["details"]
    assert details["note"].startswith(f"Nothing was brought back: {newest} has no row of the scope")
    assert (details["later_than_deletion"], details["imported"]) == (True, None)
    _nothing_stays_on_staging(house)


def _nothing_stays_on_staging(house: House) -> None:
    names = {name for (name,) in house.lab.database.staging.query("select datname from pg_database")}
    assert names == {"postgres", "template0", "template1"}
