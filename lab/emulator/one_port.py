"""The emulator listens where it is told to, and nowhere else; MiniStack takes port 443 too when it may.

Two that start at once would meet on it, and a person's machine has other uses for it.
"""

from ministack import app


def apply() -> None:
    app._port_is_bindable = lambda *_: False
