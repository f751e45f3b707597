"""Each action of each scenario, made to fail: the execution ends red, it is said, and the world is as it was."""

from datetime import UTC, datetime
from typing import Any

import pytest

from infra.scenario import definition
from lab.tenants import Tenant
from lambdas.domain.backup import reaches
from lambdas.domain.scenarios import SCENARIOS
from tests.scenarios.house import House, broken, failure
from tests.scenarios.leaks import Leak

AFTER_A_FAILURE = ("FailOperation", "Failed")
LEGS = {
    "vault_backup": {"send_heartbeat"},
    "database_backup": {"send_heartbeat"},
    "database_corruption": {"dump_database", "write_database_manifest", "lock_backup"},
    "credential_compromise": {"tell_tenant"},
}
"""What may fail without failing the operation: a heartbeat (`test_dead_man.py` lets it), the dump of a damaged
database, which is kept itself, and a notice (`test_credential_compromise.py` lets it)."""
ELSEWHERE = {
    # Only where it finds something to do: `tests/crash` brings that about, and lets it die there.
    "staging_emptying": {"verify_backup", "restore_vault_snapshot", "verify_vault"},
    # After the swap the world is not as it was, as it should be; `tests/crash` lets these die.
    "database_corruption": {"start_services", "verify_services"},
    # And without a swap it comes to none of these; `test_database_corruption.py` breaks the undoing of one.
    "database_swap_undo": {
        *("stop_services", "undo_database_swap", "start_services", "verify_services", "complete_operation")
    },
    # Proved where a stopped recovery has left something: `test_stopped.py`.
    "services_start": {"start_services", "verify_services"},
    # Once the password is replaced the world is not as it was: `test_credential_compromise.py` breaks these.
    "credential_compromise": {
        *("revoke_app_tokens", "prove_credential", "finish_rotation", "review_traces", "alert_security"),
        "complete_operation",
    },
    # A person has to approve before: `test_data_deletion.py` breaks it.
    "data_deletion": {"import_rows"},
}
SCOPE = [{"table": "organizations"}]


@pytest.fixture
def of_scenario(request: pytest.FixtureRequest, scenario: str) -> Leak | None:
    """The tenant that a scenario is about; there is no other one in Vault where it is about none."""
    leaked: Leak | None = request.getfixturevalue("leaked") if SCENARIOS[scenario].of_tenant else None
    return leaked


def _input(scenario: str, action: str, reason: str, leaked: Leak | None) -> dict[str, object]:
    """What starts a scenario so that it comes to an action."""
    return leaked.given if leaked else {"reason": reason, **_more(scenario, action)}


def _target(scenario: str, leaked: Leak | None) -> str:
    return leaked.target if leaked else SCENARIOS[scenario].target


def _more(scenario: str, action: str) -> dict[str, object]:
    if scenario == "database_corruption":
        return {"even_if_sound": True}
    if scenario != "data_deletion":
        return {}
    now: dict[str, object] = {"deleted_at": datetime.now(UTC).isoformat()}
    if action == "plan_row_recovery":
        return now | {"scope": SCOPE}
    return now | {"scope": SCOPE, "mode": "export"} if action == "export_rows" else now


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
            apart = LEGS.get(scenario, set()) | ELSEWHERE.get(scenario, set())
            if action in apart or state.endswith("AfterFailure"):
                continue
            again = action in seen and action not in ("begin_operation", "complete_operation")
            cases.append(pytest.param(scenario, action, state, marks=[pytest.mark.crash] if again else []))
            seen.add(action)
    return cases


@pytest.mark.parametrize(("scenario", "action", "state"), _cases(), ids=lambda part: part)
def test_a_broken_action_ends_red_and_harms_nothing(
    house: House,
    tenants: list[Tenant],
    backup_id: str,
    dump_id: str,
    of_scenario: Leak | None,
    scenario: str,
    action: str,
    state: str,
) -> None:
    before, rows = house.fingerprint(), house.database_fingerprint()
    good = {row.id: row.proof for row in house.catalog().values() if row.proof != "stored"}

    with broken(house, action):
        finished = house.run(scenario, _input(scenario, action, f"{state} is broken", of_scenario))
    found = failure(finished)

    assert found.code == "step-failed"
    assert found.sentence.startswith(f"The step {state}")
    assert " could not be run (" in found.sentence
    assert house.states_entered(finished.arn)[-2:] == list(AFTER_A_FAILURE)
    assert f"in the step {state}" in house.alert_of(finished.arn).body
    assert house.operation(finished.arn)["status"] == "failed"
    assert house.audit_events(finished.arn)[-1] == SCENARIOS[scenario].failed
    assert house.lease_is_free(_target(scenario, of_scenario))
    assert house.open_uploads() == []
    now = house.catalog()
    assert all(backup in now and reaches(now[backup].proof, level) for backup, level in good.items())
    assert house.fingerprint() == before
    assert house.lab.platform().wrong(tenants) == []
    assert house.database_fingerprint() == rows
    assert set(house.services().values()) == {"running"}
    assert {backup_id, dump_id} <= set(good)


@pytest.mark.parametrize("scenario", sorted(SCENARIOS))
def test_when_even_recording_the_failure_fails_the_alert_closes_the_operation(
    house: House, backup_id: str, dump_id: str, of_scenario: Leak | None, scenario: str
) -> None:
    assert backup_id
    assert dump_id
    second = next(action for action in reversed(_tasks(scenario)) if action != "begin_operation")
    with broken(house, "fail_operation"), broken(house, second):
        finished = house.run(scenario, _input(scenario, second, "two things are broken", of_scenario))

    assert finished.status == "FAILED"
    alert = house.alert_of(finished.arn)
    assert alert.subject == f"[example] {scenario} failed: step-failed"
    assert house.operation(finished.arn)["status"] == "failed"
    assert house.lease_is_free(_target(scenario, of_scenario))
