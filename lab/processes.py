"""Servers that the lab starts: on loopback, on free ports, and gone when the lab ends, however it ends."""

import contextlib
import ctypes
import os
import secrets
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

LOOPBACK = "127.0.0.1"
_PR_SET_PDEATHSIG = 1
_STOP_SECONDS = 10.0


class LabError(Exception):
    """Something that the person at the terminal can mend; the text says how."""


_PORTS = range(20_000, 32_000)
"""Below those that the kernel gives to outgoing connections (32,768 and up), one of which could come in between."""


def free_port() -> int:
    """A port that nothing listens on at the moment; by chance, so that labs that start together do not meet."""
    while True:
        port = secrets.choice(_PORTS)
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((LOOPBACK, port))
            return port


def require_free(port: int, purpose: str, variable: str) -> int:
    """A port that a person chose. Raises `LabError` when something listens on it."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            raise LabError(
                f"Port {port}, asked for by {variable} for {purpose}, is taken. "
                f"Stop what listens on it (ss -ltnp 'sport = :{port}'), or leave {variable} out for a free port."
            ) from None
    return port


class Server:
    """One server process and its children, in a process group of their own."""

    def __init__(
        self, name: str, command: Sequence[str], environment: Mapping[str, str], folder: Path, log: Path
    ) -> None:
        self.name, self.log = name, log
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                list(command),
                env=dict(environment),
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def wait_until(self, ready: Callable[[], bool], seconds: float = 60.0) -> None:
        """Wait for a condition. Raises `LabError`, with the end of the server's log, when it does not come."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if not self.running:
                raise LabError(f"{self.name} has stopped. The end of its log:\n{self._log_end()}")
            if ready():
                return
            time.sleep(0.05)
        raise LabError(f"{self.name} was not ready after {seconds:.0f} s. The end of its log:\n{self._log_end()}")

    def stop(self) -> None:
        """Ask it to stop, then make it."""
        self._signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_STOP_SECONDS)
        self.kill()

    def kill(self) -> None:
        """End it at once, with all its children, as a power cut would."""
        self._signal(signal.SIGKILL)
        self._process.wait()

    def _signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)

    def _log_end(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-20:])


def _die_with_parent() -> None:
    """A server does not outlive the lab, even when the lab is killed."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


@contextlib.contextmanager
def stopped_at_end(server: Server) -> Iterator[Server]:
    """A server that is stopped when the block ends."""
    try:
        yield server
    finally:
        server.stop()
