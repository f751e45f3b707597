"""A process that dumps or loads, piece by piece as it is told, and may be killed at any of them.

On its input: a line of JSON that says what to do, then a line for each piece that it may go on with.
On its output: a line for each piece that it has come to, and `done`.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import IO

from lambdas.adapters.database_dump import take_dump
from lambdas.adapters.postgres import Login
from lambdas.adapters.postgres_programs import client_program, load
from lambdas.domain.backup import WrappedKey

_PIECE = 8 * 1024


@contextmanager
def dying(order: str, login: Login, major: int, sql: Path | None = None) -> Iterator["subprocess.Popen[str]"]:
    """The process, started; it does not outlive the block."""
    clients = str(Path(client_program(major, "psql")).parents[3])
    command = [sys.executable, "-m", "tests.adapters.dying"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    wanted = {"order": order, "login": asdict(login), "major": major, "sql": str(sql), "clients": clients}
    try:
        _input(process).write(json.dumps(wanted) + "\n")
        _input(process).flush()
        yield process
    finally:
        process.kill()
        process.communicate()


def step(process: "subprocess.Popen[str]", go_on: bool = True) -> str:
    """Wait for the next line, and let the process go on with what it announces."""
    assert process.stdout is not None
    line = process.stdout.readline().strip()
    if go_on and line != "done":
        _input(process).write("\n")
        _input(process).flush()
    return line


def _input(process: "subprocess.Popen[str]") -> IO[str]:
    assert process.stdin is not None
    return process.stdin


def _ask(what: str) -> None:
    print(what, flush=True)  # noqa: T201  # to the test that has started this process
    sys.stdin.readline()


def _pieces(sql: Path) -> Iterator[bytes]:
    content = sql.read_bytes()
    for start in range(0, len(content), _PIECE):
        _ask(str(start))
        yield content[start : start + _PIECE]
    _ask("all")


def _main() -> None:
    wanted = json.loads(sys.stdin.readline())
    sys.path.append(wanted["clients"])
    login = Login(**wanted["login"])
    if wanted["order"] == "load":
        load(login, wanted["major"], _pieces(Path(wanted["sql"])), 60)
    else:
        take_dump(
            login,
            "k1",
            WrappedKey("", {}, ""),
            lambda _: WrappedKey("", {}, ""),
            lambda sql: iter(sql),
            lambda piece: _ask(str(len(piece))),
            60,
        )
    print("done", flush=True)  # noqa: T201  # whoever has started it waits for this


if __name__ == "__main__":
    _main()
