"""A Mailu for tests: the lab's stand-in on a loop in this process, so that a test can break it and look into it."""

import base64
import contextlib
import imaplib
import json
import secrets
import smtplib
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import urllib3

from lab.certificates import CertificateAuthority
from lab.mailu.running import MailuHost
from lab.mailu.server import Certificates, MailuServer
from lab.mailu.state import User

SECONDS = 10.0


@dataclass
class Mailu:
    """One server, with its own clients for what a test wants to see without the adapter. `log` grows line by line."""

    host: MailuHost
    authority: CertificateAuthority
    server: MailuServer
    log: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.tls = ssl.create_default_context(cadata=self.authority.pem)
        self._connections: list[imaplib.IMAP4_SSL] = []
        self._pool = urllib3.PoolManager(ssl_context=self.tls, retries=False, timeout=SECONDS)

    @property
    def address(self) -> str:
        return self.server.address

    @property
    def token(self) -> str:
        return self.server.api.token

    def add_user(self, email: str | None = None, **fields: Any) -> tuple[User, str]:
        """Somebody new, in a domain of its own unless an address is given; and the password."""
        password = secrets.token_urlsafe(24)
        email = email or f"admin@tenant-{secrets.token_hex(4)}.example.org"
        return self.server.state.add_user(email, password, **fields), password

    def api(
        self, method: str, path: str, payload: object = None, token: str | None = "", address: str = ""
    ) -> urllib3.BaseHTTPResponse:
        """One request; `token` is the right one unless given (None: no header), `address` where it comes from."""
        headers = {"Content-Type": "application/json"}
        if token is not None:
            headers["Authorization"] = f"Bearer {token or self.token}"
        if address:
            headers["X-Real-IP"] = address
        body = None if payload is None else json.dumps(payload)
        return self._pool.request(method, f"{self.address}/api/v1{path}", body=body, headers=headers, redirect=False)

    def web(self, method: str, path: str, cookie: str = "", address: str = "", **form: str) -> urllib3.BaseHTTPResponse:
        """One request as a browser sends it."""
        headers = {name: value for name, value in (("Cookie", cookie), ("X-Real-IP", address)) if value}
        more: Any = {"fields": form, "encode_multipart": False} if form else {}
        return self._pool.request(method, f"{self.address}{path}", headers=headers, redirect=False, **more)

    def log_in(self, email: str, password: str, address: str = "") -> urllib3.BaseHTTPResponse:
        """By the web, as `platform-facts.md` says."""
        return self.web("POST", "/sso/login", address=address, email=email, pw=password, pwned="-1", submitAdmin="yes")

    def imap(self, email: str, password: str) -> imaplib.IMAP4_SSL:
        """A connection that has logged in. Raises `imaplib.IMAP4.error`."""
        connection = imaplib.IMAP4_SSL("localhost", self.server.ports.imaps, ssl_context=self.tls, timeout=SECONDS)
        try:
            connection.authenticate("PLAIN", lambda _: _plain(email, password))
        except imaplib.IMAP4.error:
            connection.shutdown()
            raise
        self._connections.append(connection)
        return connection

    def smtp(self, email: str, password: str, port: int = 0, source: str = "") -> int:
        """The answer to a login on 465, or on another `port` by STARTTLS; `source` is an address of loopback's."""
        limits: Any = {"timeout": SECONDS, "local_hostname": "test", "source_address": (source, 0) if source else None}
        smtp: smtplib.SMTP
        if port:
            smtp = smtplib.SMTP("localhost", port, **limits)
            smtp.starttls(context=self.tls)
        else:
            smtp = smtplib.SMTP_SSL("localhost", self.server.ports.smtps, context=self.tls, **limits)
        with smtp:
            smtp.ehlo()
            return smtp.docmd("AUTH", f"PLAIN {base64.b64encode(_plain(email, password)).decode()}")[0]

    def close(self) -> None:
        """End what a test has left open."""
        for connection in self._connections:
            with contextlib.suppress(OSError):
                connection.shutdown()
        self._pool.clear()

    def logged(self, text: str) -> list[str]:
        """The lines of the log that hold this text."""
        return [line for line in self.log if text in line]


@dataclass
class Mailus:
    """Any number of servers of one lab."""

    host: MailuHost
    authority: CertificateAuthority
    started: list[Mailu] = field(default_factory=list)

    def start(self) -> Mailu:
        log: list[str] = []
        self.started.append(Mailu(self.host, self.authority, self.host.start(log.append), log))
        return self.started[-1]


@contextlib.contextmanager
def mailus(folder: Path) -> Iterator[Mailus]:
    """Servers until the block ends."""
    authority = CertificateAuthority(folder)
    host = MailuHost(Certificates.made(authority, folder / "other-ca"))
    servers = Mailus(host, authority)
    try:
        yield servers
    finally:
        for mailu in servers.started:
            mailu.close()
        host.stop()


def _plain(email: str, password: str) -> bytes:
    return f"\0{email}\0{password}".encode()
