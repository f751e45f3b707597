"""The state machines as graphs, and the tests that are made of each of them."""

import pytest

from infra.scenario import child_names, definition, scenario_names
from tests.infra.asl import Machine, State

every_machine = pytest.mark.parametrize("scenario", [*scenario_names(), *child_names()])
every_scenario = pytest.mark.parametrize("scenario", scenario_names())
"""What starts by itself or by a person, and has an operation of its own; `test_children.py` holds the others."""

NOT_A_STEP = {
    *("report_failed_execution", "archive_audit_events", "decide_approval"),
    *("detect_compromise", "sweep_suspects", "copy_escrow"),
}
"""Started by EventBridge, since a stopped execution runs no state any more; by the stream of a table; by a person; and
by new lines of a log, and each minute."""


def machine_of(scenario: str) -> Machine:
    """The graph of a machine."""
    return Machine.read(definition(scenario))


def states_of(scenario: str) -> list[State]:
    """Every state of a machine, inner ones too."""
    return [state for machine in machine_of(scenario).all() for state in machine.states.values()]
