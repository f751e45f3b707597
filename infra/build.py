"""Folders that are made once and kept under `.build`, named after what they are made from."""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_BUILD = ROOT / ".build"
UV_PLATFORMS = {"arm64": "aarch64-manylinux_2_34", "x86_64": "x86_64-manylinux_2_34"}
"""Amazon Linux 2023, on which Lambda's Python 3.12 and later run, has glibc 2.34."""


def built(name: str, fill: Callable[[Path], None]) -> Path:
    """A folder that `fill` has filled, whole or not there at all, whoever else is building it."""
    target = _BUILD / name
    if not target.exists():
        _BUILD.mkdir(exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(dir=_BUILD))
        try:
            fill(unfinished)
            unfinished.rename(target)
        except OSError:
            if not target.exists():  # otherwise another synth was faster
                raise
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    return target
