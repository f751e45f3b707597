"""One Mailu server: its four ports, all with TLS, on one event loop."""

import asyncio
import functools
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

from lab.certificates import Certificate, CertificateAuthority
from lab.mailu.api import Api
from lab.mailu.faults import Faults
from lab.mailu.imap import Imap
from lab.mailu.limits import Limits
from lab.mailu.log import MailuLog, Sink
from lab.mailu.logins import Logins
from lab.mailu.smtp import Submission
from lab.mailu.state import State
from lab.mailu.web import Web
from lab.processes import LOOPBACK

_CUT_SECONDS = 1.0
_GOODBYE_SECONDS = 0.2
"""For a client to answer the end of TLS; asyncio would wait for half a minute."""


@dataclass
class Ports:
    """Where a server listens; 0 is a free port, chosen at the first start and kept."""

    https: int = 0
    imaps: int = 0
    smtps: int = 0
    submission: int = 0


@dataclass(frozen=True)
class Certificates:
    """The right one, and one for the fault `wrong_certificate`, which another CA has signed."""

    right: Certificate
    wrong: Certificate

    @staticmethod
    def made(authority: CertificateAuthority, folder: Path) -> "Certificates":
        """For any number of servers; `folder` takes the other CA."""
        folder.mkdir(parents=True, exist_ok=True)
        return Certificates(authority.issue("mailu"), CertificateAuthority(folder).issue("mailu"))


class MailuServer:
    """`log` takes Mailu's lines; `seen_as` says as what addresses the loopback ones of clients are taken."""

    def __init__(
        self, certificates: Certificates, api_token: str, log: Sink, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.state, self.faults, self.limits, self.ports = State(), Faults(), Limits(clock), Ports()
        self.seen_as: dict[str, str] = {}
        self._log = MailuLog(log)
        logins = Logins(self.state, self.limits, self.faults, self._log)
        self.api = Api(self.state, self.limits, self.faults, self._log, api_token)
        self._web = Web(self.state, self.faults, self.api, logins, self.seen_as)
        self._tls = self._context(certificates)
        self.imap = Imap(logins, self.faults, self._log, self._address)
        common = (logins, self.state, self.faults, self._log, self._address)
        self._submissions = [Submission(*common, starttls=None), Submission(*common, starttls=self._tls)]
        self._listening = _Listening()

    @property
    def address(self) -> str:
        """Of the web interface and the API, as `webmail_url` in Vault has it."""
        return f"https://localhost:{self.ports.https}"

    async def start(self) -> None:
        """Listen on all ports; the same ones each time."""
        self._listening = _Listening()
        runner = web.AppRunner(self._web.application(), access_log=None, shutdown_timeout=0)
        await runner.setup()
        self._listening.runner = runner
        loop, ports, (smtps, submission) = asyncio.get_running_loop(), self.ports, self._submissions
        ports.https = await self._listen(functools.partial(loop.create_server, _server(runner)), ports.https, self._tls)
        imap = functools.partial(asyncio.start_server, self.imap.serve)
        ports.imaps = await self._listen(imap, ports.imaps, self._tls)
        ports.smtps = await self._listen(functools.partial(loop.create_server, smtps.protocol), ports.smtps, self._tls)
        ports.submission = await self._listen(
            functools.partial(loop.create_server, submission.protocol), ports.submission, None
        )

    async def stop(self) -> None:
        """Close all ports and cut all connections."""
        for server in self._listening.servers:
            server.close()
        self.imap.cut()
        for submission in self._submissions:
            submission.cut()
        if self._listening.runner:
            await self._listening.runner.cleanup()
        deadline = time.monotonic() + _CUT_SECONDS
        while (self.imap.open or any(each.open for each in self._submissions)) and time.monotonic() < deadline:
            await asyncio.sleep(0.005)  # what was cut says so when the loop comes round

    async def _listen(self, create: Callable[..., object], port: int, tls: ssl.SSLContext | None) -> int:
        more = {"ssl": tls, "ssl_shutdown_timeout": _GOODBYE_SECONDS} if tls else {}
        server = await create(host=LOOPBACK, port=port, **more)  # type: ignore[misc]  # asyncio's, of either kind
        assert isinstance(server, asyncio.Server)
        self._listening.servers.append(server)
        return int(server.sockets[0].getsockname()[1])

    def _address(self, peer: str) -> str:
        return self.seen_as.get(peer, peer)

    def _context(self, certificates: Certificates) -> ssl.SSLContext:
        right, wrong = (_context(each) for each in (certificates.right, certificates.wrong))

        def choose(connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
            if self.faults.wrong_certificate:
                connection.context = wrong

        right.sni_callback = choose
        return right


@dataclass
class _Listening:
    """What has to be closed again."""

    servers: list[asyncio.Server] = field(default_factory=list)
    runner: web.AppRunner | None = None


def _context(certificate: Certificate) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate.certificate, certificate.key)
    return context


def _server(runner: web.AppRunner) -> web.Server:
    assert runner.server is not None  # it is set up
    return runner.server
