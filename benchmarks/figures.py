"""What is measured: figures, the file that keeps them, and the table that people read."""

import os
import platform
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import msgspec
from msgspec import Struct

RESULTS = Path(__file__).parent / "results" / "latest.json"
_BEGIN, _END = "<!-- benchmarks: written by `make bench` -->", "<!-- /benchmarks -->"


class Figure(Struct, frozen=True, forbid_unknown_fields=True):
    """One measured number: `value` in `unit`, measured `against` something; a `goal` is the most that it may be."""

    name: str
    value: float
    unit: str
    against: str
    goal: float | None = None
    met: bool | None = None
    machine: str = ""
    date: str = ""


def figure(name: str, value: float, unit: str, against: str, goal: float | None = None) -> Figure:
    """A figure of this machine and moment, in three significant digits."""
    rounded = float(f"{value:.3g}")
    met = None if goal is None else rounded <= goal
    return Figure(name, rounded, unit, against, goal, met, _machine(), f"{datetime.now(UTC):%Y-%m-%d}")


def ratio(name: str, ours: Sequence[float], theirs: Sequence[float], against: str, goal: float | None = None) -> Figure:
    """How many times as long ours took as theirs, by the medians of their seconds."""
    mine, other = median(ours), median(theirs)
    return figure(name, mine / other, "×", f"{against}: {_seconds(mine)} against {_seconds(other)}", goal)


def _seconds(value: float) -> str:
    return f"{value:.2f} s" if value >= 1 else f"{value * 1000:.0f} ms"


def _machine() -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    kind = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
    return f"{os.cpu_count()} cores, {memory:.0f} GiB, {kind}"


def keep(figures: Iterable[Figure]) -> list[Figure]:
    """Write figures over those of the same names; all that are kept."""
    kept = {each.name: each for each in read()} | {each.name: each for each in figures}
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_bytes(msgspec.json.format(msgspec.json.encode(list(kept.values())), indent=2) + b"\n")
    return list(kept.values())


def read() -> list[Figure]:
    """The figures of the last run."""
    return msgspec.json.decode(RESULTS.read_bytes(), type=list[Figure]) if RESULTS.exists() else []


def table(figures: Sequence[Figure]) -> str:
    """The figures as the README shows them."""
    rows = ["| What | Measured | Goal | Against |", "| --- | ---: | ---: | --- |"]
    for each in figures:
        goal = "" if each.goal is None else f"{'✓' if each.met else '**missed**'} {_number(each.goal)} {each.unit}"
        rows.append(f"| {each.name} | {_number(each.value)} {each.unit} | {goal} | {each.against} |")
    machines = sorted({f"{each.date}, {each.machine}" for each in figures})
    return "\n".join([*rows, "", f"Measured on {'; '.join(machines)}."])


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:g}"


def with_table(document: str, figures: Sequence[Figure]) -> str:
    """A document with the table between its two marks."""
    marked = re.compile(f"{re.escape(_BEGIN)}.*{re.escape(_END)}", re.DOTALL)
    return marked.sub(lambda _: f"{_BEGIN}\n{table(figures)}\n{_END}", document)
