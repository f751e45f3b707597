"""Every place where an execution can die, found by watching executions that do not."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from infra.scenario import definition
from tests.crash.calls import Call, Kill, Moment
from tests.crash.stories import story_of
from tests.crash.story import Contents
from tests.crash.world import REPORT, World
from tests.infra.asl import Machine

WorldMaker = Callable[[], AbstractContextManager[World]]
MOMENTS: tuple[Moment, Moment] = ("before", "after")
Death = tuple[Kill, ...]
"""Where functions of one execution die: one of them, or one and then one of those that clear up after it."""

AFTERWARDS = ("FailOperation", REPORT)
"""What runs whenever something has failed."""


@dataclass
class Deaths:
    """The deaths of each scenario, by watching it once for all."""

    new_world: WorldMaker
    backed_up: Contents
    _calls: dict[tuple[str, Death], list[Call]] = field(default_factory=dict)

    def of(self, scenario: str, state: str) -> list[Death]:
        """Every death in one state: before and after each of its calls, in this order.

        What runs after a failure dies after three of them: of the first function before it did anything, of one in the
        middle of the work, and of the last one when nearly all was done.
        """
        return [
            (*way, Kill(call, moment))
            for way in self._ways(scenario, state)
            for call in self._steady(scenario, state, way)
            for moment in MOMENTS
        ]

    def _ways(self, scenario: str, state: str) -> list[Death]:
        """What has to die first so that an execution comes to a state."""
        own = self._run(scenario)
        if state in {call.state for call in own}:
            return [()]
        if state in AFTERWARDS:
            return [(Kill(own[0], "before"),), (Kill(own[len(own) // 2], "after"),), (Kill(own[-1], "before"),)]
        tasks = Machine.read(definition(scenario)).tasks()
        leading = [task for task in tasks if state in (*task.next(), *(each["Next"] for each in task.catches()))]
        before = leading[-1].name  # the later it dies, the more there is to clear up
        first = [call for call in own if call.state == before][
            :1
        ]  # which every execution makes, however often it polls
        return [(Kill(first[0], "before"),)] if first else self._ways(scenario, before)

    def one_a_state(self, scenario: str) -> list[Death]:
        """One death in each state that an execution comes through, in its middle, before and after in turn.

        A leg whose death does not end the execution dies together with the state where it goes on then; of several that
        go on in one state, the first.
        """
        calls, legs = self._run(scenario), legs_of(scenario)
        states = list(dict.fromkeys(call.state for call in calls))

        def middle(state: str) -> Kill:
            own = [call for call in calls if call.state == state]
            return Kill(own[len(own) // 2], MOMENTS[states.index(state) % 2])

        found: list[Death] = []
        ends: set[str] = set()
        for state in states:
            death = [middle(state)]
            while death[-1].call.state in legs:
                death.append(middle(legs[death[-1].call.state]))
            if (end := death[-1].call.state) not in ends:
                ends.add(end)
                found.append(tuple(death))
        return [*self._while_clearing(scenario), *found]

    def _while_clearing(self, scenario: str) -> Iterator[Death]:
        """One death in each state that clears up after another one has failed."""
        for state in clearing_of(scenario):
            (way,) = self._ways(scenario, state)
            calls = [call for call in self._run(scenario, way) if call.state == state]
            # An execution before has set the locks already: only what each makes is certain to be made.
            own = [call for call in calls if call.number == 1 and "PutObjectRetention" not in call.name]
            yield *way, Kill(own[len(own) // 2], "before")

    def _steady(self, scenario: str, state: str, way: Death) -> list[Call]:
        """The calls of a state that two executions both make: not each of them polls as often."""
        first, second = (self._run(scenario, way, number) for number in (1, 2))
        return [call for call in first if call.state == state and call in set(second)]

    def _run(self, scenario: str, kills: Death = (), number: int = 1) -> list[Call]:
        """The calls of one execution, each once, in their order."""
        key = (f"{scenario} {number}", kills)
        if key not in self._calls:
            with self.new_world() as world:
                story = story_of(scenario)
                story.prepare(world, self.backed_up)
                execution = story.start(world, self.backed_up, *kills)
                assert execution.ended.status == ("FAILED" if kills else "SUCCEEDED"), execution.ended
                assert world.functions.died == list(kills)
                self._calls[key] = list(dict.fromkeys(world.take_calls()))
        return self._calls[key]


def legs_of(scenario: str) -> dict[str, str]:
    """The states whose failure is recorded, and does not fail the execution; and the state where it goes on then."""
    tasks = Machine.read(definition(scenario)).tasks()
    failing = {*clearing_of(scenario), "FailOperation", "Failed"}
    caught = ((task.name, catch["Next"]) for task in tasks for catch in task.catches())
    return {name: goes_on for name, goes_on in caught if goes_on not in failing}


def clearing_of(scenario: str) -> list[str]:
    """The states that clear up when another one has failed, before the operation ends."""
    return [state for state in states_of(scenario) if state.endswith("AfterFailure")]


def states_of(scenario: str) -> list[str]:
    """Every state of a scenario in which a function runs, and the report of its failures; those of its story."""
    invoking = (state.name for state in Machine.read(definition(scenario)).invoking())
    return [*(name for name in invoking if name not in story_of(scenario).apart), REPORT]
