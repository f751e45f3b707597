"""Mailu servers in a process of their own, as the lab runs them: started, broken and looked into from outside."""

import contextlib
import json
import os
import secrets
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import urllib3

from lab.aws import ROOT
from lab.certificates import CertificateAuthority
from lab.mailu.seed import PORTS, SEED, AllPorts, Seed, SeedPorts, SeedServer
from lab.mailu.server import Certificates
from lab.processes import LOOPBACK, Server

_SECONDS = 30.0


class MailuProcess:
    """The servers of a list of seeds; `ports` of each in the same order, once it is started."""

    def __init__(self, folder: Path, authority: CertificateAuthority, servers: Sequence[SeedServer]) -> None:
        self.ports: list[SeedPorts] = []
        self._folder, self._servers = folder, list(servers)
        self._certificates = Certificates.made(authority, folder / "other-ca")
        self._secret = secrets.token_urlsafe(24)
        self._control = 0
        self._pool = urllib3.PoolManager(timeout=_SECONDS, retries=False)

    def address(self, server: int = 0) -> str:
        """Of a server's web interface and API."""
        return f"https://localhost:{self.ports[server].https}"

    @contextlib.contextmanager
    def started(self) -> Iterator["MailuProcess"]:
        """Run it until the block ends. Raises `LabError` with the end of its log when it does not start."""
        seed = self._folder / SEED
        seed.touch(mode=0o600)
        seed.write_bytes(msgspec.json.encode(self._seed()))
        found = self._folder / PORTS
        found.unlink(missing_ok=True)
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-m", "lab.mailu", str(self._folder)]
        server = Server("mailu", command, environment, self._folder, self._folder / "process.log")
        try:
            server.wait_until(found.exists, _SECONDS)
            ports = msgspec.json.decode(found.read_bytes(), type=AllPorts)
            self.ports, self._control = ports.servers, ports.control
            yield self
        finally:
            server.kill()
            self._pool.clear()

    def break_(self, server: int = 0, **faults: Any) -> None:
        """Set some of `lab.mailu.faults.Faults`."""
        self._ask("PATCH", f"{server}/faults", faults)

    def see_as(self, loopback: str, address: str, server: int = 0) -> None:
        """Take clients that come from this address of loopback's for those of another."""
        self._ask("PATCH", f"{server}/seen-as", {loopback: address})

    def forget_limits(self, server: int = 0) -> None:
        """Let in again whom wrong tokens and logins have locked out."""
        self._ask("POST", f"{server}/forget-limits")

    def down(self, server: int = 0) -> None:
        """Close its ports, and cut all connections."""
        self._ask("POST", f"{server}/down")

    def up(self, server: int = 0) -> None:
        """Open the same ports again."""
        self._ask("POST", f"{server}/up")

    def cut(self, email: str | None = None, server: int = 0) -> int:
        """End the open IMAP connections of a user, or all; gives how many."""
        return int(self._ask("POST", f"{server}/cut", {"email": email})["cut"])

    def connections(self, server: int = 0) -> list[str]:
        """Whose IMAP connections are open; empty for one without a login yet."""
        return [str(each) for each in self._ask("GET", f"{server}/connections")]

    def log(self, server: int = 0) -> str:
        """What a server has logged."""
        return (self._folder / f"mailu-{server}.log").read_text()

    def _seed(self) -> Seed:
        right, wrong = self._certificates.right, self._certificates.wrong
        pairs = [(str(each.certificate), str(each.key)) for each in (right, wrong)]
        return Seed(self._servers, pairs[0], pairs[1], self._secret)

    def _ask(self, method: str, path: str, payload: object = None) -> Any:
        answer = self._pool.request(
            method,
            f"http://{LOOPBACK}:{self._control}/{path}",
            body=None if payload is None else json.dumps(payload),
            headers={"Authorization": f"Bearer {self._secret}", "Content-Type": "application/json"},
        )
        if answer.status != 200:
            raise RuntimeError(f"{method} {path} answered {answer.status}: {answer.data.decode(errors='replace')}")
        return answer.json()
