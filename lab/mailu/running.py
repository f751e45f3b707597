"""Mailu servers on an event loop in a thread of its own, so that whoever started them can look in and break things."""

import asyncio
import contextlib
import secrets
import selectors
import threading
import time
from collections.abc import Coroutine, Iterator
from typing import Any, TypeVar

from lab.mailu.faults import Faults
from lab.mailu.log import Sink
from lab.mailu.server import Certificates, MailuServer

T = TypeVar("T")
_SECONDS = 30.0
_REST_SECONDS = 5.0


class MailuHost:
    """Starts servers, and changes them only on their own loop."""

    def __init__(self, certificates: Certificates) -> None:
        self._certificates = certificates
        self._sockets = selectors.DefaultSelector()
        self._loop = asyncio.SelectorEventLoop(self._sockets)
        self._thread = threading.Thread(target=self._loop.run_forever, name="mailu", daemon=True)
        self._thread.start()
        self.servers: list[MailuServer] = []

    def start(self, log: Sink, api_token: str | None = None) -> MailuServer:
        """One more server, on free ports."""
        server = MailuServer(self._certificates, api_token or secrets.token_urlsafe(24), log)
        self.run(server.start())
        self.servers.append(server)
        return server

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Do something on the loop, and wait for it."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(_SECONDS)

    @contextlib.contextmanager
    def down(self, server: MailuServer) -> Iterator[None]:
        """A server that nobody can connect to, until the block ends."""
        self.run(server.stop())
        try:
            yield
        finally:
            self.run(server.start())

    def cut(self, server: MailuServer, email: str | None = None) -> int:
        """End the open IMAP connections of a user, or all; gives how many."""

        async def cut() -> int:
            return server.imap.cut(email)

        return self.run(cut())

    def stop(self) -> None:
        """All servers, and the loop."""
        for server in self.servers:
            self.run(server.stop())
        self.run(self._rest())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_SECONDS)
        self._loop.close()

    async def _rest(self) -> None:
        """End what is still running, and let the loop close what was cut: its own wake-up alone is left then."""
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        deadline = time.monotonic() + _REST_SECONDS
        while len(self._sockets.get_map()) > 1 and time.monotonic() < deadline:
            await asyncio.sleep(0.005)
        for _ in range(10):  # a TLS connection takes some rounds more to be closed
            await asyncio.sleep(0)


@contextlib.contextmanager
def broken(server: MailuServer, **faults: Any) -> Iterator[Faults]:
    """A server with these `Faults`, until the block ends."""
    before = {name: getattr(server.faults, name) for name in faults}
    for name, value in faults.items():
        setattr(server.faults, name, value)
    try:
        yield server.faults
    finally:
        for name, value in before.items():
            setattr(server.faults, name, value)
