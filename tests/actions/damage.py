"""What may happen to a stored backup, and what the actions say of it."""

from collections.abc import Callable

from lambdas.adapters.envelope import Envelope
from lambdas.domain.backup import BackupName
from tests.actions.house import House, SavedBackup

Damage = Callable[[bytes], bytes]


def _flip_first(content: bytes) -> bytes:
    return bytes([content[0] ^ 1]) + content[1:]


def _flip_middle(content: bytes) -> bytes:
    at = len(content) // 2
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


def _flip_last(content: bytes) -> bytes:
    return content[:-1] + bytes([content[-1] ^ 1])


def _truncate(content: bytes) -> bytes:
    return content[: len(content) // 2]


def _lose_last_byte(content: bytes) -> bytes:
    return content[:-1]


def _append(content: bytes) -> bytes:
    return content + b"\0"


def _empty(_: bytes) -> bytes:
    return b""


DAMAGES: list[Damage] = [_flip_first, _flip_middle, _flip_last, _truncate, _lose_last_byte, _append, _empty]


def swapped(house: House, saved: SavedBackup) -> bytes:
    """The bytes of another backup: whole, under the same key, and of the same Vault."""
    name = saved.read().name
    other = BackupName(name.kind, name.series, name.started_at.replace(day=21))
    envelope = Envelope(house.keys.arn("backup"), house.keys.offline_public)
    plain = envelope.open([saved.content], name.encryption_context)
    return b"".join(envelope.seal(plain, other.encryption_context))
