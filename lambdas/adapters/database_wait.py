"""Waiting for a server to take connections: while it starts, it says nothing of what its databases hold."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from lambdas.adapters.postgres import is_passing
from lambdas.domain.database_errors import DatabaseLoginRefused, DatabaseMissing, DatabaseUnreachable

PASSING_SECONDS = 240.0
"""How long a server may start, replay its log or be full of sessions before that is the answer."""

GONE_SECONDS = 30.0
"""How long one may be away that gives no answer at all; a restart takes less."""

_PAUSE_SECONDS = 1.0


@dataclass(frozen=True)
class Opening:
    """How a connection came about, or why it did not; `said` is what was told last while it was waited for."""

    error: DatabaseUnreachable | DatabaseMissing | DatabaseLoginRefused | None
    seconds: float
    said: str


def open_in_time(reach: Callable[[], None], seconds: float) -> Opening:
    """Try to reach a database until it is reached, for `seconds` at most; it ends sooner where nobody answers.

    A refusal that does not pass by itself is not waited for. Raises whatever else `reach` raises.
    """
    began = answered = time.monotonic()
    said = ""
    while True:
        try:
            reach()
        except (DatabaseMissing, DatabaseLoginRefused) as error:
            return Opening(error, time.monotonic() - began, said)
        except DatabaseUnreachable as error:
            now, said = time.monotonic(), str(error.facts["problem"])
            answered = now if is_passing(error) else answered
            if now + _PAUSE_SECONDS > min(began + seconds, answered + GONE_SECONDS):
                return Opening(error, now - began, said)
            time.sleep(_PAUSE_SECONDS)
        else:
            return Opening(None, time.monotonic() - began, said)
