"""The state machine `audit_signing` with its real functions: whatever lies in the spool, the heads are signed."""

from typing import Any

import pytest

from infra.scenario import definition
from lambdas.domain.mailark_error import MailarkError
from tests.actions.house import House, start_execution
from tests.actions.trail import VAULT, Trail, event
from tests.crash.functions import FunctionFailed
from tests.crash.machine import Ended, Interpreter
from tests.infra.asl import Machine, State
from tests.servers.aws import refused

STARTED_AT = "2026-11-22T02:05:00.000Z"


@pytest.fixture
def trail(house: House) -> Trail:
    found = Trail(house)
    found.append(VAULT, "a")
    return found


def _run(house: House, name: str) -> Ended:
    def invoke(state: State, payload: Any) -> Any:
        try:
            return house.run(state.action, payload)
        except MailarkError as error:
            raise FunctionFailed(type(error).__name__, str(error)) from None

    arn = start_execution("audit_signing", name)
    machine = Machine.read(definition("audit_signing"))
    execution = {"Id": arn, "StartTime": STARTED_AT, "Input": {"reason": "a test"}}
    return Interpreter(machine, invoke, lambda _: None).run(execution)


def _documents(trail: Trail) -> list[str]:
    return [key for key in trail.objects() if key.startswith("heads/")]


def test_one_bad_object_in_the_spool_keeps_no_hour_from_being_signed_and_each_ends_red(trail: Trail) -> None:
    trail.put_object("spool/bad.json", b"{}")
    trail.archive.spool(VAULT, event("b"))
    for hour in (1, 2):
        ended = _run(trail.house, f"hour-{hour}")
        assert (ended.status, ended.error) == ("FAILED", "AuditTrailBroken")
        assert "spool/bad.json: it is no event that Mailark spooled" in ended.cause
        assert ended.path[2:] == ["ChainSpooledEvents", "SignAuditHeadsAfterFailure", "FailOperation", "Failed"]
        assert len(_documents(trail)) == hour
    assert "b" in [each.event.event for each in trail.links()]


def test_when_signing_fails_too_that_is_what_is_told(trail: Trail) -> None:
    trail.put_object("spool/bad.json", b"{}")
    with refused("Sign", "DisabledException"):
        ended = _run(trail.house, "hour-1")
    assert (ended.status, ended.error) == ("FAILED", "KeyUnusable")
    assert _documents(trail) == []


def test_with_a_clean_spool_the_hour_ends_well(trail: Trail) -> None:
    ended = _run(trail.house, "hour-1")
    assert ended.status == "SUCCEEDED"
    assert "SignAuditHeadsAfterFailure" not in ended.path
