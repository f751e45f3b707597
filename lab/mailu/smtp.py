"""Mailu's submission: SMTP AUTH on 465 (TLS from the start) and 587 (STARTTLS), by aiosmtpd."""

import asyncio
import logging
import ssl
from collections.abc import Callable
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from lab.mailu.faults import Faults
from lab.mailu.log import MailuLog, Source
from lab.mailu.logins import LIMITED, Logins, Outcome
from lab.mailu.state import State

_ANSWERS = {
    Outcome.REFUSED: "535 5.7.8 Authentication credentials invalid",
    Outcome.NO_VERDICT: "454 4.7.0 Temporary authentication failure",
    **dict.fromkeys(LIMITED, "451 4.3.2 Temporary authentication failure (rate-limit)"),
}
"""internal/nginx.py, STATUSES."""
logging.getLogger("mail.log").addFilter(lambda record: "login_data is deprecated" not in record.getMessage())
"""aiosmtpd says so at each login, of what it does itself."""


class Submission:
    """Makes the protocol of each connection; `port` is the one that a real Mailu would show in its log."""

    def __init__(
        self,
        logins: Logins,
        state: State,
        faults: Faults,
        log: MailuLog,
        address_of: Callable[[str], str],
        starttls: ssl.SSLContext | None,
    ) -> None:
        """With `starttls` it is the port 587, without it 465."""
        self._logins, self._state, self._faults, self._log = logins, state, faults, log
        self._address_of, self._starttls = address_of, starttls
        self._way, self._port = ("submission", "587") if starttls else ("smtps", "465")
        self.open: set[SMTP] = set()

    def protocol(self) -> SMTP:
        """For one connection."""
        offered = self._way not in self._faults.not_offered
        starttls = self._starttls if offered else None
        return _Protocol(
            self,
            hostname="mailu",
            ident="ESMTP ready",
            loop=asyncio.get_running_loop(),
            tls_context=starttls,
            authenticator=self._authenticate,
            auth_require_tls=self._starttls is not None,
            auth_exclude_mechanism=() if offered else ("PLAIN", "LOGIN"),
        )

    def cut(self) -> None:
        """End all connections."""
        for protocol in list(self.open):
            if isinstance(protocol.transport, asyncio.Transport):
                protocol.transport.abort()

    async def handle_EHLO(  # noqa: N802  # aiosmtpd's
        self, _server: SMTP, session: Session, _envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        """Greet, late if that is asked for."""
        await asyncio.sleep(self._faults.slow)
        session.host_name = hostname
        return responses

    async def handle_MAIL(  # noqa: N802  # aiosmtpd's
        self, _server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Nobody sends without a login, nor as somebody else without `allow_spoofing`."""
        if not session.authenticated:
            return "530 5.7.0 Authentication required"
        email = str(session.auth_data)
        user = self._state.user(email)
        if not user or (address.lower() != user.email and not user.allow_spoofing):
            return f"553 5.7.1 <{address}>: Sender address rejected: not owned by user {email}"
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 Ok"

    async def handle_DATA(self, _server: SMTP, session: Session, _envelope: Envelope) -> str:  # noqa: N802  # aiosmtpd's
        """Take a mail, say so in the log, and deliver it nowhere."""
        self._log.submission(str(session.auth_data), self._source(session))
        return "250 2.0.0 Ok: queued"

    def _authenticate(
        self, _server: SMTP, session: Session, _envelope: Envelope, _mechanism: str, data: Any
    ) -> AuthResult:
        assert isinstance(data, LoginPassword)  # of the mechanisms PLAIN and LOGIN
        email = data.login.decode(errors="replace").lower()
        outcome = self._logins.by_mail(self._source(session), email, data.password.decode(errors="replace"))
        if outcome is Outcome.ACCEPTED:
            return AuthResult(success=True, auth_data=email)
        return AuthResult(success=False, handled=False, message=_ANSWERS[outcome])

    def _source(self, session: Session) -> Source:
        peer: Any = session.peer  # a pair, of a TCP connection
        address, port = peer[:2]
        return Source("submission", self._port, self._address_of(address), str(port))


class _Protocol(SMTP):
    """Known while it is open, so that it can be cut."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.event_handler.open.add(self)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self.event_handler.open.discard(self)
        super().connection_lost(error)
