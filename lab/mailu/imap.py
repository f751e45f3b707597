"""Mailu's IMAP on 993, by pymap: the login is Mailu's, what follows (IDLE, NOOP, mailboxes in memory) the library's."""

import asyncio
from argparse import Namespace
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from datetime import datetime

from proxyprotocol.sock import SocketInfoLocal
from pymap.backend.dict import Config, Session
from pymap.backend.dict.filter import FilterSet
from pymap.backend.dict.mailbox import MailboxSet
from pymap.context import socket_info
from pymap.exceptions import InvalidAuth, NotAllowedError, ResponseError
from pymap.imap import IMAPServer
from pymap.interfaces.login import IdentityInterface, LoginInterface
from pymap.interfaces.token import TokensInterface
from pymap.parsing.response import ResponseCode, ResponseNo
from pymap.user import UserMetadata
from pysasl import SASLAuth
from pysasl.creds.server import ServerCredentials
from pysasl.hashing import BuiltinHash
from pysasl.identity import Identity as SaslIdentity

from lab.mailu.faults import Faults
from lab.mailu.log import MailuLog, Source
from lab.mailu.logins import Logins, Outcome

_PORT = "993"
_LOGIN, _NO_LOGIN = SASLAuth.named([b"PLAIN", b"LOGIN"]), SASLAuth([])
"""Made once: looking for the mechanisms takes 30 ms."""
_WRITER: ContextVar[asyncio.StreamWriter] = ContextVar("writer")
"""Of the connection that a task serves."""


class Imap:
    """The IMAP server of one Mailu. Connections live until they are cut, whatever becomes of the password."""

    def __init__(self, logins: Logins, faults: Faults, log: MailuLog, address_of: Callable[[str], str]) -> None:
        self.logins, self.faults, self.log, self.address_of = logins, faults, log, address_of
        self.config = _Config(faults)
        self.open: dict[asyncio.StreamWriter, str] = {}
        """Who has logged in on each connection; empty before that."""
        self._server = IMAPServer(_Login(self), self.config)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, from greeting to end."""
        self.open[writer] = ""
        _WRITER.set(writer)
        try:
            await self._server(reader, writer, SocketInfoLocal(writer))
        except (OSError, asyncio.CancelledError):
            pass  # it was cut; asyncio would log the traceback
        finally:
            self.open.pop(writer, None)

    def cut(self, email: str | None = None) -> int:
        """End the connections of a user, or all; gives how many, as `doveadm kick` does."""
        found = [writer for writer, user in self.open.items() if email in (None, user)]
        for writer in found:
            writer.transport.abort()
        return len(found)


class _Config(Config):
    """pymap's settings: TLS is there already, and passwords are Mailu's affair."""

    def __init__(self, faults: Faults) -> None:
        arguments = Namespace(passlib_cfg=None, proxy_protocol=None)
        super().__init__(
            arguments,
            host=None,
            port=0,
            demo_data=False,
            demo_user="",
            demo_password="",
            tls_enabled=False,
            hash_context=BuiltinHash(),
        )
        self._faults = faults

    @property
    def tls_auth(self) -> SASLAuth:
        return _NO_LOGIN if "imap" in self._faults.not_offered else _LOGIN

    @property
    def greeting(self) -> bytes:
        return b"Dovecot ready."


class _Limited(ResponseError):
    """RFC 5530 and internal/nginx.py: a login that is stopped by a limit, or that nobody can judge."""

    def __init__(self, code: bytes, text: bytes) -> None:
        super().__init__()
        self._code, self._text = code, text

    def get_response(self, tag: bytes) -> ResponseNo:
        return ResponseNo(tag, self._text, ResponseCode.of(self._code))


class _Login(LoginInterface):
    def __init__(self, imap: Imap) -> None:
        self._imap = imap

    @property
    def tokens(self) -> TokensInterface:
        raise NotImplementedError  # for good: pymap asks it of its admin service alone, which is never started

    async def authenticate(self, credentials: ServerCredentials) -> "_Identity":
        await asyncio.sleep(self._imap.faults.slow)
        email = credentials.authcid.lower()
        peer = socket_info.get().peername
        assert isinstance(peer, tuple)  # of a TCP connection
        address, port = peer[:2]
        source = Source("imap", _PORT, self._imap.address_of(str(address)), str(port))
        judge = _Judge(self._imap.logins, source, email)
        credentials.verify(judge)
        if judge.outcome is Outcome.REFUSED:
            raise InvalidAuth("Authentication credentials invalid")
        if judge.outcome is Outcome.NO_VERDICT:
            raise _Limited(b"UNAVAILABLE", b"Temporary authentication failure.")
        if judge.outcome is not Outcome.ACCEPTED:
            raise _Limited(b"LIMIT", b"Temporary authentication failure (rate-limit)")
        self._imap.log.imap_login(email, source)
        self._imap.open[_WRITER.get()] = email
        return _Identity(self._imap, email)

    async def authorize(self, authenticated: IdentityInterface, authzid: str) -> IdentityInterface:
        if authzid.lower() != authenticated.name:
            raise InvalidAuth("Authentication credentials invalid")
        return authenticated


class _Judge(SaslIdentity):
    """How pysasl hands over a password: to be compared with."""

    def __init__(self, logins: Logins, source: Source, email: str) -> None:
        self._logins, self._source, self._email = logins, source, email
        self.outcome = Outcome.REFUSED

    @property
    def authcid(self) -> str:
        return self._email

    def compare_authcid(self, authcid: str) -> bool:
        return authcid.lower() == self._email

    def compare_secret(self, secret: str) -> bool:
        self.outcome = self._logins.by_mail(self._source, self._email, secret)
        return self.outcome is Outcome.ACCEPTED

    def get_clear_secret(self) -> str | None:
        return None


class _Identity(IdentityInterface):
    """Somebody who has logged in; there is one role, and nothing of pymap's administration."""

    def __init__(self, imap: Imap, name: str) -> None:
        self._imap, self._name = imap, name

    @property
    def name(self) -> str:
        return self._name

    @property
    def roles(self) -> frozenset[str]:
        return frozenset()

    @asynccontextmanager
    async def new_session(self) -> AsyncIterator[Session]:
        config = self._imap.config
        mailboxes, filters = config.set_cache.setdefault(self._name, (MailboxSet(), FilterSet()))
        yield Session(self._name, config, mailboxes, filters)

    async def new_token(self, *, expiration: datetime | None = None) -> str | None:  # noqa: ARG002  # pymap's
        return None

    async def get(self) -> UserMetadata:
        return UserMetadata(self._imap.config, self._name)

    async def set(self, metadata: UserMetadata) -> int | None:  # noqa: ARG002  # pymap's
        raise NotAllowedError

    async def delete(self) -> None:
        raise NotAllowedError
