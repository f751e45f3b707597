"""A proxy between the functions and the embedded AWS, where the tests let requests fail: a whole region, or one call.

It runs in a thread of the lab. A request that no fault matches passes unchanged.
"""

import asyncio
import contextlib
import io
import re
import ssl
import threading
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web
from yarl import URL

from lab.aws import Aws
from lab.certificates import Certificate
from lab.processes import LOOPBACK

_CREDENTIAL = re.compile(r"Credential=(?P<key>[^/]+)/\d+/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request")
_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade", "proxy-authorization"}
_LARGEST = 64 * 1024 * 1024


@dataclass(frozen=True)
class Call:
    """A request as its signature and its head show it. `target` is the operation, for services that name it."""

    region: str
    service: str
    method: str
    path: str
    query: str
    target: str


@dataclass(frozen=True)
class Fault:
    """What happens to matching calls: the connection is cut when `status` is None, else this answer is given."""

    matches: Callable[[Call], bool]
    status: int | None = None
    body: str = ""


@dataclass
class Gate:
    """`endpoint` is what the functions take for AWS."""

    aws: Aws
    certificate: Certificate
    port: int
    _faults: list[Fault] = field(default_factory=list)
    refused: list[Call] = field(default_factory=list)

    @property
    def endpoint(self) -> str:
        return f"https://{LOOPBACK}:{self.port}"

    @contextlib.contextmanager
    def fault(self, fault: Fault) -> Iterator[list[Call]]:
        """Let a fault be there while the block runs; gives the list of the calls that met one."""
        self.refused.clear()
        self._faults.append(fault)
        try:
            yield self.refused
        finally:
            self._faults.remove(fault)

    def without_region(self, region: str) -> contextlib.AbstractContextManager[list[Call]]:
        """Refuse every request whose signature names a region, as if the region were gone."""
        return self.fault(Fault(lambda call: call.region == region))

    @contextlib.contextmanager
    def open(self) -> Iterator["Gate"]:
        """Serve until the block ends."""
        ready, stop = threading.Event(), threading.Event()
        failure: list[BaseException] = []

        def run() -> None:
            try:
                asyncio.run(self._serve(ready, stop))
            except BaseException as error:  # noqa: BLE001  # reported to the thread that waits
                failure.append(error)
                ready.set()

        thread = threading.Thread(target=run, name="gate", daemon=True)
        thread.start()
        ready.wait(30)
        if failure:
            raise failure[0]
        try:
            yield self
        finally:
            stop.set()
            thread.join(10)

    async def _serve(self, ready: threading.Event, stop: threading.Event) -> None:
        server_tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        server_tls.load_cert_chain(self.certificate.certificate, self.certificate.key)
        client_tls = ssl.create_default_context(cafile=str(self.aws.ca))
        connector = aiohttp.TCPConnector(ssl=client_tls, limit=200)
        async with aiohttp.ClientSession(connector=connector, auto_decompress=False) as session:
            app = web.Application(client_max_size=_LARGEST)

            connections: weakref.WeakSet[asyncio.Transport] = weakref.WeakSet()

            async def handle(request: web.Request) -> web.StreamResponse:
                if request.transport is not None:
                    connections.add(request.transport)
                return await self._pass(session, request)

            app.router.add_route("*", "/{path:.*}", handle)
            runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
            await runner.setup()
            await web.TCPSite(runner, LOOPBACK, self.port, ssl_context=server_tls).start()
            ready.set()
            while not stop.is_set():  # set by another thread
                await asyncio.sleep(0.05)
            for connection in connections:
                connection.abort()
            await runner.cleanup()
        # TLS connections say good-bye in the loop's next rounds (aiohttp documentation, "Graceful shutdown").
        await asyncio.sleep(0.25)

    async def _pass(self, session: aiohttp.ClientSession, request: web.Request) -> web.StreamResponse:
        call = _call(request)
        for fault in self._faults:
            if fault.matches(call):
                self.refused.append(call)
                if fault.status is None:
                    if request.transport is not None:
                        request.transport.abort()
                    return web.Response(status=503)
                return web.Response(status=fault.status, text=fault.body, content_type="application/json")
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _HOP_BY_HOP}
        url = URL(self.aws.endpoint + request.raw_path, encoded=True)
        try:
            given = await request.read()
        except ConnectionResetError:  # whoever asked has left: its time was up
            return web.Response(status=499)
        async with session.request(
            request.method,
            url,
            headers=headers,
            data=io.BytesIO(given) if given else None,
            allow_redirects=False,
            skip_auto_headers=("User-Agent", "Content-Type", "Accept", "Accept-Encoding"),
        ) as answer:
            passed = {name: value for name, value in answer.headers.items() if name.lower() not in _HOP_BY_HOP}
            body = await answer.read()
            if request.method != "HEAD":
                passed.pop("Content-Length", None)
            return web.Response(status=answer.status, headers=passed, body=body)


def _call(request: web.Request) -> Call:
    signed = _CREDENTIAL.search(request.headers.get("Authorization", ""))
    return Call(
        region=signed["region"] if signed else "",
        service=signed["service"] if signed else "",
        method=request.method,
        path=request.path,
        query=request.query_string,
        target=request.headers.get("X-Amz-Target", "").rpartition(".")[2],
    )
