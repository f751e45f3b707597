"""Whether a restored database has room beside the live one, before the first of its rows is written."""

from dataclasses import dataclass
from typing import Literal

from lambdas.domain.database_errors import DiskTooSmall

SPARE_SHARE = 0.1
"""A database that was just loaded has not the size of the one that was dumped; a loaded one is denser as a rule."""


@dataclass(frozen=True)
class SpaceFacts:
    """What a server's disk took of `wanted` bytes, given back at once. `out of time`: so much, and it was not full."""

    wanted: int
    taken: int
    verdict: Literal["enough", "full", "out of time"]


def wanted_bytes(database: int, wal: int) -> int:
    """The room that a restore needs: `database` as it was when it was dumped, and `wal` (max_wal_size) of log."""
    return round(database * (1 + SPARE_SHARE)) + wal


def check_space(host: str, facts: SpaceFacts) -> None:
    """Raise `DiskTooSmall` when the disk was full; what was not proved in the time is not refused."""
    if facts.verdict == "full":
        raise DiskTooSmall(host=host, wanted=f"{facts.wanted:,}", taken=f"{facts.taken:,}")
