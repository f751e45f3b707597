"""A fifth of all requests to AWS is throttled, cut or slow: every run ends well, at once or when started again."""

import time
from pathlib import Path

import pytest

from infra.scenario import scenario_names
from lambdas.domain.errors import all_errors
from tests.crash.deaths import WorldMaker
from tests.crash.faults import faulty
from tests.crash.stories import story_of
from tests.crash.story import Contents

SEED = 20261122
_TRANSIENT = {error.__name__ for error in all_errors() if error.transient}
_STARTS = 4


@pytest.mark.parametrize("scenario", scenario_names())
def test_a_run_among_faults_ends_well(
    scenario: str, new_world: WorldMaker, backed_up: Contents, endpoint: str, tmp_path: Path, measured: list[str]
) -> None:
    measured.append(_among_faults(scenario, 1, new_world, backed_up, endpoint, tmp_path))


@pytest.mark.crash
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("scenario", scenario_names())
def test_many_runs_among_faults_end_well(
    scenario: str, new_world: WorldMaker, backed_up: Contents, endpoint: str, tmp_path: Path, measured: list[str]
) -> None:
    measured.append(_among_faults(scenario, 10, new_world, backed_up, endpoint, tmp_path))


def _among_faults(
    scenario: str, runs: int, new_world: WorldMaker, backed_up: Contents, endpoint: str, folder: Path
) -> str:
    """Run a scenario so many times; what was met, in words."""
    story, began, red = story_of(scenario), time.monotonic(), []
    with new_world() as world, faulty(endpoint, folder, SEED) as faults:
        for run in range(runs):
            world.functions.endpoint = endpoint
            story.prepare(world, backed_up)
            for _ in range(_STARTS):
                world.functions.endpoint = endpoint
                story.again(world, backed_up)
                world.functions.endpoint = faults.endpoint
                ended = world.start(scenario, story.input(world, run)).ended
                if ended.status == "SUCCEEDED":
                    break
                assert ended.error in _TRANSIENT, ended
                red.append(ended.error)
            world.assert_sound()
            story.holds(world, backed_up)
        assert "duplicate_of" not in ended.output, "a run that had not ended well was taken for one that had"
        faulted, total = faults.met()
    assert total < 200 or faulted > total / 8, "the proxy has hardly thrown its dice"
    again = f", {len(red)} started again after {', '.join(sorted(set(red)))}" if red else ""
    met = f"{faulted} of {total} requests to AWS met one{again}"
    return f"{scenario}, {runs} among faults (seed {SEED}): {met} ({time.monotonic() - began:.0f} s)"
