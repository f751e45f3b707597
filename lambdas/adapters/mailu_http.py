"""HTTPS towards one Mailu: every request has its limits of time and size, and every failure its name.

Only what never reached the server is sent again here. Nothing that a server says is quoted: its texts repeat what was
sent, passwords included.
"""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass

import urllib3
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError, ReadTimeoutError, SSLError
from urllib3.util import Retry, Timeout

from lambdas.adapters.mail_tls import tls_context, why_refused
from lambdas.domain.mail_login import MailServer
from lambdas.domain.mailu_errors import MailuCertificateRefused, MailuUnreachable

_CONNECT_SECONDS = 3.05
READ_SECONDS = 15.0
_LARGEST_ANSWER = 16 * 1024 * 1024
"""All users of a large server; a broken-in one must not fill the memory."""


@dataclass(frozen=True)
class Answer:
    """What came back; no redirect is followed. `body` is left out of its text: it may show hashes and app tokens."""

    status: int
    content_type: str
    location: str
    body: bytes

    def __repr__(self) -> str:
        return f"Answer({self.status}, {self.content_type!r}, {len(self.body)} bytes)"


class MailuHttp:
    """Requests to one server, on connections that are kept."""

    def __init__(self, server: MailServer, read_seconds: float = READ_SECONDS) -> None:
        self.address = server.base
        retries = Retry(connect=2, read=0, redirect=0, status=0, other=0, backoff_factor=0.2)
        timeout = Timeout(connect=_CONNECT_SECONDS, read=read_seconds)
        self._pool = urllib3.PoolManager(ssl_context=tls_context(server.ca), retries=retries, timeout=timeout)

    def ask(self, method: str, path: str, headers: Mapping[str, str], body: bytes | None = None) -> Answer:
        """One request. Raises `MailuCertificateRefused` and `MailuUnreachable`."""
        answer = self.try_to_ask(method, path, headers, body)
        if isinstance(answer, str):
            raise MailuUnreachable(address=self.address, problem=answer)
        return answer

    def try_to_ask(self, method: str, path: str, headers: Mapping[str, str], body: bytes | None = None) -> Answer | str:
        """The answer, or why there is none. Raises `MailuCertificateRefused`."""
        try:
            response = self._pool.request(
                method, f"{self.address}{path}", body=body, headers=headers, redirect=False, preload_content=False
            )
            try:
                content = response.read(_LARGEST_ANSWER + 1)
            finally:
                response.close()  # one that was read to its end has given its connection back already
        except HTTPError as error:
            reason = getattr(error, "reason", None) or error
            cause = reason.args[0] if isinstance(reason, SSLError) and reason.args else None
            if isinstance(cause, ssl.SSLCertVerificationError):
                raise MailuCertificateRefused(address=self.address, problem=why_refused(cause)) from None
            return _problem(reason)
        if len(content) > _LARGEST_ANSWER:
            return "its answer has no end"
        found = response.headers
        content_type = found.get("Content-Type", "").partition(";")[0].strip().lower()
        return Answer(response.status, content_type, found.get("Location", ""), content)

    def close(self) -> None:
        """End the connections."""
        self._pool.clear()


def _problem(error: BaseException) -> str:
    if isinstance(error, NewConnectionError):  # before the time-out, of which urllib3 derives it
        return "no connection"
    if isinstance(error, ConnectTimeoutError):
        return "connecting took too long"
    if isinstance(error, ReadTimeoutError):
        return "answering took too long"
    return "it does not speak TLS" if isinstance(error, SSLError) else "the connection was cut"
