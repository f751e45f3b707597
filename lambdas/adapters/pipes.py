"""A stream that is made ahead of who reads it: one thread a stage, so that stages work at the same time."""

import queue
import threading
from collections.abc import Generator, Iterable
from contextlib import ExitStack

_AHEAD = 8


def ahead(pieces: Iterable[bytes], at_most: int = _AHEAD) -> Generator[bytes, None, None]:
    """The same pieces, of which `at_most` are made before they are asked for.

    What making them raises is raised here, at its place. When the reader stops early the maker does, too; its own
    `finally` has run when this generator is closed.
    """
    made: queue.Queue[bytes | BaseException | None] = queue.Queue(at_most)
    unwanted = threading.Event()

    def put(item: bytes | BaseException | None) -> bool:
        while not unwanted.is_set():
            try:
                made.put(item, timeout=0.1)
            except queue.Full:
                continue
            return True
        return False

    def make() -> None:
        end: BaseException | None = None
        try:
            source = iter(pieces)
            with ExitStack() as at_the_end:
                at_the_end.callback(getattr(source, "close", lambda: None))
                for piece in source:
                    if not put(piece):
                        break
        except BaseException as error:  # noqa: BLE001  # handed to who reads
            end = error
        put(end)

    maker = threading.Thread(target=make, name="ahead", daemon=True)
    maker.start()
    try:
        while (item := made.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        unwanted.set()
        maker.join()
