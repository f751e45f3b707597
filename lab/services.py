"""The forwarding service's two programs that use the database, run by a real supervisord."""

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from lab.aws import ROOT
from lab.certificates import CertificateAuthority
from lab.processes import LOOPBACK, free_port
from lab.supervisor import Program, Supervisor

NAMES = ("smtp-receiver", "api")
"""The order of stopping: mail is refused first, so that none is taken that could not be stored."""


class LabServices:
    """`api` and `smtp-receiver`, on one database through the service's own role."""

    def __init__(self, folder: Path, authority: CertificateAuthority, dsn: str) -> None:
        """`dsn` is how libpq reaches the database, password included: it goes into the programs' environment alone."""
        self.folder, self.authority = folder, authority
        self.api_port, self.smtp_port = free_port(), free_port()
        self.smtp_url = f"smtp://{LOOPBACK}:{self.smtp_port}"
        self.health_urls = [f"http://{LOOPBACK}:{self.api_port}/health"]
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "DATABASE_URL": dsn, "LC_ALL": "C.UTF-8"}
        programs = {
            "api": _program("lab.forwarding_api", self.api_port),
            "smtp-receiver": _program("lab.forwarding_smtp", self.smtp_port),
        }
        self._supervisor = Supervisor(folder, authority, programs, environment)

    @property
    def address(self) -> str:
        """Of supervisord's API: `https://…`, once it is started."""
        return self._supervisor.address

    @property
    def username(self) -> str:
        return self._supervisor.username

    @property
    def password(self) -> str:
        return self._supervisor.password

    @contextlib.contextmanager
    def started(self) -> Iterator["LabServices"]:
        """Run supervisord, which starts both programs, until the block ends; they may be ready a little later."""
        with self._supervisor.started():
            yield self

    def log_of(self, name: str) -> str:
        """What `api` or `smtp-receiver` has logged."""
        return self._supervisor.log_of(name)


def _program(module: str, port: int) -> Program:
    # supervisord adds PORT to the environment that both share.
    return Program([sys.executable, "-m", module], {"environment": f"PORT={port}"})
