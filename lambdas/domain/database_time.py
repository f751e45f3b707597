"""How long a dump, a restore or a proof will take: known before it starts, or not started at all."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from lambdas.domain.backup import CatalogRow
from lambdas.domain.database_errors import DumpTooLong

LIMIT_SECONDS = 12 * 60
"""A Lambda function ends after 15 minutes (Lambda quotas); three are left for what comes before and after."""

_MEGABYTE = 1_000_000
_DUMP_RATE = 25 * _MEGABYTE
"""Bytes of a database a second, where nothing was measured yet: a third of what a function's network carries."""
_LOAD_RATE = 30 * _MEGABYTE
"""Bytes of SQL a second: a third of what psql loaded in a benchmark, where server and client shared two cores."""
_CHECK_RATE = 100 * _MEGABYTE
"""Bytes of SQL a second that a stored dump is read, opened, decompressed and hashed by: what a benchmark did and loaded
besides, 3 GB in 29 s (benchmarks/results/latest.json, "Restore of 3 GB"). No dump is promised more."""
_PROOF_RATE = 50 * _MEGABYTE
"""Bytes of SQL a second that a restored database is proved by: two thirds of what a function's network carries, over
which its own dump comes. With server and client on one machine a benchmark took 2.6 s of 3 GB for counts and checksums,
and 8.8 s for the dump (the same file, "Proof of 3 GB")."""
_AT_MOST = 4
"""How much faster than an unknown server a known one may be taken to be."""
_MOMENT_SECONDS = 30
"""What took less was the start of programs above all, and says nothing of what takes minutes."""
LAST = 3
"""Of so many measurements the fastest counts: after one slow night nothing would be begun any more, or measured."""

Paced = Literal["load_rate", "proof_rate"]
"""What the catalog has the pace of."""


@dataclass(frozen=True)
class Took:
    """What an earlier dump took: so many seconds for a database of so many bytes."""

    size: int
    seconds: float


def rate_of(size: int, seconds: float) -> int:
    """Whole bytes a second; 0, which is none, for what took less than half a minute."""
    return int(size / seconds) if seconds >= _MOMENT_SECONDS else 0


def usual_rate(rows: Iterable[CatalogRow], of: Paced) -> int:
    """The fastest of the three newest rates that a catalog has, in bytes a second; 0 where it has none."""
    newest = sorted(rows, key=lambda row: row.started_at, reverse=True)
    rates: Sequence[int] = [rate for row in newest if (rate := getattr(row, of))]
    return max(rates[:LAST], default=0)


def seconds_of_dump(size: int, last: Iterable[Took]) -> float:
    """The seconds that a dump of a database of `size` bytes will take, by the last ones where there are any."""
    return size / _pace(max((rate_of(each.size, each.seconds) for each in last), default=0), _DUMP_RATE)


def seconds_of_load(sql_size: int, rate: int = 0, *, elsewhere: bool = False) -> float:
    """The seconds that it will take to load so many bytes of SQL; by `rate` where one was measured.

    What was measured `elsewhere`, on a server that may be a smaller one, holds up no recovery: it counts where it is
    faster than what an unknown server is taken to do.
    """
    return sql_size / _pace(rate, _LOAD_RATE, elsewhere)


def seconds_of_check(sql_size: int) -> float:
    """The seconds that it will take to read a stored dump of so many bytes of SQL, and prove it intact."""
    return sql_size / _CHECK_RATE


def seconds_of_proof(sql_size: int, rate: int = 0, *, elsewhere: bool = False) -> float:
    """The seconds that it will take to prove a restored database whose dump has so many bytes of SQL; as above."""
    return sql_size / _pace(rate, _PROOF_RATE, elsewhere)


def _pace(measured: int, unknown: int, elsewhere: bool = False) -> float:
    known = min(measured, _AT_MOST * unknown) if measured else unknown
    return max(known, unknown) if elsewhere else known


def refuse_too_long(what: str, seconds: float, size: int) -> None:
    """Raise `DumpTooLong` for what would not be done in time."""
    if seconds > LIMIT_SECONDS:
        raise DumpTooLong(
            what=what, minutes=round(seconds / 60), limit=LIMIT_SECONDS // 60, size=f"{size / 1e9:,.0f} GB"
        )
