"""`lab/check-tools.sh` says what is missing on this machine, and how to get it."""

import subprocess
import sys
from pathlib import Path

import pytest

from lab.aws import ROOT

NODE_MISSING = (
    "Node.js is missing: the AWS CDK runs on it. Install version 22 or later: from nodejs.org, or apt-get install "
    "nodejs npm where your distribution has it\n"
)


def _check(tools: Path, python: str = sys.executable) -> tuple[int, str]:
    """Run it on a machine that has these tools and no others: its exit code, and what it said."""
    command = ["/bin/sh", str(ROOT / "lab" / "check-tools.sh"), python]
    done = subprocess.run(command, env={"PATH": str(tools)}, capture_output=True, text=True, timeout=20, check=False)
    assert done.stdout == ""
    return done.returncode, done.stderr


def _tool(folder: Path, name: str, script: str) -> None:
    """Put a tool of this name there."""
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def test_it_is_silent_when_everything_is_there(tmp_path: Path) -> None:
    _tool(tmp_path, "node", "exit 0")
    _tool(tmp_path, "npm", "exit 0")
    assert _check(tmp_path) == (0, "")


def test_it_says_that_node_is_missing(tmp_path: Path) -> None:
    assert _check(tmp_path) == (1, NODE_MISSING)


def test_it_says_that_node_is_too_old(tmp_path: Path) -> None:
    _tool(tmp_path, "node", 'if [ "$1" = --version ]; then echo v18.19.0; else exit 1; fi')
    _tool(tmp_path, "npm", "exit 0")
    code, said = _check(tmp_path)
    assert (code, said) == (
        1,
        "Node.js is v18.19.0, and 20 or later is needed (22 is recommended): see nodejs.org, or your distribution's "
        "newer packages\n",
    )


def test_it_says_that_npm_is_missing(tmp_path: Path) -> None:
    _tool(tmp_path, "node", "exit 0")
    assert _check(tmp_path) == (1, "npm is missing. Install it: apt-get install npm\n")


def test_it_says_that_python_is_missing_and_everything_else_that_is(tmp_path: Path) -> None:
    assert _check(tmp_path, "python3.11") == (
        1,
        "python3.11 is missing. Install Python 3.11 or later (apt-get install python3 python3-venv), "
        "or name another: make PYTHON=python3.12 …\n" + NODE_MISSING,
    )


@pytest.mark.parametrize(
    ("failing", "sentence"),
    [
        (
            "sys.version_info",
            "python-of-test is Python 3.9.2, and 3.11 or later is needed. Name another one: make PYTHON=python3.12 …\n",
        ),
        (
            "ensurepip",
            "python-of-test cannot make virtual environments. Install the module: apt-get install python3-venv\n",
        ),
    ],
)
def test_it_says_what_is_wrong_with_a_python(tmp_path: Path, failing: str, sentence: str) -> None:
    _tool(
        tmp_path,
        "python-of-test",
        f'case "$*" in --version) echo Python 3.9.2;; *{failing}*) exit 1;; esac',
    )
    _tool(tmp_path, "node", "exit 0")
    _tool(tmp_path, "npm", "exit 0")
    assert _check(tmp_path, "python-of-test") == (1, sentence)


def test_it_is_silent_with_the_real_tools_of_this_machine() -> None:
    command = ["/bin/sh", str(ROOT / "lab" / "check-tools.sh"), sys.executable]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert (done.returncode, done.stderr) == (0, "")
