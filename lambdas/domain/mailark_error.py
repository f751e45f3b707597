"""What a failure is: a code, a sentence of fact, and a hint that names the cure; as an exception, and as data."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

_TEXT = re.compile(r"(?P<code>[a-z0-9-]+): (?P<sentence>.*?)\nNext: (?P<hint>.*?)(?:\nOr: (?P<or_else>.*))?", re.DOTALL)


class MailarkError(Exception):
    """A failure with a code, a sentence and a hint; `str()` gives all three.

    The keyword arguments fill the blanks in `sentence` and `hint`. They are shown to people and kept in
    logs, executions and the audit trail: never pass a secret. They stay as `facts`.
    """

    code: ClassVar[str]
    sentence: ClassVar[str]
    hint: ClassVar[str]
    hints: ClassVar[Mapping[str, str]] = {}
    """Instead of `hint`, by the series of the backup that a failure is about: not each has the same cure."""
    transient: ClassVar[bool] = False
    tampering: ClassVar[bool] = False
    """Somebody may have changed a backup: the security contacts are told as well."""

    def __init__(self, **facts: object) -> None:
        self.facts: Mapping[str, object] = facts
        hint = self.hints.get(str(facts.get("series")), self.hint)
        super().__init__(f"{self.code}: {self.sentence.format(**facts)}\nNext: {hint.format(**facts)}")


@dataclass(frozen=True)
class Failure:
    """An error as data, as `FailOperation` records it and an alert says it; `or_else` is another way out, if any."""

    code: str
    sentence: str
    hint: str
    or_else: str | None = None

    @property
    def text(self) -> str:
        """As people read it, and as `parse` reads it back."""
        return f"{self.code}: {self.sentence}\nNext: {self.hint}" + (f"\nOr: {self.or_else}" if self.or_else else "")

    @staticmethod
    def parse(text: str) -> "Failure | None":
        """Read back the text of a `MailarkError`; None for any other text."""
        match = _TEXT.fullmatch(text.strip())
        return Failure(**match.groupdict()) if match else None
