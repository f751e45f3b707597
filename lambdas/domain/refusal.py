"""How a command that a person types says why it stops."""


class Refused(Exception):
    """Two lines: a sentence of fact, and what to do. Shown to people: never pass a secret."""

    def __init__(self, fact: str, cure: str) -> None:
        super().__init__(f"{fact}\nNext: {cure}")
