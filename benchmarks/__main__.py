"""`make bench`: measure, keep the figures in `benchmarks/results/latest.json`, and put their table into the README."""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.audit import verification, writes
from benchmarks.cost import DATABASE_MEGABYTES, cost
from benchmarks.database import database
from benchmarks.encryption import encryption
from benchmarks.figures import Figure, keep, table, with_table
from benchmarks.imports import imports
from benchmarks.vault import vault
from lab.aws import ROOT
from lab.lab import Lab, Progress
from lab.processes import LabError

_README = ROOT / "README.md"
_IN_LAB: dict[str, Callable[[Lab, Progress], list[Figure]]] = {
    "cost": cost,
    "vault": vault,
    "encryption": encryption,
    "audit-writes": writes,
}
_ALONE: dict[str, Callable[[Path, Progress], list[Figure]]] = {
    "imports": lambda _, progress: imports(progress),
    "audit-verification": verification,
    "database": database,
}


def main(arguments: list[str] | None = None) -> int:
    """The command; returns its exit code: 0 measured (a missed goal is in the table), 1 something could not be."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=[*_ALONE, *_IN_LAB], help="measure this part again, keep the rest")
    only = parser.parse_args(arguments).only or [*_ALONE, *_IN_LAB]
    began = time.monotonic()

    def progress(text: str) -> None:
        print(f"{time.monotonic() - began:6.0f} s  {text}", flush=True)

    def measured(figures: list[Figure]) -> list[Figure]:
        _README.write_text(with_table(_README.read_text(), keep(figures)))
        return figures

    figures: list[Figure] = []
    try:
        with tempfile.TemporaryDirectory(prefix="mailark-bench-") as folder:
            for name, measure in _ALONE.items():
                if name in only:
                    figures += measured(measure(Path(folder), progress))
        if any(name in only for name in _IN_LAB):
            with Lab.started(progress, DATABASE_MEGABYTES) as lab:
                for name, measure_in in _IN_LAB.items():
                    if name in only:
                        figures += measured(measure_in(lab, progress))
    except LabError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"\n{table(figures)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
