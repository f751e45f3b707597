"""Small programs for a real supervisord, each with one habit."""

import sys

from lab.supervisor import Program


def _python(code: str) -> list[str]:
    return [sys.executable, "-S", "-E", "-c", code]


def steady(**settings: str) -> Program:
    """Runs until it is told to stop."""
    return Program(["sleep", "600"], {"startsecs": "0", **settings})


def deaf(stopwaitsecs: int) -> Program:
    """Ignores SIGTERM; supervisord kills it after so many seconds."""
    code = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"
    )
    return Program(_python(code), {"stopwaitsecs": str(stopwaitsecs), "startsecs": "0"})


def broken() -> Program:
    """Exits at once, and supervisord gives up."""
    return Program(["false"], {"startretries": "0", "autostart": "false"})


def flickering() -> Program:
    """Exits every now and then, and is started again each time."""
    return Program(["sleep", "0.2"], {"startsecs": "0", "autorestart": "true"})


def finished() -> Program:
    """Has done its work, and is not started again."""
    return Program(["true"], {"startsecs": "0", "autorestart": "false"})


def missing() -> Program:
    """A command that is not there."""
    return Program(["true"], {"autostart": "false", "command": "/nowhere/to-be-found"})
