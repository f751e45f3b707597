"""The audit trail on the deployed house: signed every hour, archived by its stream, and proof against full access."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.gate import Fault
from lambdas.adapters.audit_trail import link_of
from lambdas.adapters.tables import to_item
from lambdas.domain.audit import encode_link
from lambdas.domain.audit_bucket import event_key
from lambdas.domain.operation import execution_name
from lambdas.domain.signed_heads import SignedHeads
from tests.scenarios.commands import EXPORT, VERIFY_TRAIL, ended, run
from tests.scenarios.house import Alert, House, failure

SCOPE = "platform#audit"


@pytest.fixture(scope="module")
def signed(house: House) -> str:
    """The execution of one hour, started by the schedule."""
    arn = house.let_schedule_come("audit_signing")
    finished = house.follow(arn)
    assert finished.status == "SUCCEEDED", finished.cause
    return arn


def _until(condition: Callable[[], bool], what: str, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s for {what}"
        time.sleep(0.2)


def _objects(house: House, prefix: str, region: str | None = None) -> dict[str, bytes]:
    s3, bucket = house.lab.client("s3", region), house.bucket(region, "audit")
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    keys = [row["Key"] for page in pages for row in page.get("Contents", [])]
    return {key: s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}


def _put(house: House, item: dict[str, Any]) -> None:
    """Write past Mailark, with root's rights."""
    house.lab.client("dynamodb").put_item(TableName="mailark-audit-events", Item=to_item(item))


def _remove(house: House, item: dict[str, Any]) -> None:
    key = to_item({name: item[name] for name in ("scope", "sequence")})
    house.lab.client("dynamodb").delete_item(TableName="mailark-audit-events", Key=key)


def _alert(house: House, subject: str) -> Alert:
    _until(lambda: any(alert.subject == subject for alert in house.every_alert()), f"the alert {subject}")
    return next(alert for alert in house.every_alert() if alert.subject == subject)


def test_an_hour_leaves_signed_heads_in_both_regions(house: House, signed: str) -> None:
    there = house.let_schedule_come("audit_signing", house.lab.standby)
    assert house.follow(there).status == "SUCCEEDED"
    for arn in (signed, there):
        region = arn.split(":")[3]
        documents = {
            key: SignedHeads(**json.loads(body) | {"heads": [], "signature": ""})
            for key, body in _objects(house, "heads/", region).items()
        }
        assert any(each.operation_id == execution_name(arn) for each in documents.values())
        assert all(each.region == region for each in documents.values())
        assert house.audit_events(arn) == ["operation_started", "audit_heads_signed"]


def test_the_stream_archives_every_event_as_it_stands_in_the_table(house: House, signed: str) -> None:
    house.run_well("audit_signing", {"reason": "two more events"})
    items = house.items("audit-events")
    wanted = {event_key(item["scope"], item["sequence"]): encode_link(link_of(item)) for item in items}
    _until(lambda: wanted.keys() <= _objects(house, "events/").keys(), "the archive")
    found = _objects(house, "events/")
    assert {key: found[key] for key in wanted} == wanted


def test_a_trail_that_is_as_it_was_written_is_verified_every_day_in_both_regions(house: House, signed: str) -> None:
    for region in (house.lab.primary, house.lab.standby):
        finished = house.follow(house.let_schedule_come("audit_verification", region))
        assert finished.status == "SUCCEEDED", finished.cause
        assert finished.output["details"]["chains"] >= 1


@pytest.fixture
def victim(house: House, signed: str) -> Iterator[dict[str, Any]]:
    """An event that is archived and signed; afterwards it stands again as it did."""
    house.run_well("audit_signing", {"reason": "sign what is there"})
    item = next(each for each in house.items("audit-events") if (each["scope"], each["sequence"]) == (SCOPE, 2))
    yield item
    _put(house, item)
    house.run_well("audit_verification", {"reason": "all is as before"})


def test_an_event_that_is_changed_with_roots_rights_is_told_at_once_and_found_by_the_verification(
    house: House, victim: dict[str, Any]
) -> None:
    _put(house, victim | {"user_id": "nobody"})
    alert = _alert(house, f"[example] audit trail: event 2 of {SCOPE} was changed")
    assert event_key(SCOPE, 2) in alert.body

    finished = house.run("audit_verification", {"reason": "the security lead asks"})
    found = failure(finished)
    assert found.code == "audit-trail-broken"
    assert f"{SCOPE}: event 2 was changed; {SCOPE}: event 2 differs from its copy in the archive" in found.sentence
    about = house.alerts_about(finished.arn) or [house.alert_of(finished.arn)]
    assert "audit_verification failed: audit-trail-broken" in about[0].subject
    assert house.audit_events(finished.arn)[-1] == "audit_verification_failed"


def test_an_event_that_is_removed_with_roots_rights_is_told_at_once_and_found_by_the_verification(
    house: House, victim: dict[str, Any]
) -> None:
    _remove(house, victim)
    _alert(house, f"[example] audit trail: event 2 of {SCOPE} was removed")
    found = failure(house.run("audit_verification", {"reason": "the auditor asks"}))
    assert f"{SCOPE}: event 2 is missing before event 3" in found.sentence


def test_a_stranger_verifies_a_copy_with_a_public_key_and_nothing_else(
    house: House, signed: str, checkout: Path
) -> None:
    for command in EXPORT:
        run(house, command, checkout)
    bare = {"PATH": "/usr/bin:/bin"}
    done = ended(VERIFY_TRAIL, checkout, bare)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("SOUND: ")

    (first, *_) = sorted((checkout / "copy" / "events").rglob("*.json"))
    first.write_bytes(first.read_bytes().replace(b'"info"', b'"hush"'))
    done = ended(VERIFY_TRAIL, checkout, bare)
    assert done.returncode == 1
    assert "event 1 was changed" in done.stdout


def test_an_operation_goes_on_when_the_trail_cannot_be_written_and_its_events_are_chained_later(
    house: House, signed: str
) -> None:
    refused = json.dumps({"__type": "com.amazon.coral.service#AccessDeniedException", "message": "no"})
    region = house.lab.primary
    fault = Fault(lambda call: (call.region, call.target) == (region, "TransactWriteItems"), 400, refused)
    with house.lab.gate.fault(fault) as met:
        finished = house.run_well("audit_verification", {"reason": "the table is locked"})
        assert met
    assert house.audit_events(finished.arn) == []

    house.run_well("audit_signing", {"reason": "it can be written again"})
    assert house.audit_events(finished.arn) == ["operation_started", "audit_trail_verified"]
    late = [e for e in house.items("audit-events") if e.get("operation_id") == execution_name(finished.arn)]
    assert all(json.loads(each["details"])["chained_late"] for each in late)
    assert house.audit_faults(SCOPE) == []
    house.run_well("audit_verification", {"reason": "all is in order"})
