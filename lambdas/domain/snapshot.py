"""The offline proof that a stream of bytes is one whole Vault (OpenBao) raft snapshot.

A snapshot is a gzip of a tar with `meta.json`, `state.bin`, `SHA256SUMS` and, where the seal signs it,
`SHA256SUMS.sealed`. It is checked as it passes by, in constant memory, to the last byte of the gzip trailer.
Its sums find damage, not tampering: against that stands our own encryption.
"""

import hashlib
import json
import tarfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass

from lambdas.domain.vault_errors import SnapshotDamaged

_BLOCK = 512
_INFLATED_AT_ONCE = 256 * 1024
_SMALL_MEMBER = 64 * 1024
_MEMBERS = ("meta.json", "state.bin", "SHA256SUMS", "SHA256SUMS.sealed")


@dataclass(frozen=True)
class SnapshotFacts:
    """What a whole snapshot says of itself: its raft index and term, and the size of its state in bytes."""

    index: int
    term: int
    state_bytes: int


class SnapshotVerifier:
    """Feed every byte with `update`, then call `finish`. Holds at most a few hundred KiB."""

    def __init__(self) -> None:
        self._inflate = zlib.decompressobj(wbits=31)
        self._take: Callable[[], bool] = self._take_header
        self._pending = bytearray()
        self._left = 0
        self._padding = 0
        self._name = ""
        self._content = bytearray()
        self._digest = hashlib.sha256()
        self._sums: dict[str, str] = {}
        self._small: dict[str, bytes] = {}
        self._state_bytes = 0
        self._ended = False

    def update(self, data: bytes) -> None:
        """Check the next bytes of the stream. Raises `SnapshotDamaged`."""
        while data:
            if self._inflate.eof:
                raise SnapshotDamaged(problem="there are bytes after its end")
            try:
                self._walk(self._inflate.decompress(data, _INFLATED_AT_ONCE))
            except zlib.error as error:
                raise SnapshotDamaged(problem=f"it does not decompress ({error})") from None
            data = self._inflate.unconsumed_tail or self._inflate.unused_data

    def finish(self) -> SnapshotFacts:
        """The verdict after the last byte. Raises `SnapshotDamaged`."""
        if not self._inflate.eof:
            raise SnapshotDamaged(problem="it ends before its gzip trailer")
        if not self._ended:
            raise SnapshotDamaged(problem="it ends in the middle of its archive")
        for name in ("meta.json", "state.bin", "SHA256SUMS"):
            if name not in self._sums:
                raise SnapshotDamaged(problem=f"it has no {name}")
        listed = self._listed_sums()
        for name in ("meta.json", "state.bin"):
            if listed.get(name) != self._sums[name]:
                raise SnapshotDamaged(problem=f"the checksum of {name} is wrong")
        return self._facts()

    def _listed_sums(self) -> dict[str, str]:
        try:
            lines = self._small["SHA256SUMS"].decode().splitlines()
            return {name: digest for digest, name in (line.split() for line in lines if line.strip())}
        except ValueError:
            raise SnapshotDamaged(problem="its SHA256SUMS cannot be read") from None

    def _facts(self) -> SnapshotFacts:
        try:
            meta = json.loads(self._small["meta.json"])
            facts = SnapshotFacts(int(meta["Index"]), int(meta["Term"]), self._state_bytes)
            size = int(meta["Size"])
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
            raise SnapshotDamaged(problem="its meta.json cannot be read") from None
        if size != self._state_bytes:
            raise SnapshotDamaged(problem="its state has another size than meta.json says")
        return facts

    def _walk(self, inflated: bytes) -> None:
        self._pending += inflated
        while self._take():
            pass

    def _take_header(self) -> bool:
        if len(self._pending) < _BLOCK:
            return False
        block = bytes(self._pending[:_BLOCK])
        del self._pending[:_BLOCK]
        if not block.strip(b"\0"):
            self._ended, self._take = True, self._take_tail
            return True
        try:
            member = tarfile.TarInfo.frombuf(block, "utf-8", "strict")
        except (tarfile.HeaderError, UnicodeDecodeError):
            raise SnapshotDamaged(problem="its archive cannot be read") from None
        if member.name not in _MEMBERS or not member.isreg() or member.size < 0:
            raise SnapshotDamaged(problem="its archive holds a member that does not belong there")
        if member.name in self._sums:
            raise SnapshotDamaged(problem=f"its archive holds {member.name} twice")
        if member.name != "state.bin" and member.size > _SMALL_MEMBER:
            raise SnapshotDamaged(problem=f"its {member.name} is too large")
        self._name, self._left = member.name, member.size
        self._padding = -member.size % _BLOCK
        self._digest, self._content = hashlib.sha256(), bytearray()
        self._take = self._take_content
        return True

    def _take_content(self) -> bool:
        if self._left:
            part = bytes(self._pending[: self._left])
            if not part:
                return False
            del self._pending[: len(part)]
            self._left -= len(part)
            self._digest.update(part)
            if self._name == "state.bin":
                self._state_bytes += len(part)
            else:
                self._content += part
            return True
        if len(self._pending) < self._padding:
            return False
        del self._pending[: self._padding]
        self._sums[self._name] = self._digest.hexdigest()
        if self._name != "state.bin":
            self._small[self._name] = bytes(self._content)
        self._take = self._take_header
        return True

    def _take_tail(self) -> bool:
        if self._pending.strip(b"\0"):
            raise SnapshotDamaged(problem="its archive goes on after its end")
        self._pending.clear()
        return False
