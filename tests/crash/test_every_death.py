"""A function dies before and after each call that it makes; started again, the same input ends well, and all is kept.

These take most of two hours: `make test-crash`.
"""

import time
from collections.abc import Sequence

import pytest

from infra.scenario import scenario_names
from tests.crash.deaths import Death, Deaths, WorldMaker, states_of
from tests.crash.stories import story_of
from tests.crash.story import Contents

pytestmark = [pytest.mark.crash, pytest.mark.timeout(10_800)]


@pytest.mark.parametrize(
    ("scenario", "state"), [(scenario, state) for scenario in scenario_names() for state in states_of(scenario)]
)
def test_wherever_a_function_dies_starting_again_ends_well_and_nothing_is_lost(
    scenario: str, state: str, new_world: WorldMaker, deaths: Deaths, backed_up: Contents, measured: list[str]
) -> None:
    found, began = deaths.of(scenario, state), time.monotonic()
    assert found, f"{state} makes no call"
    wrong: list[str] = []
    for pair in zip(found[::2], found[1::2], strict=True):
        try:
            _die_and_start_again(scenario, pair, new_world, backed_up)
        except AssertionError as error:
            wrong.append(f"--- died {', and '.join(', then '.join(map(str, death)) for death in pair)}\n{error}")
    assert not wrong, f"{len(wrong)} of {len(found) // 2} calls:\n" + "\n".join(wrong)
    measured.append(f"{scenario}, {state}: {len(found)} deaths ({time.monotonic() - began:.0f} s)")


def _die_and_start_again(scenario: str, deaths: Sequence[Death], new_world: WorldMaker, backed_up: Contents) -> None:
    """Die before a call, start again and die after it, and start again.

    To die before a call leaves the world as to die after the one before it did: so both ends of each call are tried,
    and each state that a death leaves behind is gone on from undisturbed.
    """
    story, left = story_of(scenario), list(deaths)
    with new_world() as world:
        story.prepare(world, backed_up)
        while left:
            died, execution = list(world.functions.died), story.start(world, backed_up, *left[0])
            if "duplicate_of" in (execution.ended.output or ()):
                assert len(left) < len(deaths)
                break  # the execution before had done all of its work
            if world.functions.died != [*died, *left[0]]:
                # A poll that was not needed this time, or a lock that the execution before has set for as long.
                *first, last = left[0]
                assert last.call.number > 1, f"it did not come to where it was to die: {execution.ended}"
                assert world.functions.died == [*died, *first]
                assert execution.ended.status == ("FAILED" if first else "SUCCEEDED")
            left.pop(0)
        story.start(world, backed_up)
        world.assert_sound()
        story.holds(world, backed_up)
    if left:
        _die_and_start_again(scenario, left, new_world, backed_up)
