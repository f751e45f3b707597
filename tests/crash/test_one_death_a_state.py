"""A function dies in each state in turn, and the same input is started again each time: in the end all is well."""

import time

import pytest

from infra.scenario import scenario_names
from tests.crash.deaths import Deaths, WorldMaker
from tests.crash.stories import story_of
from tests.crash.story import Contents


@pytest.mark.parametrize("scenario", scenario_names())
def test_an_execution_that_dies_in_every_state_in_turn_ends_well_at_last(
    scenario: str, new_world: WorldMaker, deaths: Deaths, backed_up: Contents, measured: list[str]
) -> None:
    one_a_state, began = deaths.one_a_state(scenario), time.monotonic()
    kills = [kill for death in one_a_state for kill in death]
    story = story_of(scenario)
    with new_world() as world:
        story.prepare(world, backed_up)
        for death in one_a_state:
            execution = story.start(world, backed_up, *death)
            assert execution.ended.error == "Runtime.ExitError", f"it was to die {death[-1]}: {execution.ended}"
        story.start(world, backed_up)
        world.assert_sound()
        story.holds(world, backed_up)
        assert world.functions.died == kills
    seconds = time.monotonic() - began
    measured.append(f"{scenario}: died once in each of {len(kills)} states, and ended well ({seconds:.0f} s)")
