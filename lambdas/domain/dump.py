"""A dump of PostgreSQL as a stream: compressed, decompressed, and verified to its last byte."""

import hashlib
import re
from collections.abc import Iterable, Iterator

from isal import isal_zlib

from lambdas.domain.backup import Bytes
from lambdas.domain.database_errors import DumpDamaged

_GZIP = 31
"""zlib.h, `deflateInit2`: 15 bits of window, and 16 more for a gzip header and trailer."""
_LEVEL = 2
"""Measured: twelve times as fast as `gzip -6`, and 6 % larger (docs/decisions.md)."""

_VERSIONS = re.compile(rb"\n-- Dumped from database version [^\n]*\n-- Dumped by pg_dump version [^\n]*\n")
_HEAD_BYTES = 1024
"""pg_dump writes these two lines within its first ten."""
_TAIL_BYTES = 256
_END = re.compile(rb"\n--\n-- PostgreSQL database dump complete\n--\n\n\\unrestrict [0-9A-Za-z]+\n\n\Z")
"""PostgreSQL's source, pg_backup_archiver.c, `RestoreArchive`: nothing may come after it."""
_AT_ONCE = 4 * 1024 * 1024
"""Bytes: a megabyte of gzip may be a thousand of them."""


def gzipped(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Compress a stream into one gzip member, as `gzip` itself reads it."""
    compressor = isal_zlib.compressobj(level=_LEVEL, wbits=_GZIP)
    for piece in pieces:
        if packed := compressor.compress(piece):
            yield packed
    yield compressor.flush()


def gunzipped(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Decompress one gzip member, held to its checksum and its length. Raises `DumpDamaged`."""
    unpacker = isal_zlib.decompressobj(wbits=_GZIP)
    for piece in pieces:
        packed, plain = piece, b""
        while packed or len(plain) == _AT_ONCE:  # what did not fit is asked for again
            if unpacker.eof and packed:
                raise DumpDamaged(problem="there are bytes after the end of its gzip member")
            try:
                plain = unpacker.decompress(packed, _AT_ONCE)
            except isal_zlib.IsalError:  # type: ignore[misc]  # its stub calls the class an object
                raise DumpDamaged(problem="its gzip does not decompress") from None
            packed = unpacker.unused_data if unpacker.eof else unpacker.unconsumed_tail
            if plain:
                yield plain
    if not unpacker.eof:
        raise DumpDamaged(problem="its gzip ends early")


class DumpVerifier:
    """Takes the SQL of a dump as it passes: its size, its SHA-256, and whether pg_dump itself ended it.

    Two lines hold the versions of server and client; they count neither in the size nor in the hash, so that a dump of
    the restored database, by a newer minor version, can equal the first one.
    """

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._size = 0
        self._head: bytes | None = b""
        self._tail = b""

    def update(self, piece: bytes) -> None:
        if self._head is not None:
            self._head += piece
            if len(self._head) < _HEAD_BYTES:
                return
            piece, self._head = _without_versions(self._head), None
        self._take(piece)

    def _take(self, piece: bytes) -> None:
        self._hash.update(piece)
        self._size += len(piece)
        self._tail = (self._tail + piece[-_TAIL_BYTES:])[-_TAIL_BYTES:]

    def finish(self) -> Bytes:
        """Size in bytes and SHA-256, the two lines left out. Raises `DumpDamaged` for one that ends early."""
        if self._head is not None:
            self._take(_without_versions(self._head))
            self._head = None
        if not _END.search(self._tail):
            raise DumpDamaged(problem="pg_dump has not ended it")
        return self.sql

    @property
    def sql(self) -> Bytes:
        return Bytes(self._size, self._hash.hexdigest())


def _without_versions(head: bytes) -> bytes:
    return _VERSIONS.sub(b"\n", head[:_HEAD_BYTES], count=1) + head[_HEAD_BYTES:]
