"""Servers of the lab: they start, they say why they did not, and they are gone when the lab is gone."""

import os
import signal
import socket
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from lab.aws import ROOT
from lab.certificates import CertificateAuthority
from lab.processes import LOOPBACK, LabError, Server, free_port, require_free, stopped_at_end
from tests.lab.emulator import Emulator
from tests.lab.small_functions import function, invoke
from tests.lab.waiting import until

_ENVIRONMENT = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}


def _shell(folder: Path, script: str) -> Server:
    return Server("the shell", ["/bin/sh", "-c", script], _ENVIRONMENT, folder, folder / "log")


def _gone(pid: int) -> bool:
    """Has a process ended? One that nobody has waited for yet is but a name."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _written(file: Path) -> int:
    """The number in a file, once it is written."""
    return int(until(lambda: file.exists() and file.read_text().strip(), f"something in {file.name}"))


@pytest.fixture
def lab_process(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """A process that starts a server, as the lab does, and then waits; with the folder it works in."""
    code = """
        import sys, time
        from pathlib import Path
        from lab.processes import Server
        folder = Path(sys.argv[1])
        script = "echo $$ > pid.new; mv pid.new pid; exec sleep 600"
        Server("sleep", ["/bin/sh", "-c", script], {"PATH": "/usr/bin:/bin"}, folder, folder / "log")
        time.sleep(600)
    """
    command = [sys.executable, "-c", textwrap.dedent(code), str(tmp_path)]
    with subprocess.Popen(command, env=_ENVIRONMENT, start_new_session=True) as process:
        yield process, tmp_path
        process.kill()


def test_a_server_dies_with_the_lab_even_when_the_lab_is_killed(
    lab_process: tuple[subprocess.Popen[bytes], Path],
) -> None:
    lab, folder = lab_process
    server = _written(folder / "pid")
    assert not _gone(server)
    lab.send_signal(signal.SIGKILL)
    lab.wait(10)
    until(lambda: _gone(server), "the end of the server")


def test_the_functions_of_the_emulator_die_with_it_even_when_it_is_killed(
    authority: CertificateAuthority, tmp_path: Path
) -> None:
    emulator = Emulator(tmp_path, authority)
    try:
        arn = function(emulator, "import os\ndef handler(event, context): return os.getpid()")
        worker = int(invoke(emulator, arn))
        assert not _gone(worker)
        os.kill(emulator.server.pid, signal.SIGKILL)
        until(lambda: _gone(worker), "the end of the function's process")
    finally:
        emulator.stop()


def test_stopping_ends_the_server_and_all_that_it_has_started(tmp_path: Path) -> None:
    server = _shell(tmp_path, "sleep 600 & echo $! > child; wait")
    child = _written(tmp_path / "child")
    server.stop()
    assert not server.running
    until(lambda: _gone(child), "the end of the child")


def test_stopping_lets_a_server_finish_first(tmp_path: Path) -> None:
    server = _shell(tmp_path, "trap 'echo finished > last; exit 0' TERM; echo 1 > ready; while :; do sleep 0.05; done")
    _written(tmp_path / "ready")
    server.stop()
    assert (tmp_path / "last").read_text() == "finished\n"


def test_killing_asks_nobody(tmp_path: Path) -> None:
    script = "trap 'echo finished > last' TERM; sleep 600 & echo $! > child; while :; do sleep 0.05; done"
    server = _shell(tmp_path, script)
    child = _written(tmp_path / "child")
    server.kill()
    assert not server.running
    until(lambda: _gone(child), "the end of the child")
    assert not (tmp_path / "last").exists()


def test_a_child_that_ignores_the_request_to_stop_is_ended_with_its_server(tmp_path: Path) -> None:
    script = "sh -c 'trap \"\" TERM; echo $$ > child; while :; do sleep 0.05; done' & trap 'exit 0' TERM; wait"
    server = _shell(tmp_path, script)
    child = _written(tmp_path / "child")
    server.stop()
    until(lambda: _gone(child), "the end of the child")


def test_a_server_that_has_stopped_is_reported_with_the_end_of_its_log(tmp_path: Path) -> None:
    server = _shell(tmp_path, "for i in $(seq 30); do echo line $i; done; exit 1")
    with pytest.raises(LabError) as caught:
        server.wait_until(lambda: False)
    lines = "\n".join(f"line {number}" for number in range(11, 31))
    assert str(caught.value) == f"the shell has stopped. The end of its log:\n{lines}"


def test_a_server_that_is_not_ready_in_time_is_reported_with_the_end_of_its_log(tmp_path: Path) -> None:
    with stopped_at_end(_shell(tmp_path, "echo still starting; exec sleep 600")) as server:
        until(lambda: server.log.read_text(), "the log")
        with pytest.raises(LabError) as caught:
            server.wait_until(lambda: False, seconds=0.2)
    assert str(caught.value) == "the shell was not ready after 0 s. The end of its log:\nstill starting"
    assert not server.running


def test_waiting_ends_as_soon_as_the_server_is_ready(tmp_path: Path) -> None:
    with stopped_at_end(_shell(tmp_path, "echo 1 > ready; exec sleep 600")) as server:
        server.wait_until((tmp_path / "ready").exists)


def test_a_free_port_can_be_listened_on() -> None:
    with socket.socket() as listener:
        listener.bind((LOOPBACK, free_port()))
        listener.listen()


def test_a_port_that_is_taken_is_refused_with_what_to_do_about_it() -> None:
    with socket.socket() as listener:
        listener.bind((LOOPBACK, 0))
        listener.listen()
        port = listener.getsockname()[1]
        with pytest.raises(LabError) as caught:
            require_free(port, "Vault", "MAILARK_VAULT_PORT")
    assert str(caught.value) == (
        f"Port {port}, asked for by MAILARK_VAULT_PORT for Vault, is taken. "
        f"Stop what listens on it (ss -ltnp 'sport = :{port}'), or leave MAILARK_VAULT_PORT out for a free port."
    )
    assert require_free(port, "Vault", "MAILARK_VAULT_PORT") == port
