"""The timeline of an operation, as a table in the terminal."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
from rich.table import Table

from lambdas.domain.timeline import Reached, Step, expected_in_words, in_words

_BAR_WIDTH, _BAR_WIDTH_BESIDE_PLAN = 28, 18
"""Columns; all of a table fits into a terminal of 80."""
_DEED_SECONDS = 0.01
"""What takes less is a choice between states, and no deed."""


def timeline(title: str, outcome: Mapping[str, Any]) -> Table:
    """The steps of an operation (the output of its execution), their times, and what the plan expects."""
    steps = msgspec.convert(outcome["steps"], list[Step])
    total = float(outcome["seconds"])
    began = steps[0].started_at if steps else None
    table = Table(title=title, title_justify="left", title_style="bold", show_footer=True)
    table.add_column("Step", footer="All of it")
    table.add_column("Took", justify="right", footer=in_words(total))
    planned = any(step.expected for step in steps)
    width = _BAR_WIDTH_BESIDE_PLAN if planned else _BAR_WIDTH
    if planned:
        table.add_column("Plan", justify="right", footer="")
    table.add_column("When", footer="")
    for step in steps:
        if step.seconds is None or began is None or step.seconds < _DEED_SECONDS:
            continue
        plan = [expected_in_words(step.expected)] if planned else []
        table.add_row(step.state, in_words(step.seconds), *plan, _bar(began, step, total, width))
    return table


def promises(outcome: Mapping[str, Any]) -> Table:
    """RTO and RPO reached, beside what was promised."""
    table = Table(show_header=True)
    for column, justify in (("Promise", "left"), ("Objective", "right"), ("Reached", "right"), ("Verdict", "left")):
        table.add_column(column, justify=justify)  # type: ignore[arg-type]  # rich's own literals
    for name, key in (("RTO: time until recovered", "rto"), ("RPO: age of the data", "rpo")):
        reached = msgspec.convert(outcome[key], Reached)
        verdict = "[green]met[/green]" if reached.met else "[red]missed[/red]"
        table.add_row(name, in_words(reached.objective), in_words(reached.measured), verdict)
    return table


def _bar(began: datetime, step: Step, total: float, width: int) -> str:
    assert step.seconds is not None
    before = round((step.started_at - began).total_seconds() / total * width)
    length = max(1, round(step.seconds / total * width))
    return " " * before + "█" * min(length, width - min(before, width - 1))
