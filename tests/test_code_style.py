"""The code is formatted, linted and typed; a test, so that it runs beside the others."""

import subprocess

from lab.aws import ROOT


def test_ruff_and_mypy_have_nothing_to_say() -> None:
    done = subprocess.run(["make", "lint"], cwd=ROOT, capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
