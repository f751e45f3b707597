"""The heartbeat, sent to a real server over TLS: what counts as heard, and that its URL is told to nobody else."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from lambdas.adapters.heartbeat import send
from lambdas.domain.errors import HeartbeatNotSent
from lambdas.domain.estate import Heartbeat
from tests.servers.monitor import SECRET_PATH, Monitor


@pytest.fixture
def monitor(tmp_path: Path) -> Iterator[Monitor]:
    with Monitor.open(tmp_path) as monitor:
        yield monitor


def _send(monitor: Monitor) -> None:
    send(Heartbeat(monitor.url, monitor.ca), pause=0)


@pytest.mark.parametrize("status", [200, 202, 204])
def test_a_monitor_is_called_once_when_it_takes_it(monitor: Monitor, status: int) -> None:
    monitor.answers = [status]
    _send(monitor)
    assert monitor.heard == [SECRET_PATH]


@pytest.mark.parametrize("status", [500, 503, 429, 408])
def test_what_may_pass_by_itself_is_tried_again(monitor: Monitor, status: int) -> None:
    monitor.answers = [status, status, 200]
    _send(monitor)
    assert len(monitor.heard) == 3


@pytest.mark.parametrize(("status", "calls"), [(503, 3), (404, 1), (403, 1), (301, 1), (302, 1)])
def test_a_monitor_that_does_not_take_it_is_an_error_and_no_redirect_is_followed(
    monitor: Monitor, status: int, calls: int
) -> None:
    monitor.answers = [status]
    with pytest.raises(HeartbeatNotSent, match=f"did not take it: it answered {status}"):
        _send(monitor)
    assert monitor.heard == [SECRET_PATH] * calls


def test_a_server_that_is_not_the_monitor_hears_nothing(monitor: Monitor, tmp_path: Path) -> None:
    with pytest.raises(HeartbeatNotSent, match="its certificate is not signed by a CA that is trusted"):
        send(Heartbeat(monitor.url), pause=0)
    assert monitor.heard == []


def test_a_monitor_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with Monitor.open(tmp_path) as gone:
        pass
    with pytest.raises(HeartbeatNotSent, match="no connection"):
        _send(gone)


def test_the_url_is_in_no_log_and_in_no_error(monitor: Monitor, caplog: pytest.LogCaptureFixture) -> None:
    monitor.answers = [503]
    caplog.set_level(logging.INFO)
    with pytest.raises(HeartbeatNotSent) as caught:
        _send(monitor)
    assert "untold" not in f"{caplog.text} {caught.value!r} {caught.value.__context__!r}"
