"""`copy_escrow`: the other region's escrow follows this one's, and no password there goes back to where it was."""

import dataclasses
from typing import Any

import pytest

from lambdas.adapters.envelope import Envelope
from lambdas.adapters.escrow import Escrow
from lambdas.adapters.tables import to_item
from lambdas.domain.errors import AwsUnavailable
from lambdas.domain.escrow import EscrowItem
from tests.actions.house import House
from tests.servers.aws import ACCOUNT, PRIMARY, STANDBY, refused

PATH = "smtp/550e8400-e29b-41d4-a716-446655440000/admin"
VALUES = {"username": "admin@example.org", "password": "sealed-by-the-platform"}
AT, LATER = "2026-11-22T02:00:00Z", "2026-11-22T03:00:00Z"


def _escrow(house: House, region: str = PRIMARY) -> Escrow:
    return Escrow(region, "mailark-escrow", Envelope(house.keys.arn("escrow", region), house.keys.offline_public))


def _record(item: EscrowItem | None, deed: str = "INSERT", region: str = PRIMARY) -> dict[str, Any]:
    """A record as DynamoDB Streams gives it to Lambda (Lambda guide, "Using AWS Lambda with Amazon DynamoDB")."""
    image = {"NewImage": to_item(dataclasses.asdict(item))} if item else {}
    keys = to_item({"path": PATH, "item": item.item if item else "op-1"})
    return {
        "eventID": "c4ca4238a0b923820dcc509a6f75849b",
        "eventName": deed,
        "eventSource": "aws:dynamodb",
        "awsRegion": region,
        "dynamodb": {"Keys": keys, "SequenceNumber": "111", **image},
        "eventSourceARN": f"arn:aws:dynamodb:{region}:{ACCOUNT}:table/mailark-escrow/stream/2026-11-22T00:00",
    }


def _copy(house: House, *records: dict[str, Any], region: str = PRIMARY) -> Any:
    house.secrets |= set(VALUES.values())
    return house.run("copy_escrow", {"Records": list(records)}, region)


def test_what_comes_here_is_there_too_and_opens_with_that_region_s_key(house: House) -> None:
    item = _escrow(house).put_pending(PATH, "op-1", VALUES, AT)
    assert _copy(house, _record(item)) == {"copied": 1, "known": 0}
    there = _escrow(house, STANDBY)
    assert there.items(PATH) == [item]
    assert there.open(item) == VALUES


def test_a_record_that_comes_twice_changes_nothing_and_neither_does_what_is_copied_back(house: House) -> None:
    item = _escrow(house).put_pending(PATH, "op-1", VALUES, AT)
    _copy(house, _record(item))
    assert _copy(house, _record(item)) == {"copied": 0, "known": 1}
    assert _copy(house, _record(item, region=STANDBY), region=STANDBY) == {"copied": 0, "known": 1}


def test_each_state_on_a_value_s_way_is_followed(house: House) -> None:
    here = _escrow(house)
    pending = here.put_pending(PATH, "op-1", VALUES, AT)
    published = here.published(pending, 7)
    current = here.make_current(PATH, "op-1", LATER)
    for item in (pending, published, current, dataclasses.replace(current, state="compromised", ended_at=LATER)):
        assert _copy(house, _record(item, "MODIFY")) == {"copied": 1, "known": 0}
        assert _escrow(house, STANDBY).items(PATH) == [item]


@pytest.mark.parametrize("ended", ["superseded", "compromised"])
def test_a_dead_password_does_not_come_back_however_late_a_record_is(house: House, ended: Any) -> None:
    item = dataclasses.replace(_escrow(house).put_pending(PATH, "op-1", VALUES, AT), vault_version=7)
    dead = dataclasses.replace(item, state=ended, ended_at=LATER)
    _copy(house, _record(dead))
    late = [_record(item), _record(dataclasses.replace(item, state="current"), "MODIFY")]
    assert _copy(house, *late) == {"copied": 0, "known": 2}
    assert _escrow(house, STANDBY).items(PATH) == [dead]


def test_what_somebody_removes_here_stays_there(house: House) -> None:
    item = _escrow(house).put_pending(PATH, "op-1", VALUES, AT)
    _copy(house, _record(item))
    assert _copy(house, _record(None, "REMOVE")) == {"copied": 0, "known": 0}
    assert _escrow(house, STANDBY).items(PATH) == [item]


def test_a_region_that_does_not_answer_is_an_error_so_that_the_stream_keeps_the_record(house: House) -> None:
    item = _escrow(house).put_pending(PATH, "op-1", VALUES, AT)
    with refused("PutItem", None), pytest.raises(AwsUnavailable, match="aws-unavailable"):
        _copy(house, _record(item))
    assert _copy(house, _record(item)) == {"copied": 1, "known": 0}
