"""Each action of each scenario, made to fail: the execution ends red, it is said, and the world is as it was."""

from typing import Any

import pytest

from infra.scenario import definition
from lab.tenants import Tenant
from lambdas.domain.backup import reaches
from lambdas.domain.scenarios import SCENARIOS
from tests.scenarios.house import House, broken, failure

AFTER_A_FAILURE = ("FailOperation", "Failed")
LEGS = {"send_heartbeat"}
"""What may fail without failing the operation: `test_dead_man.py` lets it."""
ONLY_AFTER_A_STOP = {"staging_emptying": {"verify_backup", "restore_vault_snapshot", "verify_vault"}}
"""What a scenario does only where it finds something to do: `tests/crash` brings that about, and lets it die there."""


def _tasks(scenario: str) -> dict[str, str]:
    """The actions of a scenario, each with the first state that runs it."""
    asl: dict[str, Any] = definition(scenario)
    states: dict[str, Any] = asl["States"]
    tasks = {name: state for name, state in states.items() if state["Type"] == "Task" and name != "FailOperation"}
    functions = {name: state["Arguments"].get("FunctionName") for name, state in reversed(tasks.items())}
    return {function.strip("${}"): name for name, function in functions.items() if function}


def _cases() -> list[Any]:
    """Every action of every scenario; where one fails that has failed in another scenario, `make test-crash` looks."""
    seen: set[str] = set()
    cases = []
    for scenario in sorted(SCENARIOS):
        for action, state in _tasks(scenario).items():
            if action in LEGS | ONLY_AFTER_A_STOP.get(scenario, set()):
                continue
            again = action in seen and action not in ("begin_operation", "complete_operation")
            cases.append(pytest.param(scenario, action, state, marks=[pytest.mark.crash] if again else []))
            seen.add(action)
    return cases


@pytest.mark.parametrize(("scenario", "action", "state"), _cases(), ids=lambda part: part)
def test_a_broken_action_ends_red_and_harms_nothing(
    house: House, tenants: list[Tenant], backup_id: str, scenario: str, action: str, state: str
) -> None:
    before = house.fingerprint()
    good = {row.id: row.proof for row in house.catalog().values() if row.proof != "stored"}

    with broken(house, action):
        finished = house.run(scenario, {"reason": f"{state} is broken"})
    found = failure(finished)

    assert found.code == "step-failed"
    assert found.sentence.startswith(f"The step {state}")
    assert " could not be run (" in found.sentence
    assert house.states_entered(finished.arn)[-2:] == list(AFTER_A_FAILURE)
    assert f"in the step {state}" in house.alert_of(finished.arn).body
    assert house.operation(finished.arn)["status"] == "failed"
    assert house.audit_events(finished.arn)[-1] == SCENARIOS[scenario].failed
    assert house.lease_is_free(SCENARIOS[scenario].target)
    assert house.open_uploads() == []
    now = house.catalog()
    assert all(backup in now and reaches(now[backup].proof, level) for backup, level in good.items())
    assert house.fingerprint() == before
    assert house.lab.platform().wrong(tenants) == []
    assert backup_id in good


@pytest.mark.parametrize("scenario", sorted(SCENARIOS))
def test_when_even_recording_the_failure_fails_the_alert_closes_the_operation(
    house: House, backup_id: str, scenario: str
) -> None:
    assert backup_id
    second = next(action for action in reversed(_tasks(scenario)) if action != "begin_operation")
    with broken(house, "fail_operation"), broken(house, second):
        finished = house.run(scenario, {"reason": "two things are broken"})

    assert finished.status == "FAILED"
    alert = house.alert_of(finished.arn)
    assert alert.subject == f"[example] {scenario} failed: step-failed"
    assert house.operation(finished.arn)["status"] == "failed"
    assert house.lease_is_free(SCENARIOS[scenario].target)
