"""Two streams side by side: the tests on the deployed house, and all others. And what was measured, at the end."""

from pathlib import Path
from typing import Any

import pytest

_MEASURED = pytest.StashKey[list[str]]()
_DEPLOYED = Path(__file__).parent / "scenarios"


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_MEASURED] = []


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the streams
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give each test its stream (`--dist loadgroup` of pytest-xdist), and let what looks back on all runs come last."""
    for item in items:
        stream = "deployed" if _DEPLOYED in item.path.parents else "others"
        item.add_marker(pytest.mark.xdist_group(stream))
    items.sort(key=lambda item: item.get_closest_marker("last") is not None)


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
