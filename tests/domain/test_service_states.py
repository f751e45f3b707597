"""States of services in words: when all of a service is up, and when nothing of it is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.domain.service_states import (
    FAILED,
    RUNNING,
    STARTING,
    STOPPED,
    STOPPING,
    UNKNOWN,
    is_down,
    is_up,
    together,
)

STATES = [RUNNING, STOPPED, FAILED, STARTING, STOPPING, UNKNOWN]


def test_a_service_names_each_state_of_its_parts_once() -> None:
    assert together([RUNNING, FAILED, RUNNING]) == "failed, running"


def test_a_service_without_any_part_is_stopped() -> None:
    assert together([]) == STOPPED


@given(st.lists(st.sampled_from(STATES), min_size=1))
def test_a_service_is_up_when_all_of_it_runs_and_down_when_nothing_does_or_will(states: list[str]) -> None:
    assert is_up(together(states)) == all(state == RUNNING for state in states)
    assert is_down(together(states)) == all(state in (STOPPED, FAILED) for state in states)


@pytest.mark.parametrize("state", [STARTING, STOPPING, UNKNOWN])
def test_what_is_between_the_two_is_neither(state: str) -> None:
    assert not is_up(state)
    assert not is_down(state)
