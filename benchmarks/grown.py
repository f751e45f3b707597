"""What a house in use asks of AWS beyond the lab's young one: computed from what the code does, and not counted.

Full of backups is a house after a year of nights. What it signs and records is never deleted, and grows on: here it is
what there is when the first year ends.
"""

from dataclasses import dataclass

from benchmarks.prices import Units
from lambdas.domain.retention import COPY_RULES, RULES, RetentionRule

_PLACES = 2
"""An object and its manifest."""

_PAGE = 1000
"""Keys in one listing of S3."""
_READ_UNIT = 4096
"""Bytes that a consistent read of DynamoDB gets for one unit."""
_AT_ONCE = 16
"""Signed documents that are read together, newest first (`audit_archive.py`)."""
_COPIES = 1 + 3
"""An event lies in the table and in each of its three indexes."""


def kept(kind: str) -> tuple[int, int]:
    """How many backups of a kind there are at most, here and in the other region.

    On the 31st of a month none of the daily backups is the first of its month.
    """
    here, there = (rules[kind].daily + rules[kind].monthly for rules in (RULES, COPY_RULES))
    return here, there


def full_house(kind: str, young: int) -> Units:
    """What retention asks of S3 for the backups that the counted night did not find; it found `young` of today.

    It reads both locks of each backup in each region. A daily backup's is counted from the moment of the night: a night
    that comes later in the day than all before it sets it again, and reads it back. Here every night is such a night.
    """
    asked = sum(count - young for count in kept(kind)) * _PLACES
    again = sum(_set_again(rules[kind]) - young for rules in (RULES, COPY_RULES)) * _PLACES
    return {"S3 write": again, "S3 read": asked + again}


def _set_again(rule: RetentionRule) -> int:
    """The most whose locks a night sets again: all daily ones, and on a month's last day that of the oldest month."""
    return rule.daily + (1 if rule.monthly else 0)


@dataclass(frozen=True)
class Year:
    """What one region has recorded when its first year ends, and how many bytes each of it has in its table.

    `id_bytes` are those of the row that keeps an event from being appended twice.
    """

    documents: float
    events: float
    operations: float
    event_bytes: float
    id_bytes: float
    operation_bytes: float

    def signing(self) -> Units:
        """What `audit_signing` reads: the newest documents, and to find the heads, every row of their table."""
        return {"S3 read": _AT_ONCE, "DynamoDB read unit": self.events * self.id_bytes / _READ_UNIT}

    def verification(self) -> Units:
        """What `audit_verification` reads: each document and event, the heads' rows twice, and two listings of all."""
        bytes_read = self.events * (self.event_bytes + 2 * self.id_bytes)
        return {
            "S3 read": self.documents,
            "S3 write": 2 * (self.documents + self.events) / _PAGE,
            "DynamoDB read unit": bytes_read / _READ_UNIT,
        }

    def stored(self) -> Units:
        """GB that lie in this region: continuous backups are of tables, and have no indexes."""
        other = self.events * self.id_bytes + self.operations * self.operation_bytes
        return {
            "GB in DynamoDB": (self.events * self.event_bytes * _COPIES + other) / 1e9,
            "GB of continuous backups": (self.events * self.event_bytes + other) / 1e9,
            "GB in S3": self.events * self.event_bytes / 1e9,
        }
