"""What CloudWatch Logs hands to a function that has subscribed to a log group: JSON in gzip in base64.

CloudWatch Logs guide, "Log group-level subscription filters": a delivery is of one stream, may come again, and may be a
mere trial of the connection (CONTROL_MESSAGE), which holds nothing.
"""

import base64
import json
import zlib

import msgspec
from msgspec import Struct, field

from lambdas.domain.detection import LogEvent

_DATA = "DATA_MESSAGE"
_GZIP = zlib.MAX_WBITS | 16


class _Event(Struct, frozen=True):
    id: str
    timestamp: int
    message: str


class LogDelivery(Struct, frozen=True):
    """`group` and `stream` are where the lines were written to."""

    kind: str = field(name="messageType")
    group: str = field(name="logGroup")
    stream: str = field(name="logStream")
    lines: list[_Event] = field(name="logEvents")

    @property
    def events(self) -> list[LogEvent]:
        """The lines with their times in seconds; none of a trial."""
        if self.kind != _DATA:
            return []
        return [LogEvent(each.id, each.timestamp // 1000, each.message) for each in self.lines]


def read_delivery(data: str) -> LogDelivery:
    """A delivery as it comes. Raises what `base64`, `zlib`, `json` and `msgspec` do for one that is none.

    `json` takes half a surrogate for a character, and `msgspec` would refuse all lines for one that holds it.
    """
    return msgspec.convert(json.loads(zlib.decompress(base64.b64decode(data), _GZIP)), LogDelivery)
