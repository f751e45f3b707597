"""A stream is made ahead of who reads it: all of it, in order, never far ahead, and by nobody once it is unwanted."""

import threading
from collections.abc import Iterable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.adapters.pipes import ahead
from tests.servers.vault import until


class Source:
    """Makes pieces, counts them, and knows whether it was closed."""

    def __init__(self, count: int, fails: BaseException | None = None) -> None:
        self.made, self.closed, self._count, self._fails = 0, False, count, fails

    def __iter__(self) -> Iterator[bytes]:
        try:
            for number in range(1, self._count + 1):
                self.made = number
                yield b"%d" % number
            if self._fails is not None:
                raise self._fails
        finally:
            self.closed = True


def nobody_works() -> bool:
    return not [thread for thread in threading.enumerate() if thread.name == "ahead"]


@given(st.lists(st.binary(max_size=5), max_size=50), st.integers(1, 9))
def test_all_pieces_come_in_their_order(pieces: list[bytes], at_most: int) -> None:
    assert list(ahead(pieces, at_most)) == pieces
    assert list(ahead(ahead(ahead(iter(pieces))))) == pieces


def test_pieces_are_made_before_they_are_asked_for_and_not_too_many() -> None:
    source = Source(100)
    pieces = ahead(source, at_most=3)
    assert next(pieces) == b"1"
    until(lambda: source.made == 5, "three wait, one was given, and one is at hand", 10)
    assert list(pieces) == [b"%d" % number for number in range(2, 101)]


@pytest.mark.parametrize("error", [ValueError("x"), KeyboardInterrupt(), SystemExit(3)])
def test_what_making_them_raises_is_raised_at_its_place(error: BaseException) -> None:
    source = Source(3, error)
    pieces = ahead(source)
    assert [next(pieces), next(pieces), next(pieces)] == [b"1", b"2", b"3"]
    with pytest.raises(type(error)) as told:
        next(pieces)
    assert (told.value, source.closed) == (error, True)
    assert nobody_works()


def test_a_reader_that_stops_early_stops_the_maker_too() -> None:
    source = Source(1000)
    for piece in (pieces := ahead(ahead(source, 2), 2)):
        if piece == b"5":
            break
    pieces.close()
    assert source.closed
    assert source.made < 20
    assert nobody_works()


def test_a_reader_that_never_begins_starts_nothing() -> None:
    source = Source(3)
    ahead(source).close()
    assert source.made == 0
    assert nobody_works()


class _NoSource:
    def __iter__(self) -> Iterator[bytes]:
        raise ValueError("no source")


class _BadEnd:
    """A stream that cannot be closed."""

    def __iter__(self) -> "_BadEnd":
        return self

    def __next__(self) -> bytes:
        raise StopIteration

    def close(self) -> None:
        raise ValueError("no end")


@pytest.mark.parametrize(("source", "text"), [(_NoSource(), "no source"), (_BadEnd(), "no end")])
def test_a_source_that_cannot_begin_or_end_is_no_endless_wait(source: Iterable[bytes], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        list(ahead(source))
