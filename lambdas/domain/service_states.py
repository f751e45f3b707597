"""What a service does at the moment, in words that are the same whatever controls it."""

from collections.abc import Iterable

RUNNING = "running"
STOPPED = "stopped"
FAILED = "failed"
"""It has been given up: it does not run, and nothing starts it again by itself."""
STARTING = "starting"
STOPPING = "stopping"
UNKNOWN = "unknown"

_BETWEEN = ", "
_DOWN = {STOPPED, FAILED}


def together(states: Iterable[str]) -> str:
    """The state of a service of several processes or containers: theirs, each named once, such as `failed, running`."""
    return _BETWEEN.join(sorted(set(states))) or STOPPED


def is_up(state: str) -> bool:
    """Whether all of a service runs."""
    return state == RUNNING


def is_down(state: str) -> bool:
    """Whether nothing of a service runs, nor will by itself."""
    return set(state.split(_BETWEEN)) <= _DOWN
