"""The lab's Mailu: one stand-in on loopback that many tenants share, as one VPS each would cost a machine."""

import contextlib
import dataclasses
import ipaddress
import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from lab.certificates import CertificateAuthority
from lab.mailu.running import MailuHost
from lab.mailu.server import Certificates
from lab.tenants import Mailbox, Tenant
from lambdas.domain.mail_login import MailServer

Ship = Callable[[str, str], None]
"""Takes the stream of a line, and the line."""

_DOMAIN = re.compile(r"@([A-Za-z0-9.-]+)")
_OF_NO_TENANT = "server"
"""The first part of the stream of a line that names nobody, such as that of a wrong API token."""
_CLIENTS = ipaddress.ip_address("127.66.0.1")
"""The first address of loopback for clients that come from elsewhere."""


class MailServers:
    """A running stand-in. Break it by `server.faults`, or by `host`; `forget_limits` lets in whom it has locked out."""

    def __init__(self, host: MailuHost, authority: CertificateAuthority, ship: Ship) -> None:
        self.host = host
        self._authority, self._ship = authority, ship
        self._tenants: dict[str, str] = {}
        """The tenant of each domain."""
        self._seen_from: dict[str, str] = {}
        self._loopback = (str(_CLIENTS + number) for number in itertools.count())
        self.server = host.start(self._log)

    @staticmethod
    @contextlib.contextmanager
    def started(folder: Path, authority: CertificateAuthority, ship: Ship) -> Iterator["MailServers"]:
        """Serve until the block ends; every line that Mailu logs goes to `ship`."""
        host = MailuHost(Certificates.made(authority, folder / "mailu-other-ca"))
        try:
            yield MailServers(host, authority, ship)
        finally:
            host.stop()

    @property
    def address(self) -> str:
        """What `webmail_url` of its tenants is."""
        return self.server.address

    @property
    def reached(self) -> MailServer:
        """Where its ports are, for whoever logs in."""
        ports = self.server.ports
        return MailServer(self.address, self._authority.pem, ports.imaps, ports.smtps, ports.submission)

    def estate(self) -> dict[str, Any]:
        """The part `credentials.mailu` of the estate."""
        ports = self.server.ports
        return {
            "ca": self._authority.pem,
            "imap_port": ports.imaps,
            "smtps_port": ports.smtps,
            "submission_port": ports.submission,
        }

    def take_in(self, tenants: Iterable[Tenant], contacts: Mapping[str, Sequence[str]] | None = None) -> list[Tenant]:
        """Give tenants a mailbox here, each in its own domain; `contacts` of some, by their ids.

        What comes back is for `Platform.store`.
        """
        mailbox = Mailbox(self.address, self.server.api.token)
        told = contacts or {}
        found = [
            dataclasses.replace(each, mailbox=mailbox, contacts=tuple(told.get(each.id, each.contacts)))
            for each in tenants
        ]
        for each in found:
            if self._tenants.setdefault(each.domain, each.id) != each.id:
                raise ValueError(f"{each.domain} is another tenant's; give `make_tenants` a `first`")

        async def add() -> None:
            for each in found:
                self.server.state.add_user(each.email, each.password)

        self.host.run(add())
        return found

    def seen_from(self, address: str) -> str:
        """An address of loopback; who connects from it is taken for a client from `address`."""
        if address not in self._seen_from:
            self._seen_from[address] = next(self._loopback)
            self.server.seen_as[self._seen_from[address]] = address
        return self._seen_from[address]

    def forget_limits(self) -> None:
        """Let in again whom wrong tokens and logins have locked out."""

        async def forget() -> None:
            self.server.limits.forget()

        self.host.run(forget())

    def _log(self, line: str) -> None:
        self._ship(f"{self._tenant_of(line)}/{_container(line)}", line)

    def _tenant_of(self, line: str) -> str:
        """On a real host, all lines are its tenant's; here it is the domain that says whose they are."""
        domains = (found.lower() for found in _DOMAIN.findall(line))
        return next((self._tenants[each] for each in domains if each in self._tenants), _OF_NO_TENANT)


def _container(line: str) -> str:
    """The container of Mailu that writes such lines (`lab/mailu/log.py`)."""
    if line.startswith("["):
        return "admin"
    return "smtp" if " postfix/" in line else "imap"
