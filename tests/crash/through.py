"""How a call is made that may be the last one of its process."""

from collections.abc import Callable
from typing import Any, Protocol


class Through(Protocol):
    """Makes a call under a name. Of more than `at_most` calls of one name the later ones are no place to die."""

    def __call__(self, name: str, call: Callable[[], Any], at_most: int | None = None, /) -> Any: ...
