"""A check of the status: what every one of them says, and the hints that many of them share."""

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["good", "not good", "unknown", "skipped"]

REFUSED = "Run this with credentials that may read what is named here."
SILENT = "Ask again; health.aws.amazon.com tells whether AWS has a problem there."


@dataclass(frozen=True)
class Check:
    """One check: a stable name, the region it is of, the verdict, a sentence, and what to do about it."""

    name: str
    region: str | None
    verdict: Verdict
    said: str
    hint: str | None = None
