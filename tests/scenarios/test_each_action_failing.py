"""Each action of each scenario, made to fail: the execution ends red, it is said, and the world is as it was."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from infra.scenario import definition
from lab.tenants import Tenant
from lambdas.domain.backup import reaches
from lambdas.domain.scenarios import SCENARIOS
from tests.scenarios.house import House, failure

AFTER_A_FAILURE = ("FailOperation", "Failed")


def _action(state: str) -> str:
    """`VerifyBackup` is done by `verify_backup`."""
    return "".join("_" + letter.lower() if letter.isupper() else letter for letter in state).removeprefix("_")


def _tasks(scenario: str) -> list[str]:
    states: dict[str, dict[str, object]] = definition(scenario)["States"]  # type: ignore[assignment]
    return [name for name, state in states.items() if state["Type"] == "Task" and name != "FailOperation"]


CASES = [(scenario, state) for scenario in sorted(SCENARIOS) for state in _tasks(scenario)]


@contextmanager
def _broken(house: House, action: str) -> Iterator[None]:
    """A deployment went wrong: the function of an action cannot start."""
    functions = house.lab.client("lambda")
    name = f"mailark-{action.replace('_', '-')}"
    functions.update_function_configuration(FunctionName=name, Handler="lambdas.actions.not_there.handler")
    try:
        yield
    finally:
        functions.update_function_configuration(FunctionName=name, Handler=f"lambdas.actions.{action}.handler")


@pytest.mark.parametrize(("scenario", "state"), CASES)
def test_a_broken_action_ends_red_and_harms_nothing(
    house: House, tenants: list[Tenant], backup_id: str, scenario: str, state: str
) -> None:
    before = house.fingerprint()
    good = {row.id: row.proof for row in house.catalog().values() if row.proof != "stored"}

    with _broken(house, _action(state)):
        finished = house.run(scenario, {"reason": f"{state} is broken"})
    found = failure(finished)

    assert found.code == "step-failed"
    assert found.sentence.startswith(f"The step {state} could not be run (")
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
    with _broken(house, "fail_operation"), _broken(house, "check_vault"):
        finished = house.run(scenario, {"reason": "two things are broken"})

    assert finished.status == "FAILED"
    alert = house.alert_of(finished.arn)
    assert alert.subject == f"[example] {scenario} failed: step-failed"
    assert house.operation(finished.arn)["status"] == "failed"
    assert house.lease_is_free(SCENARIOS[scenario].target)
