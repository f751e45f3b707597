"""Every call that an action makes to the outside, seen without a hook in the action: AWS's and Vault's.

A call is known by its state, its name and how often that name was called before in that state. Names hold what is
called and what it is called on, so threads that call side by side change the order of the calls, and not their names.
"""

import os
import signal
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

import requests
from botocore.client import BaseClient

Moment = Literal["before", "after"]


@dataclass(frozen=True, order=True)
class Call:
    """The `number`-th call of this name in a state, counted from 1."""

    state: str
    name: str
    number: int

    def __str__(self) -> str:
        return f"{self.state}: {self.name}" + (f" ({self.number})" if self.number > 1 else "")


@dataclass(frozen=True, order=True)
class Kill:
    """Where a process dies: right before a call leaves it, or right after the answer has come."""

    call: Call
    moment: Moment

    def __str__(self) -> str:
        return f"{self.moment} {self.call}"


@dataclass
class Watch:
    """The calls of this process, in the order in which they began; at `kill` the process ends."""

    state: str
    kill: Kill | None
    made: list[Call]

    def begin(self) -> None:
        """See every call from now on."""
        counts: Counter[str] = Counter()
        one_at_a_time = threading.Lock()

        def through(name: str, call: Callable[[], Any]) -> Any:
            with one_at_a_time:
                counts[name] += 1
                made = Call(self.state, name, counts[name])
                self.made.append(made)
            self._die_at(made, "before")
            try:
                return call()
            finally:
                self._die_at(made, "after")

        clients: Any = BaseClient
        sessions: Any = requests.Session
        to_aws, to_vault = clients._make_api_call, sessions.send

        def aws(client: Any, operation: str, arguments: dict[str, Any]) -> Any:
            return through(_aws_name(client, operation, arguments), lambda: to_aws(client, operation, arguments))

        def vault(session: requests.Session, request: requests.PreparedRequest, **options: Any) -> Any:
            name = f"{request.method} {urlsplit(str(request.url)).path}"
            return through(name, lambda: to_vault(session, request, **options))

        clients._make_api_call, sessions.send = aws, vault

    def _die_at(self, call: Call, moment: Moment) -> None:
        """Die as a function does whose sandbox is taken away: at once, with all that it has started."""
        if self.kill == Kill(call, moment):
            os.killpg(0, signal.SIGKILL)
            threading.Event().wait()


def _aws_name(client: Any, operation: str, arguments: dict[str, Any]) -> str:
    """The operation, what it is on (but no key of an object, which names a time), and the region."""
    on = arguments.get("TableName") or arguments.get("Bucket") or arguments.get("Name") or ""
    return " ".join(filter(None, (f"{client.meta.service_model.service_id}.{operation}", on, client.meta.region_name)))
