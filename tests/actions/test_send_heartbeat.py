"""`send_heartbeat`: the monitor of the estate is called, once a run, and its URL stays in the estate."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from lambdas.domain.errors import HeartbeatNotSent
from lambdas.domain.estate import Heartbeat, parse_estate
from tests.actions.house import House
from tests.servers.monitor import SECRET_PATH, Monitor


@pytest.fixture
def monitor(house: House, tmp_path: Path) -> Iterator[Monitor]:
    with Monitor.open(tmp_path) as monitor:
        estate = parse_estate(house.estate_text(house.vault))
        watched = msgspec.structs.replace(estate, heartbeat=Heartbeat(monitor.url, monitor.ca))
        plain = {name: value for name, value in msgspec.to_builtins(watched).items() if value is not None}
        text = msgspec.json.encode(_without_blanks(plain)).decode()
        house.put_estate(text=text)
        house.secrets |= {monitor.url, SECRET_PATH}
        yield monitor


def _without_blanks(value: object) -> object:
    if not isinstance(value, dict):
        return value
    return {name: _without_blanks(each) for name, each in value.items() if each not in (None, "")}


def _send(house: House) -> object:
    return house.run("send_heartbeat", {"operation": house.operation("vault_backup")})


def test_a_good_night_is_told_to_the_monitor_each_time(house: House, monitor: Monitor) -> None:
    assert [_send(house) for _ in range(2)] == [{"heartbeat": "sent"}] * 2
    assert monitor.heard == [SECRET_PATH] * 2


def test_an_estate_without_a_monitor_has_nobody_to_tell(house: House) -> None:
    assert _send(house) == {"heartbeat": "not configured"}


def test_a_monitor_that_refuses_is_an_error_that_does_not_show_its_url(house: House, monitor: Monitor) -> None:
    monitor.answers = [404]
    with pytest.raises(HeartbeatNotSent, match="heartbeat-not-sent: The backup is good, but"):
        _send(house)
    assert monitor.heard == [SECRET_PATH]
