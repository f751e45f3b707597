"""What CloudWatch Logs delivers is unpacked; a trial of the connection holds no line."""

import base64
import binascii
import gzip
import json
import zlib
from typing import Any

import pytest

from lambdas.adapters.log_delivery import read_delivery
from lambdas.domain.detection import LogEvent


def _packed(**own: Any) -> str:
    """As in the CloudWatch Logs guide, "Log group-level subscription filters"."""
    told = {
        "owner": "111111111111",
        "logGroup": "/mailark/mailu",
        "logStream": "550e8400-e29b-41d4-a716-446655440000/admin",
        "subscriptionFilters": ["Destination"],
        "messageType": "DATA_MESSAGE",
        "logEvents": [{"id": "3195", "timestamp": 1432826855999, "message": "grüße ✉"}],
    }
    return base64.b64encode(gzip.compress(json.dumps(told | own).encode())).decode()


def test_a_delivery_is_its_stream_and_its_lines_with_their_times_in_seconds() -> None:
    delivery = read_delivery(_packed())
    assert (delivery.group, delivery.stream) == ("/mailark/mailu", "550e8400-e29b-41d4-a716-446655440000/admin")
    assert delivery.events == [LogEvent("3195", 1432826855, "grüße ✉")]


def test_a_trial_of_the_connection_holds_no_line() -> None:
    assert read_delivery(_packed(messageType="CONTROL_MESSAGE")).events == []


def test_half_a_character_in_one_line_does_not_take_the_others_with_it() -> None:
    lines = [{"id": str(n), "timestamp": 0, "message": message} for n, message in enumerate(("\ud800", "good"))]
    assert [each.text for each in read_delivery(_packed(logEvents=lines)).events] == ["\ud800", "good"]


@pytest.mark.parametrize("data", ["", "no base64 …", base64.b64encode(b"no gzip").decode()])
def test_what_is_no_delivery_is_an_error(data: str) -> None:
    with pytest.raises((binascii.Error, zlib.error, ValueError)):
        read_delivery(data)
