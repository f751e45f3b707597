"""How Mailark marks a database as its own: one line of JSON, the last of the database's comment.

What stands above that line is somebody else's comment, and stays as it is.
"""

import json
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

Part = Literal["restored", "live", "corrupt", "undone"]
"""A copy beside the live database; one that took its place; what it replaced; a copy that lost that place again."""


@dataclass(frozen=True)
class Mark:
    """What a database is to an operation. `verified`: its content equals what the backup's manifest records.

    `opened`: whether a `corrupt` one accepted connections before it was put aside. `replaced`: the name that was given
    to the database whose place a `live` one took; None where there was none. `before`: the mark of a `corrupt` one that
    had itself been swapped in, which it has again when it is put back. `loaded`: the digest of the SQL that it
    was made of (`sql_digest.py`); empty where nobody took it.
    """

    operation: str
    backup_id: str
    verified: bool = False
    part: Part = "restored"
    opened: bool = True
    replaced: str | None = None
    before: "Mark | None" = None
    loaded: str = ""


def marked(comment: str | None, mark: Mark | None) -> str | None:
    """A database's comment with this mark instead of the one that it has; None for a comment of nothing."""
    lines = _split(comment)[0]
    if mark is not None:
        lines = [*lines, json.dumps({"mailark": asdict(mark)}, sort_keys=True)]
    return "\n".join(lines) or None


def mark_in(comment: str | None) -> Mark | None:
    """The mark in a database's comment; None for none, or for one that Mailark did not write."""
    return _split(comment)[1]


def _split(comment: str | None) -> tuple[list[str], Mark | None]:
    lines = (comment or "").split("\n")
    mark = _parse(lines[-1])
    return (lines[:-1] if mark else lines if comment else []), mark


def _parse(line: str) -> Mark | None:
    try:
        return _read(json.loads(line)["mailark"])
    except (ValueError, TypeError, KeyError):
        return None


def _read(held: dict[str, Any]) -> Mark:
    """Raises `TypeError` or `ValueError` for what Mailark did not write."""
    mark = Mark(**held)
    if mark.before is not None:
        mark = Mark(**{**held, "before": _read(held["before"])})
    texts = (mark.operation, mark.backup_id, mark.replaced or "", mark.loaded)
    flags = (mark.verified, mark.opened)
    sound = all(isinstance(text, str) for text in texts) and all(isinstance(flag, bool) for flag in flags)
    if not sound or mark.part not in get_args(Part):
        raise ValueError("another wrote it")
    return mark
