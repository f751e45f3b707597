"""The estate for functions that run many times a second: read once a minute, as SSM answers 40 times a second.

AWS Systems Manager quotas, "Parameter Store throughput".
"""

import time

from lambdas.adapters.estate_parameter import read_estate
from lambdas.domain.estate import Estate

_SECONDS = 60
_known: dict[str, tuple[float, Estate]] = {}


def recent_estate(region: str) -> Estate:
    """The estate of a region as it was within the last minute. Raises `EstateInvalid`."""
    read_at, estate = _known.get(region, (0.0, None))
    if estate is None or time.monotonic() - read_at > _SECONDS:
        estate = read_estate(region)
        _known[region] = time.monotonic(), estate
    return estate


def forget_estates() -> None:
    """Let the next call read it anew."""
    _known.clear()
