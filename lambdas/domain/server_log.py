"""What the end of a PostgreSQL server's log tells of damage, in each of the formats that it may be written in."""

import csv
import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from lambdas.domain.damage import Finding, is_notable, logged

Format = Literal["jsonlog", "csvlog", "stderr"]
FORMATS: tuple[Format, ...] = ("jsonlog", "csvlog", "stderr")
"""The most telling first: the last one does not say which database a line is about, and seldom has a SQLSTATE."""

_CSV_RECORD = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} [^,\n]+,", re.MULTILINE)
_PLAIN = re.compile(r"(?P<time>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\S*)?.*?\b(?P<severity>PANIC|FATAL|ERROR): +(?P<text>.*)")
_STATE = re.compile(r"(?P<state>[0-9A-Z]{5}): (?P<text>.*)")


@dataclass(frozen=True)
class _Line:
    time: str
    database: str
    severity: str
    state: str
    message: str


def log_findings(text: str, form: Format, database: str) -> list[Finding]:
    """Each kind of error that may tell of damage, once, with its number and the time of the last.

    `text` may begin in the middle of a record. Errors in other databases are left out, where the log names them.
    """
    kinds: dict[str, tuple[int, str]] = {}
    for line in _READERS[form](text):
        if line.database in ("", database) and is_notable(line.severity, line.state, line.message):
            kind = logged(line.severity, line.state, line.message)
            kinds[kind] = (kinds.get(kind, (0, ""))[0] + 1, line.time)
    found = [
        f"{kind}, {count} in the log, the last at {time or 'an unknown time'}" for kind, (count, time) in kinds.items()
    ]
    return [Finding("log", "noted", None, problem) for problem in found]


def _json(text: str) -> Iterator[_Line]:
    for line in text.splitlines():
        try:
            held = json.loads(line)
            keys = ("timestamp", "dbname", "error_severity", "state_code", "message")
            yield _Line(*(str(held.get(key, "")) for key in keys))
        except (ValueError, AttributeError):
            continue


def _csv(text: str) -> Iterator[_Line]:
    """PostgreSQL manual, "Using CSV-Format Log Output": the columns' order."""
    first = _CSV_RECORD.search(text)
    records = csv.reader(io.StringIO(text[first.start() :] if first else "", newline=""))
    while True:
        try:
            record = next(records)
        except StopIteration:
            return
        except csv.Error:
            continue
        if len(record) > 13:
            yield _Line(record[0], record[2], record[11], record[12], record[13])


def _plain(text: str) -> Iterator[_Line]:
    for line in text.splitlines():
        if match := _PLAIN.match(line):
            state = _STATE.match(match["text"])
            said = state["text"] if state else match["text"]
            yield _Line(match["time"] or "", "", match["severity"], state["state"] if state else "", said)


_READERS = {"jsonlog": _json, "csvlog": _csv, "stderr": _plain}
