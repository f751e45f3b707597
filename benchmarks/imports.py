"""What each function loads before it can answer: the part of a cold start that is ours."""

import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from statistics import median

from benchmarks.figures import Figure, figure
from lab.aws import ROOT
from lab.lab import Progress

_ROUNDS = 5
_GOAL_MS = 400
"""The issue's: none over it, and then to aim at 200, which is less than `boto3` alone has taken so far."""
_SHOWN = 5
_BARE = "boto3"
_TIMED = """
import sys, time
began = time.perf_counter()
__import__(sys.argv[1])
print((time.perf_counter() - began) * 1000)
"""


def imports(progress: Progress) -> list[Figure]:
    """Import each handler in fresh processes, interleaved, with bytecode; and the slowest without."""
    actions = sorted(file.stem for file in (ROOT / "lambdas" / "actions").glob("[a-z]*.py"))
    modules = {_BARE: _BARE} | {action: f"lambdas.actions.{action}" for action in actions}
    took: dict[str, list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder:
        cache = {"PYTHONPYCACHEPREFIX": folder}
        for number in range(_ROUNDS + 1):
            progress(
                f"Imports of {len(actions)} handlers, " + (f"round {number} of {_ROUNDS}" if number else "warm up")
            )
            for name, module in modules.items():
                milliseconds = _import(module, cache)
                if number:  # the first round writes the bytecode
                    took[name].append(milliseconds)
        middle = {name: median(times) for name, times in took.items()}
        *_, slowest = sorted(actions, key=middle.__getitem__)
        parts = ", ".join(_costliest(modules[slowest], cache))
    figures = [
        figure(
            f"Import of the slowest handler, `{slowest}`",
            middle[slowest],
            "ms",
            f"`import {_BARE}` alone: {middle[_BARE]:.0f} ms; most of it: {parts}",
            _GOAL_MS,
        ),
        figure(
            "Import of a handler, the median of all",
            median(middle[action] for action in actions),
            "ms",
            f"`import {_BARE}` alone: {middle[_BARE]:.0f} ms",
            _GOAL_MS,
        ),
    ]
    with tempfile.TemporaryDirectory() as empty:
        without = {"PYTHONPYCACHEPREFIX": empty, "PYTHONDONTWRITEBYTECODE": "1"}
        compiled = median(_import(modules[slowest], without) for _ in range(_ROUNDS))
    sandbox = "a new sandbox has none when deployed with another Python than the functions'"
    against = f"{middle[slowest]:.0f} ms with it; {sandbox}"
    return [*figures, figure("The same without bytecode", compiled, "ms", against)]


def _import(module: str, settings: dict[str, str]) -> float:
    """Milliseconds of an import in a fresh process."""
    return float(_python(settings, "-c", _TIMED, module).stdout)


def _costliest(module: str, settings: dict[str, str]) -> Iterator[str]:
    """The packages that cost most, each by what it adds when it is imported after those before it."""
    lines = _python(settings, "-X", "importtime", "-c", f"import {module}").stderr.splitlines()
    own: dict[str, float] = defaultdict(float)
    for line in lines[1:]:
        microseconds, _, name = line.removeprefix("import time:").split("|")
        own[name.strip().partition(".")[0]] += float(microseconds) / 1000
    for name in sorted(own, key=own.__getitem__, reverse=True)[:_SHOWN]:
        yield f"{name} {own[name]:.0f}"


def _python(settings: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)} | settings
    command = [sys.executable, *arguments]
    return subprocess.run(command, env=environment, check=True, capture_output=True, text=True, timeout=120)
