"""The simulation of retention, for longer than `make test` has time for."""

import pytest

from tests.domain.retention_world import World


@pytest.mark.crash
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("jumps", [False, True], ids=["a clock that goes", "a clock that jumps"])
@pytest.mark.parametrize("fail", [0.0, 0.1, 0.5, 0.95])
def test_in_ninety_years_of_failures_no_rule_of_retention_is_ever_broken(fail: float, jumps: bool) -> None:
    for seed in range(30):
        World(seed, fail, jumps).live()
