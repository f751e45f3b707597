"""A server that is on its way, or away for a moment, is waited for before anything is concluded from its silence."""

import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from lab.postgres import PostgresServer
from lab.processes import free_port
from lambdas.adapters import database_wait
from lambdas.adapters.database_assessment import assess_database
from lambdas.adapters.database_wait import open_in_time
from lambdas.adapters.postgres import Login
from lambdas.domain.damage import Assessment
from lambdas.domain.database_errors import DatabaseCertificateRefused, DatabaseMissing, DatabaseUnreachable
from tests.servers.postgres import PostgresServers
from tests.servers.vault import until

STARTING = DatabaseUnreachable(host="db", port=5432, problem="FATAL: the database system is starting up")
FULL = DatabaseUnreachable(host="db", port=5432, problem="FATAL: sorry, too many clients already")
GONE = DatabaseUnreachable(host="recovery-db", port=5432, problem="Connection refused")


def _connection(assessment: Assessment) -> list[tuple[str, str]]:
    return [(each.status, each.problem) for each in assessment.findings if each.check == "connection"]


# --- a real server ----------------------------------------------------------------------------------------


@pytest.fixture
def replaying(tmp_path: Path) -> Iterator[PostgresServer]:
    """A server that replays its log and lets nobody in: a standby that nobody feeds."""
    servers = PostgresServers(tmp_path)
    server = servers.start("17", {"wal_level": "replica", "hot_standby": "off"})
    server.stop()
    (server.data / "standby.signal").touch()
    server.start()
    until(lambda: "entering standby mode" in server.log, "the server replays its log")
    yield server
    servers.stop()


def _login(server: PostgresServer) -> Login:
    return Login(server.host, server.port, "postgres", "postgres", server.superuser_password, server.authority.pem)


def test_a_server_that_is_restarted_is_waited_for_and_then_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    servers = PostgresServers(tmp_path)
    server = servers.start()
    server.stop()

    def meanwhile(seconds: float) -> None:
        if not server.running:
            server.start()
        time.sleep(seconds)

    monkeypatch.setattr(database_wait, "time", SimpleNamespace(monotonic=time.monotonic, sleep=meanwhile))
    assessment = assess_database(_login(server))
    servers.stop()
    assert assessment.verdict == "sound"
    ((status, said),) = _connection(assessment)
    assert status == "noted"
    assert said.startswith("waited ")


def test_a_server_that_lets_nobody_in_for_minutes_is_a_verdict_that_says_what_it_was(
    replaying: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_wait, "GONE_SECONDS", 2.0)
    assessment = assess_database(_login(replaying), seconds=12)
    assert assessment.verdict == "unreachable"
    (_, damaged), (status, said) = _connection(assessment)
    assert "the database system is" in damaged
    assert (status, said.partition(": ")[0]) in {("noted", f"waited {seconds} s while it said") for seconds in (5, 6)}
    assert "FATAL: the database system is" in said


def test_a_server_that_does_not_answer_is_a_verdict_that_comes_sooner(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_wait, "GONE_SECONDS", 2.0)
    port = free_port()
    assessment = assess_database(Login("localhost", port, "smtpy", "postgres", "unknown"))
    assert assessment.verdict == "unreachable"
    (status, said), (noted, _) = _connection(assessment)
    assert said.startswith(f"PostgreSQL at localhost:{port} does not answer (")
    assert (status, noted) == ("damaged", "noted")


# --- a clock that is ours ---------------------------------------------------------------------------------


class _Clock:
    """Time that passes while somebody sleeps, and by a second with each try."""

    def __init__(self, *answers: Exception | None) -> None:
        self.now, self.tries = 0.0, 0
        self._answers = answers

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def reach(self) -> None:
        answer = self._answers[min(self.tries, len(self._answers) - 1)]
        self.tries += 1
        if answer is not None:
            raise answer


def _opened(monkeypatch: pytest.MonkeyPatch, *answers: Exception | None) -> tuple[type[Exception] | None, float, str]:
    clock = _Clock(*answers)
    monkeypatch.setattr(database_wait, "time", clock)
    opening = open_in_time(clock.reach, database_wait.PASSING_SECONDS)
    return type(opening.error) if opening.error else None, opening.seconds, opening.said


def test_one_that_lets_in_at_once_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _opened(monkeypatch, None) == (None, 0, "")


@pytest.mark.parametrize("error", [STARTING, FULL])
def test_a_state_that_passes_is_given_minutes(error: DatabaseUnreachable, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _opened(monkeypatch, *[error] * 200, None) == (None, 200, error.facts["problem"])
    assert _opened(monkeypatch, error) == (DatabaseUnreachable, 240, error.facts["problem"])


def test_silence_is_given_half_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _opened(monkeypatch, *[GONE] * 29, None) == (None, 29, "Connection refused")
    assert _opened(monkeypatch, GONE) == (DatabaseUnreachable, 30, "Connection refused")


def test_one_that_dies_while_it_starts_is_given_half_a_minute_from_there(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _opened(monkeypatch, *[STARTING] * 100, GONE) == (DatabaseUnreachable, 129, "Connection refused")


def test_what_does_not_pass_is_told_when_it_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    missing = DatabaseMissing(host="db", database="smtpy")
    assert _opened(monkeypatch, STARTING, missing) == (DatabaseMissing, 1, STARTING.facts["problem"])
    with pytest.raises(DatabaseCertificateRefused):
        _opened(monkeypatch, DatabaseCertificateRefused(host="db", problem="self-signed certificate"))
