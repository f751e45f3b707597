"""The escrow: what each credential is and was, apart from Vault, whose versions rewind in a restore.

A rotation writes the new value here first, as `pending`. So whoever dies on the way leaves what is needed to go on.
"""

from dataclasses import dataclass
from typing import Literal

State = Literal["pending", "current", "superseded", "compromised"]
"""`pending` is on its way to the mail server and Vault; `current` works, and one item of a credential is so at the
most; `superseded` was replaced as planned; `compromised` was replaced since somebody else knew it."""

PURPOSE = "escrow"
_COURSE: tuple[tuple[State, ...], ...] = (("pending",), ("current",), ("superseded", "compromised"))
"""How far a value has come; one that has ended never works again."""


def states_before(state: State) -> list[State]:
    """The states that a value may have had before this one."""
    reached = next(i for i, states in enumerate(_COURSE) if state in states)
    return [each for states in _COURSE[:reached] for each in states]


@dataclass(frozen=True)
class EscrowItem:
    """One value that a credential has, had, or is to get. `sealed` is an AWS Encryption SDK message in base64.

    `path` is the credential's in Vault (`smtp/550e8400-…/admin`); `item` is the id of the operation that made the
    value, so that the same operation makes it once. `vault_version` is the version in Vault that it became, or 0.
    Times are RFC 3339 in UTC.
    """

    path: str
    item: str
    state: State
    sealed: str
    created_at: str
    vault_version: int = 0
    ended_at: str = ""

    @property
    def context(self) -> dict[str, str]:
        """The encryption context: no value can stand in for another credential's, or for another value of the same."""
        return sealing_context(self.path, self.item)


def sealing_context(path: str, item: str) -> dict[str, str]:
    """The encryption context of one value of a credential."""
    return {"purpose": PURPOSE, "path": path, "item": item}
