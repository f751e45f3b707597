"""What is particular to a scenario: what is there before it starts, what it is given, and what it must have done."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from lambdas.domain.scenario_inputs import ScheduledInput
from lambdas.domain.scenarios import SCENARIOS
from tests.crash.calls import Kill
from tests.crash.world import Execution, World

Contents = Mapping[str, tuple[int, Any]]


def _nothing(world: World, backed_up: Contents) -> None:
    pass


def _no_more(world: World) -> dict[str, object]:
    return {}


@dataclass(frozen=True)
class Story:
    """`prepare` runs before the first execution, `holds` asserts what is true after the one that ended well.

    `again` runs before every execution, and brings back what there is to do where the one that died had done it all.
    All are given what Vault held when its backup was made. `given` is what its input has beside a reason; to the states
    in `apart` only another input comes.
    """

    scenario: str
    prepare: Callable[[World, Contents], None] = _nothing
    holds: Callable[[World, Contents], None] = _nothing
    again: Callable[[World, Contents], None] = _nothing
    given: Callable[[World], dict[str, object]] = _no_more
    apart: frozenset[str] = frozenset()

    def input(self, world: World, run: int = 0) -> dict[str, object]:
        """What a person or a schedule starts a run with: the same each time that this run is started again."""
        if issubclass(SCENARIOS[self.scenario].input, ScheduledInput):
            return {"scheduled_for": (world.first_at + timedelta(minutes=run)).isoformat()}
        reason = {} if SCENARIOS[self.scenario].of_tenant else {"reason": "a test"}
        return {**reason, **self.given(world)}

    def start(self, world: World, backed_up: Contents, *kills: Kill) -> Execution:
        """Run the first run once more, from what the execution before has left."""
        self.again(world, backed_up)
        return world.start(self.scenario, self.input(world), *kills)
