"""Functions as Lambda runs them, each in a process of its own, which may die at any call."""

import contextlib
import importlib
import json
import multiprocessing
import os
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from unittest.mock import patch

import psutil

from lambdas.adapters.aws import forget_clients
from tests.crash.calls import Call, Kill, Watch

IDENTITY = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
"""Who calls the AWS of these tests."""

_END_SECONDS = 10.0
"""What a function has started sees within this that nobody is there any more."""


class FunctionFailed(Exception):
    """What Step Functions sees of a function that failed: the error's name, and its cause as a JSON text."""

    def __init__(self, error: str, message: str) -> None:
        super().__init__(f"{error}: {message}")
        self.error = error
        self.cause = json.dumps({"errorType": error, "errorMessage": message})


@dataclass
class Functions:
    """Runs functions against the AWS at `endpoint`; `calls` gets every call of those that came to an end."""

    endpoint: str
    calls: list[Call] = field(default_factory=list)
    died: list[Kill] = field(default_factory=list)

    def run(
        self,
        state: str,
        action: str,
        payload: object,
        environment: Mapping[str, str],
        seconds: float,
        kill: Kill | None = None,
    ) -> Any:
        """What the action returns. Raises `FunctionFailed`; `Runtime.ExitError` is a process that has died.

        That is the name by which AWS Lambda reports it (Lambda guide, "Troubleshoot execution issues").
        """
        processes = _processes(self.endpoint)
        here, there = processes.Pipe(duplex=False)
        settings = dict(environment) | {"AWS_ENDPOINT_URL": self.endpoint}
        process = processes.Process(target=_main, args=(there, state, action, payload, settings, seconds, kill))
        process.start()
        there.close()
        with here, contextlib.suppress(EOFError):
            kind, calls, value = here.recv()
        process.join()
        _wait_for_the_end_of_all(process.pid)
        if process.exitcode == -signal.SIGKILL:
            assert kill is not None
            self.died.append(kill)
            raise FunctionFailed("Runtime.ExitError", "Error: Runtime exited with error: signal: killed")
        assert process.exitcode == 0, f"{action} broke the process that it ran in"
        self.calls += calls
        if kind == "raised":
            raise FunctionFailed(*value)
        return json.loads(value)


@cache
def _processes(endpoint: str) -> Any:
    """Processes are forked from one that has imported everything, has clients of this AWS, and no threads."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.crash.preloaded"])
    with patch.dict(os.environ, IDENTITY | {"AWS_ENDPOINT_URL": endpoint}):
        forkserver.ensure_running()
    return context


def _wait_for_the_end_of_all(session: int) -> None:
    """Wait until nothing runs that a function has started, dead or alive: it is in its session, and sees its end."""
    deadline = time.monotonic() + _END_SECONDS
    while left := _in_group(session):
        assert time.monotonic() < deadline, f"a function has left {left} behind"
        time.sleep(0.01)


def _in_group(group: int) -> list[psutil.Process]:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return []
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(ProcessLookupError, psutil.NoSuchProcess):
            if os.getpgid(process.pid) == group and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


class _Context:
    """What Lambda tells a function about itself, as far as it is used."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def get_remaining_time_in_millis(self) -> int:
        return round(self._seconds * 1000)


def _main(
    answers: Connection,
    state: str,
    action: str,
    payload: object,
    environment: dict[str, str],
    seconds: float,
    kill: Kill | None,
) -> None:
    os.setsid()
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
    for name in [name for name in os.environ if name.startswith(("AWS_", "MAILARK_"))]:
        del os.environ[name]
    os.environ.update(environment)
    preloaded = importlib.import_module("tests.crash.preloaded")  # by the process that this one was forked from
    if environment["AWS_ENDPOINT_URL"] != preloaded.ENDPOINT:
        forget_clients()
    watch = Watch(state, kill, [])
    handler = importlib.import_module(f"lambdas.actions.{action}").handler
    watch.begin()
    answer: tuple[str, list[Call], Any]
    try:
        answer = ("returned", watch.made, json.dumps(handler(payload, _Context(seconds))))
    except Exception as error:  # noqa: BLE001  # Lambda reports whatever is raised
        answer = ("raised", watch.made, (type(error).__name__, str(error)))
    answers.send(answer)
