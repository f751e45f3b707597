"""A file-like reader over an iterator of bytes, for libraries that want `read(n)`."""

from collections.abc import Iterable, Iterator


class IteratorReader:
    """Reads what an iterator yields, in order, holding one piece at a time; an empty piece is not an end.

    It has no end that can be sought: a reader that needs the length in advance does not work with it.
    """

    closed = False

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces: Iterator[bytes] = iter(pieces)
        self._rest = memoryview(b"")

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes, fewer only at the end; all that is left when negative."""
        taken: list[memoryview] = []
        missing = size
        while size < 0 or missing > 0:
            if not self._rest:
                piece = next(self._pieces, None)
                if piece is None:
                    break
                self._rest = memoryview(piece)
            part = self._rest if size < 0 else self._rest[:missing]
            self._rest = self._rest[len(part) :]
            missing -= len(part)
            taken.append(part)
        return b"".join(taken)

    def tell(self) -> int:
        return 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False

    def close(self) -> None:
        self._rest = memoryview(b"")
