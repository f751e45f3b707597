"""From a line in a log to a dead password: nobody starts anything here but the servers that write their logs."""

import contextlib
import time
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from lab.intruder import Intruder
from lambdas.adapters.suspicion_alarms import ALARM_PREFIX
from lambdas.domain.detection import MAILU_LOGS
from lambdas.domain.mail_login import Way
from lambdas.domain.operation import execution_name
from tests.domain.log_lines import logged_in
from tests.scenarios.house import House
from tests.scenarios.leaks import SCENARIO, Leak

_NETWORKS = [f"198.18.{number}.7" for number in range(7)]
"""Networks of nobody's (RFC 2544), more than the estate takes for one person's."""
_SECONDS = 120.0


def _wait(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + _SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"not within {_SECONDS:.0f} s: {what}"
        time.sleep(0.2)


def test_logins_from_many_networks_end_in_a_dead_password_and_nobody_has_started_anything(
    house: House, leaked: Leak
) -> None:
    tenant, mail = leaked.tenant, house.lab.mail
    with Intruder.at_work(mail, tenant.email, tenant.password) as intruder:
        began = time.monotonic()
        with house.starting(SCENARIO) as started:
            assert all(intruder.logs_in(address) for address in _NETWORKS)
        finished = house.follow(started[0])
        seconds = time.monotonic() - began
        assert finished.status == "SUCCEEDED", finished.cause
        assert intruder.still_works() == []
    assert seconds < 300
    house.measured.append(f"from a line in the log to the proof and all who were told: {seconds:.1f} s")

    operation = house.operation(finished.arn)
    assert (operation["target"], operation["user_id"]) == (leaked.target, "system")
    assert operation["reason"].startswith("login_networks: ")
    assert operation["incident_id"] == execution_name(finished.arn)
    alert = house.alert_of(finished.arn)
    assert "How it showed:  login_networks: " in alert.body
    assert sorted(mail["To"][0] for mail in leaked.mails())[0] == tenant.email


def test_failed_logins_which_anybody_can_cause_only_ask(house: House, leaked: Leak) -> None:
    """Wrong passwords of one user: Mailu stops them after fifty, and each counts, the stopped ones too."""
    tenant, mail = leaked.tenant, house.lab.mail
    intruder = Intruder(mail, tenant.email, "not the password")
    for number in range(101):
        assert not intruder.logs_in("198.51.100.23", Way.SSO, f"guess {number}")
    intruder.close()

    def asked() -> bool:
        return any(f"failed_logins: tenant {tenant.id}" in each.subject for each in house.every_alert())

    _wait(asked, "a question")
    assert leaked.password() == tenant.password
    assert house.lease_is_free(leaked.target)


@pytest.mark.parametrize("stream", ["..x/admin", "550E8400-E29B-41D4-A716-446655440000/admin", "server/admin"])
def test_lines_in_a_stream_of_no_tenant_start_nothing_and_are_told(house: House, stream: str) -> None:
    """The same lines would be a leak in a tenant's own stream."""
    logs, now = house.lab.client("logs"), datetime.now(UTC)
    lines = [logged_in("admin@nobody.example.org", address) for address in _NETWORKS]
    known = _suspected(house)
    with contextlib.suppress(logs.exceptions.ResourceAlreadyExistsException):
        logs.create_log_stream(logGroupName=MAILU_LOGS, logStreamName=stream)
    events = [{"timestamp": round(now.timestamp() * 1000), "message": line} for line in lines]
    logs.put_log_events(logGroupName=MAILU_LOGS, logStreamName=stream, logEvents=events)

    def told() -> bool:
        found = logs.filter_log_events(logGroupName="/aws/lambda/mailark-detect-compromise")["events"]
        return any("lines of no tenant" in each["message"] and stream in each["message"] for each in found)

    _wait(told, "the detector's log")
    assert _suspected(house) == known


def _suspected(house: House) -> set[str]:
    alarms = house.lab.client("cloudwatch").describe_alarms(AlarmNamePrefix=ALARM_PREFIX)["MetricAlarms"]
    return {each["AlarmName"] for each in alarms}
