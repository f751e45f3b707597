"""`make demo`, as somebody at a terminal runs it; and that it leaves nothing behind, however it ends."""

import os
import re
import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from lab.aws import ROOT


class Demo:
    """A running `make demo`: what it has printed so far, and the processes that it has started."""

    def __init__(self, output: Path, *arguments: str) -> None:
        self._output = output
        with output.open("wb") as file:
            self.process = subprocess.Popen(
                ["make", "demo", *arguments],
                cwd=ROOT,
                env=dict(os.environ) | {"TMPDIR": str(output.parent)},
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.started: set[int] = set()

    @property
    def text(self) -> str:
        return self._output.read_text(errors="replace")

    def wait_for(self, words: str, seconds: float) -> None:
        self._wait(lambda: words in self.text or self.process.poll() is not None, words, seconds)
        assert words in self.text, self.text[-3000:]

    def _wait(self, condition: Callable[[], bool], what: str, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            self.started |= {child.pid for child in psutil.Process(self.process.pid).children(recursive=True)}
            assert time.monotonic() < deadline, f"waited {seconds:.0f} s for {what}:\n{self.text[-3000:]}"
            time.sleep(0.2)

    def interrupt(self) -> None:
        """Ctrl-C: the terminal signals all of the foreground's processes."""
        os.killpg(self.process.pid, signal.SIGINT)

    def ended(self, seconds: float) -> int:
        return self.process.wait(seconds)

    def left_behind(self) -> list[str]:
        """Processes of it that still run, and folders that it has made."""
        alive = [psutil.Process(pid) for pid in self.started if psutil.pid_exists(pid)]
        processes = [" ".join(each.cmdline()) for each in alive if each.status() != psutil.STATUS_ZOMBIE]
        return processes + [str(path) for path in self._output.parent.glob("mailark-lab-*")]


@contextmanager
def _demo(output: Path, *arguments: str) -> Iterator[Demo]:
    demo = Demo(output, *arguments)
    try:
        yield demo
    finally:
        if demo.process.poll() is None:
            os.killpg(demo.process.pid, signal.SIGKILL)


def test_the_demo_recovers_both_disasters_answers_a_leak_stays_up_when_asked_and_leaves_nothing(tmp_path: Path) -> None:
    with _demo(tmp_path / "output", "KEEP=1") as demo:
        demo.wait_for("The lab stays up until Ctrl-C.", 420)
        text = demo.text
        assert "1000 of 1000 credentials are back, and each decrypts to its password" in text
        assert "It holds 0 of 1000 credentials" in text
        assert "RestoreVaultSnapshot" in text
        assert "PostgreSQL says: invalid page in block" in text
        assert re.search(r"(\d+,\d+) of \1 messages are back, row by row and byte by byte", text)
        assert re.search(r"The damaged database is kept as smtpy_corrupt_\d{8}_\d{6}; the services run again", text)
        assert re.search(r"\d+ s after the first line .*, the leaked password and the app token open nothing", text)
        assert "Left for a person, as the alert says: the open connection\n" in text
        assert re.search(r"Of \d\d+ logins of the tenant's own program 0 failed", text)
        assert "Told: owner@elsewhere.example: SMTP Credentials Rotated - Security Incident" in text
        assert re.search(r"RTO: time until recovered.*5 min.*met", text)
        assert re.search(r"RTO: time until recovered.*1 h.*met", text)
        assert re.search(r"RTO: time until recovered.*30 min.*met", text)
        assert re.search(r"RPO: age of the data.*24 h.*met", text)

        answer = _as_printed(text, "Recovery")
        assert "executionArn" in answer
        assert "password" in _as_printed(text, "A secret")

        demo.interrupt()
        assert demo.ended(60) != 0
        assert "everything that was started has been stopped" in demo.text
        assert demo.left_behind() == []


def _as_printed(text: str, label: str) -> str:
    """Run a command that the demo has printed, in a shell with the file that it names."""
    environment = re.search(r"^\s*\. (\S+lab\.env)$", text, re.MULTILINE)
    command = re.search(rf"^\s*{label}\s+(.*?(?:\\\n.*)?)$", text, re.MULTILINE)
    assert environment
    assert command
    script = f". {shlex.quote(environment[1])} && {command[1]}"
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_ctrl_c_in_the_middle_stops_all_that_was_started(tmp_path: Path) -> None:
    with _demo(tmp_path / "output") as demo:
        demo.wait_for("Deploying four stacks", 120)
        for _ in range(3):  # as somebody does who is in a hurry
            demo.interrupt()
        assert demo.ended(60) != 0
        assert demo.left_behind() == []


@pytest.mark.parametrize("port", ["abc", "80000"])
def test_what_is_no_port_is_said_with_its_cure(port: str, tmp_path: Path) -> None:
    done = subprocess.run(
        ["make", "demo"],
        cwd=ROOT,
        env=dict(os.environ) | {"MAILARK_VAULT_PORT": port, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode != 0
    said = f"MAILARK_VAULT_PORT is '{port}', and no port. Give a number from 1 to 65535, or leave it out."
    assert said in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_taken_port_is_said_with_its_cure(tmp_path: Path) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = subprocess.run(
            ["make", "demo"],
            cwd=ROOT,
            env=dict(os.environ) | {"MAILARK_AWS_PORT": str(port), "COLUMNS": "300"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode != 0
    assert f"Port {port}, asked for by MAILARK_AWS_PORT for the embedded AWS, is taken." in done.stdout
    assert "or leave MAILARK_AWS_PORT out for a free port." in done.stdout
    assert tmp_path.exists()
