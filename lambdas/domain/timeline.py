"""How long an operation took, step by step, beside what the plan expects and what was promised."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from lambdas.domain.objectives import Expected, Objective, Plan


@dataclass(frozen=True)
class Passage:
    """A state that an execution entered or left, from its history."""

    state: str
    at: datetime
    entered: bool


@dataclass(frozen=True)
class Step:
    """One state: when it was entered, and how many seconds it took (None: not left yet)."""

    state: str
    started_at: datetime
    seconds: float | None
    expected: Expected | None


@dataclass(frozen=True)
class Reached:
    """A promise and what came of it, in seconds."""

    objective: int
    measured: float

    @property
    def met(self) -> bool:
        return self.measured <= self.objective


def steps_of(passages: Iterable[Passage], plan: Plan) -> list[Step]:
    """Turn the passages of an execution, in order, into its steps."""
    steps: list[Step] = []
    for passage in passages:
        if passage.entered:
            steps.append(Step(passage.state, passage.at, None, plan.steps.get(passage.state)))
            continue
        for i in range(len(steps) - 1, -1, -1):
            step = steps[i]
            if step.state == passage.state and step.seconds is None:
                took = round((passage.at - step.started_at).total_seconds(), 3)
                steps[i] = Step(step.state, step.started_at, took, step.expected)
                break
    return steps


def recovery_time(objective: Objective, started: datetime, ended: datetime) -> Reached:
    """RTO: from the start of the execution to its proof."""
    return Reached(objective.rto, round((ended - started).total_seconds(), 3))


def recovery_point(objective: Objective, started: datetime, backup_taken: datetime) -> Reached:
    """RPO: how old the restored data was when the recovery was started."""
    return Reached(objective.rpo, round((started - backup_taken).total_seconds(), 3))


def in_words(seconds: float) -> str:
    """A duration for people: `0.4 s`, `42 s`, `12 min 5 s`, `26 h 3 min`."""
    if round(seconds, 1) < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min" + (f" {whole % 60} s" if whole % 60 else "")
    return f"{whole // 3600} h" + (f" {whole % 3600 // 60} min" if whole % 3600 >= 60 else "")


def expected_in_words(expected: Expected | None) -> str:
    """The plan's time for people: `5 min`, `15 min to 30 min`, or a dash where it names none."""
    if expected is None:
        return "–"
    if expected.least == expected.most:
        return in_words(expected.most)
    return f"{in_words(expected.least)} to {in_words(expected.most)}"
