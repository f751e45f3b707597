"""Streams side by side: the tests on two deployed houses, and all others. And what was measured, at the end."""

from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling

_MEASURED = pytest.StashKey[list[str]]()
_TESTS = Path(__file__).parent
_FIRST = (_TESTS / "scenarios", _TESTS / "docs", _TESTS / "test_code_style.py")
"""What takes longest begins first."""


_SECOND_HOUSE = ("each_action_failing", "break_glass", "vault_configuration", "readme")
"""What runs on a house of its own: broken functions, and commands that people type."""
_SECOND_FILES = tuple(f"tests/scenarios/test_{name}.py" for name in _SECOND_HOUSE)


class _Streams(LoadFileScheduling):  # type: ignore[misc]  # pytest-xdist tells mypy nothing
    """A worker for each deployed house; a third takes file after file of the rest."""

    def _split_scope(self, nodeid: str) -> str:
        if nodeid.startswith("tests/scenarios/"):
            return "second house" if nodeid.startswith(_SECOND_FILES) else "first house"
        if nodeid.startswith("tests/crash/test_every_death.py"):
            return nodeid
        return str(super()._split_scope(nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> _Streams:
    return _Streams(config, log)


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_MEASURED] = []


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the long streams, and let what looks back on all runs of the deployed house come last there."""

    def place(item: pytest.Item) -> tuple[int, bool, bool]:
        rank = next((i for i, folder in enumerate(_FIRST) if folder in (item.path, *item.path.parents)), len(_FIRST))
        last, ends = (item.get_closest_marker(name) is not None for name in ("last", "ends_the_house"))
        return rank, last or ends, ends

    items.sort(key=place)


@pytest.fixture(scope="session")
def measured(pytestconfig: pytest.Config) -> list[str]:
    """Texts to be printed when the session has ended: timelines, peaks."""
    return pytestconfig.stash[_MEASURED]


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker hands over what it has measured."""
    output: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["measured"] = session.config.stash[_MEASURED]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """The session takes over what a worker has measured."""
    node.config.stash[_MEASURED] += getattr(node, "workeroutput", {}).get("measured", [])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    texts = config.stash[_MEASURED]
    if texts:
        terminalreporter.section("measured")
        for text in texts:
            terminalreporter.write_line(text)
