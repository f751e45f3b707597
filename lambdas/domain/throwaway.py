"""The databases that Mailark makes beside others: by their names anybody sees what they are."""

from typing import Literal

Purpose = Literal["test", "restored", "before"]
"""`test` is thrown away when it is proved, `restored` takes the live one's place, `before` gives deleted rows back."""


def throwaway_name(purpose: Purpose, database: str) -> str:
    """The one name for a purpose: what an earlier operation has left is found by it, and replaced."""
    return f"mailark_{purpose}_{database}"
