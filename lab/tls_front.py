"""TLS in front of a server that speaks none, as a proxy on its host would add it."""

import asyncio
import contextlib
import ssl
import threading
from collections.abc import Iterator

from lab.certificates import Certificate
from lab.processes import LOOPBACK, LabError

_START_SECONDS = 30.0
_CHUNK_BYTES = 65536


@contextlib.contextmanager
def tls_front(certificate: Certificate, target: int) -> Iterator[int]:
    """Pass connections on to the port `target` of this machine until the block ends; gives the port that speaks TLS."""
    started, stop = threading.Event(), threading.Event()
    ports: list[int] = []

    async def serve() -> None:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(certificate.certificate, certificate.key)
        open_now: set[asyncio.Task[None]] = set()

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            open_now.add(task)
            task.add_done_callback(open_now.discard)
            with contextlib.suppress(asyncio.CancelledError):  # asyncio would log the traceback
                await _pass(reader, writer, target)

        server = await asyncio.start_server(handle, LOOPBACK, 0, ssl=tls)
        ports.append(server.sockets[0].getsockname()[1])
        started.set()
        while not stop.is_set():  # set by another thread
            await asyncio.sleep(0.05)
        server.close()
        for task in list(open_now):
            task.cancel()
        await asyncio.gather(*open_now, return_exceptions=True)

    thread = threading.Thread(target=lambda: asyncio.run(serve()), name="tls front", daemon=True)
    thread.start()
    if not started.wait(_START_SECONDS):
        raise LabError("The TLS front did not start; look above for its traceback.")
    try:
        yield ports[0]
    finally:
        stop.set()
        thread.join(10)


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, target: int) -> None:
    """Carry bytes both ways until both sides have ended; a target that is away closes the connection."""
    with contextlib.closing(writer):
        try:
            from_target, to_target = await asyncio.open_connection(LOOPBACK, target)
        except OSError:
            return
        with contextlib.closing(to_target), contextlib.suppress(OSError):
            there = asyncio.create_task(_carry(reader, to_target))
            try:
                await _carry(from_target, writer)
            finally:
                there.cancel()


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(_CHUNK_BYTES):
            writer.write(data)
            await writer.drain()
