"""The names of an operation: its execution, its state machine, and the page where it is watched."""

import pytest

from lambdas.domain.operation import console_link, execution_name, machine_name, scenario_of
from lambdas.domain.scenarios import SCENARIOS

EXECUTION = "arn:aws:states:eu-central-1:111122223333:execution:mailark-vault-restore:restore-2026-11-22"


def test_a_state_machine_is_named_after_its_scenario() -> None:
    assert machine_name("vault_restore") == "mailark-vault-restore"


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_scenario_of_an_execution_is_known_from_its_arn(scenario: str) -> None:
    arn = f"arn:aws:states:eu-central-1:111122223333:execution:{machine_name(scenario)}:op-1"
    assert scenario_of(arn) == scenario


def test_an_operation_is_named_after_its_execution() -> None:
    assert execution_name(EXECUTION) == "restore-2026-11-22"


def test_an_execution_is_watched_in_the_console_of_its_region() -> None:
    assert console_link(EXECUTION) == (
        "https://eu-central-1.console.aws.amazon.com/states/home?region=eu-central-1"
        f"#/v2/executions/details/{EXECUTION}"
    )


def test_what_is_not_an_execution_is_shown_as_it_is() -> None:
    assert console_link("op-1") == "op-1"
