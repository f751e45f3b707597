"""What people read when something fails: a foreign log as it is, and npm's own error."""

import os
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lab import demo
from lab.aws import ROOT
from lab.processes import LabError


@pytest.mark.parametrize("text", ["listener [tcp] on [::1]:8200", "closing [/tag] that nobody opened", "a path\\"])
def test_the_demo_shows_a_foreign_log_with_all_its_brackets(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    @contextmanager
    def broken(_progress: object, _megabytes: float) -> Iterator[None]:
        if text:
            raise LabError(text)
        yield

    monkeypatch.setattr("lab.demo.Lab.started", broken)
    monkeypatch.setattr("lab.demo.signal.signal", lambda *_: None)
    assert demo.main([]) == 1
    assert capsys.readouterr().out == f"\n{text}\n"


def _npm() -> str:
    """The line of the Makefile that installs the CDK, as the shell gets it."""
    shown = subprocess.run(
        ["make", "-n", "-W", "requirements.txt", "install"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    (line,) = [line for line in shown.splitlines() if line.startswith("npm ")]
    return line


def _install(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/sh", "-c", _npm()],
        cwd=folder,
        env=dict(os.environ) | {"npm_config_cache": str(folder / "cache")} | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_an_install_that_fails_shows_the_error_of_npm(tmp_path: Path) -> None:
    done = _install(tmp_path, npm_config_registry="http://127.0.0.1:9", npm_config_fetch_retries="0")
    assert done.returncode != 0
    assert "npm error code ECONNREFUSED" in done.stderr


def test_an_install_that_works_is_quiet(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    npm = tmp_path / "bin" / "npm"
    npm.write_text("#!/bin/sh\necho added 1 package in 2s\n")
    npm.chmod(0o755)
    path = f"{npm.parent}:{os.environ['PATH']}"
    done = _install(tmp_path, PATH=path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert shlex.split(_npm())[0] == "npm"
