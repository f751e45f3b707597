"""How long a dump, a restore or a proof will take: known before it starts, or not started at all."""

from dataclasses import dataclass

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
_CAUTION = 1.3


@dataclass(frozen=True)
class Measured:
    """What an earlier dump took: so many seconds for a database of so many bytes."""

    size: int
    seconds: float


def seconds_of_dump(size: int, last: Measured | None) -> float:
    """The seconds that a dump of a database of `size` bytes will take, by the last one where there is one."""
    rate = last.size / last.seconds / _CAUTION if last and last.seconds > 1 and last.size else _DUMP_RATE
    return size / min(rate, 4 * _DUMP_RATE)


def seconds_of_load(sql_size: int) -> float:
    """The seconds that it will take to load so many bytes of SQL."""
    return sql_size / _LOAD_RATE


def seconds_of_check(sql_size: int) -> float:
    """The seconds that it will take to read a stored dump of so many bytes of SQL, and prove it intact."""
    return sql_size / _CHECK_RATE


def seconds_of_proof(sql_size: int) -> float:
    """The seconds that it will take to prove a restored database whose dump has so many bytes of SQL."""
    return sql_size / _PROOF_RATE


def refuse_too_long(what: str, seconds: float, size: int) -> None:
    """Raise `DumpTooLong` for what would not be done in time."""
    if seconds > LIMIT_SECONDS:
        raise DumpTooLong(
            what=what, minutes=round(seconds / 60), limit=LIMIT_SECONDS // 60, size=f"{size / 1e9:,.0f} GB"
        )
