"""What a dump's SQL says, in a form that does not change when PostgreSQL reads it and writes it anew.

PostgreSQL keeps expressions parsed, and writes them in words of its own: a dump of what was loaded from a dump differs
from that one in casts and parentheses where a column of `varchar` is held against a list, or in `BETWEEN`
(`ruleutils.c`). The database is the same. So casts, parentheses, white space and the versions of the programs do not
count here, outside of rows; all else does: every byte of every row, objects, owners, rights, defaults, comments, and
their order.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator

_ROWS_BEGIN = re.compile(rb"^COPY [^\n]* FROM stdin;\n", re.MULTILINE)
_ROWS_END = re.compile(rb"\n\\\.\n")
"""PostgreSQL's source, pg_dump.c, `dumpTableData_copy`; a row never holds this line."""
_OVERLAP = 3
_VERSIONS = re.compile(rb"^-- Dumped (?:from database|by pg_dump) version [^\n]*\n", re.MULTILINE)
_NAME = rb'(?:"(?:[^"]|"")*"|[A-Za-z_][A-Za-z0-9_$]*)'
_CAST = re.compile(
    rb"::" + _NAME + rb"(?:\." + _NAME + rb")?(?: varying| precision)?(?:\([0-9, ]+\))?"
    rb"(?: with(?:out)? time zone)?(?:\[\])*"
)
_UNCOUNTED = b" \t\n()"


class SqlDigest:
    """Takes the SQL of a dump as it passes, in memory that does not grow with its rows."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._rest = b""
        self._in_rows = False

    def through(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """The same pieces, taken as they pass."""
        for piece in pieces:
            self.update(piece)
            yield piece

    def update(self, piece: bytes) -> None:
        """Take the next piece."""
        text, at = self._rest + piece, 0
        while True:
            if self._in_rows:
                end = _ROWS_END.search(text, at)
                if end is None:
                    until = max(at, len(text) - _OVERLAP)
                    self._hash.update(memoryview(text)[at:until])
                    self._rest = text[until:]
                    return
                self._hash.update(memoryview(text)[at : end.end()])
                self._in_rows, at = False, end.end()
            else:
                begin = _ROWS_BEGIN.search(text, at)
                if begin is None:
                    lines = text.rfind(b"\n") + 1
                    self._take(text[at:lines])
                    self._rest = text[max(at, lines) :]
                    return
                # The line feed before a table's first row may be the one before its end: an empty table has none.
                self._take(text[at : begin.end()])
                self._in_rows, at = True, begin.end() - 1

    def _take(self, text: bytes) -> None:
        self._hash.update(_bare(text))

    def hexdigest(self) -> str:
        """The SHA-256 of it, in hex, once all was taken."""
        digest = self._hash.copy()
        digest.update(self._rest if self._in_rows else _bare(self._rest))
        return digest.hexdigest()


def _bare(text: bytes) -> bytes:
    return _CAST.sub(b"", _VERSIONS.sub(b"", text)).translate(None, _UNCOUNTED)
