"""Every call that an action makes to the outside, seen without a hook in the action: AWS's, Vault's, the services'.

Those to PostgreSQL are in `postgres_calls`, and those to a Mailu in `mailu_calls`.

A call is known by its state, its name and how often that name was called before in that state. Names hold what is
called and what it is called on, so threads that call side by side change the order of the calls, and not their names.
"""

import os
import signal
import threading
import xmlrpc.client
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

import requests
from botocore.client import BaseClient

from tests.crash.mailu_calls import watch_mailu
from tests.crash.postgres_calls import watch_postgres

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

        def through(name: str, call: Callable[[], Any], at_most: int | None = None) -> Any:
            with one_at_a_time:
                counts[name] += 1
                made = Call(self.state, name, counts[name])
                counted = at_most is None or made.number <= at_most
                if counted:
                    self.made.append(made)
            if not counted:
                return call()
            self._die_at(made, "before")
            try:
                return call()
            finally:
                self._die_at(made, "after")

        clients: Any = BaseClient
        sessions: Any = requests.Session
        transports: Any = xmlrpc.client.Transport
        to_aws, over_http, to_services = clients._make_api_call, sessions.send, transports.request

        def aws(client: Any, operation: str, arguments: dict[str, Any]) -> Any:
            return through(_aws_name(client, operation, arguments), lambda: to_aws(client, operation, arguments))

        def http(session: requests.Session, request: requests.PreparedRequest, **options: Any) -> Any:
            name = f"{request.method} {urlsplit(str(request.url)).path}"
            return through(name, lambda: over_http(session, request, **options))

        def services(transport: Any, host: Any, handler: str, body: bytes, **options: Any) -> Any:
            arguments, method = xmlrpc.client.loads(body)
            name = " ".join([str(method), *(each for each in arguments if isinstance(each, str))])
            at_most = 1 if "Info" in name else None  # what only reads, as often as it takes
            return through(name, lambda: to_services(transport, host, handler, body, **options), at_most)

        clients._make_api_call, sessions.send, transports.request = aws, http, services
        watch_postgres(through)
        watch_mailu(through)

    def _die_at(self, call: Call, moment: Moment) -> None:
        """Die at once. What it has started (a program, a stream) is left to see for itself that nobody is there."""
        if self.kill == Kill(call, moment):
            os.kill(os.getpid(), signal.SIGKILL)
            threading.Event().wait()


def _aws_name(client: Any, operation: str, arguments: dict[str, Any]) -> str:
    """The operation, what it is on (but no key of an object, which names a time), and the region."""
    on = arguments.get("TableName") or arguments.get("Bucket") or arguments.get("Name") or ""
    return " ".join(filter(None, (f"{client.meta.service_model.service_id}.{operation}", on, client.meta.region_name)))
