"""Somebody with a leaked password, who digs in: what a response to a compromise has to end, and to find."""

import base64
import contextlib
import imaplib
import secrets
import smtplib
import socket
import ssl
from collections.abc import Iterator, Sequence

import urllib3

from lab.mail_servers import MailServers
from lambdas.domain.mail_login import Way

NETWORKS = ("198.51.100.23", "203.0.113.77", "192.0.2.141", "100.64.9.8")
"""Addresses in networks of their own; nobody's (RFC 5737, RFC 6598)."""
_SECONDS = 10.0
_SMTP_ACCEPTED = 235


class Intruder:
    """Uses nothing but the password, through the same ports as everybody."""

    def __init__(self, mail: MailServers, email: str, password: str, networks: Sequence[str] = NETWORKS) -> None:
        self.app_token = ""
        self._mail, self._email, self._password, self._networks = mail, email, password, networks
        self._tls = ssl.create_default_context(cadata=mail.reached.ca)
        self._pool = urllib3.PoolManager(ssl_context=self._tls, retries=False, timeout=_SECONDS)
        self._cookie = ""
        self._kept: imaplib.IMAP4_SSL | None = None

    @staticmethod
    @contextlib.contextmanager
    def at_work(mail: MailServers, email: str, password: str) -> Iterator["Intruder"]:
        """An intruder who is gone when the block ends."""
        intruder = Intruder(mail, email, password)
        try:
            yield intruder
        finally:
            intruder.close()

    def dig_in(self, forward_to: str) -> None:
        """Log in from every network, and make sure that a new password alone changes little."""
        for number, address in enumerate(self._networks):
            way = (Way.SSO, Way.IMAP, Way.SMTPS)[number % 3]
            if not self.logs_in(address, way):
                raise ValueError(f"{way} does not let {self._email} in from {address}")
        self.make_app_token()
        self.add_forward(forward_to)
        self.keep_connection()

    def logs_in(self, address: str, way: Way = Way.SSO, password: str = "") -> bool:
        """Whether a login from an address is let in; with the leaked password unless another is given."""
        password = password or self._password
        if way is Way.SSO:
            return self._by_web(address, password)
        if way is Way.IMAP:
            with contextlib.suppress(imaplib.IMAP4.error):
                self._imap(address, password).logout()
                return True
            return False
        return self._by_smtp(address, way, password)

    def make_app_token(self) -> None:
        """By the web, as a user does; it works for IMAP and SMTP until somebody deletes it."""
        secret = secrets.token_hex(16)
        self._send("/admin/token/create", raw_password=secret, comment="Phone")
        self.app_token = secret

    def add_forward(self, to: str) -> None:
        """Have a copy of every mail sent to an address; the user keeps the mail, and sees nothing."""
        self._send("/admin/user/settings", forward_enabled="y", forward_keep="y", forward_destination=to)

    def keep_connection(self) -> None:
        """Leave an IMAP connection open, with the mailbox selected."""
        self._kept = self._imap(self._networks[0], self._password)
        self._kept.select()

    def still_works(self) -> list[str]:
        """In words, what still lets the intruder in."""
        address = self._networks[0]
        tried = {f"the password by {way}": self.logs_in(address, way) for way in (Way.SSO, Way.IMAP, Way.SMTPS)}
        tried["the app token"] = bool(self.app_token) and self.logs_in(address, Way.IMAP, self.app_token)
        tried["the open connection"] = self._is_connected()
        return [name for name, works in tried.items() if works]

    def close(self) -> None:
        """Leave; what was made stays."""
        if self._kept:
            with contextlib.suppress(OSError):
                self._kept.shutdown()
        self._pool.clear()

    def _by_web(self, address: str, password: str) -> bool:
        form = {"email": self._email, "pw": password, "pwned": "-1", "submitAdmin": "yes"}
        answer = self._post("/sso/login", {"X-Real-IP": address}, form)
        if answer.status == 302:
            self._cookie = answer.headers["Set-Cookie"].partition(";")[0]
        return answer.status == 302

    def _send(self, path: str, **form: str) -> None:
        answer = self._post(path, {"Cookie": self._cookie, "X-Real-IP": self._networks[0]}, form)
        if answer.headers.get("Location") == "/sso/login" or answer.status >= 400:
            raise ValueError(f"{path} takes nothing from this session")

    def _post(self, path: str, headers: dict[str, str], form: dict[str, str]) -> urllib3.BaseHTTPResponse:
        url = f"{self._mail.reached.base}{path}"
        return self._pool.request("POST", url, fields=form, encode_multipart=False, headers=headers, redirect=False)

    def _imap(self, address: str, password: str) -> imaplib.IMAP4_SSL:
        imap = _ImapFrom(self._mail, address, self._tls)
        try:
            imap.authenticate("PLAIN", lambda _: self._plain(password))
        except imaplib.IMAP4.error:
            imap.shutdown()
            raise
        return imap

    def _by_smtp(self, address: str, way: Way, password: str) -> bool:
        server, source = self._mail.reached, (self._mail.seen_from(address), 0)
        smtp: smtplib.SMTP
        if way is Way.SMTPS:
            smtp = smtplib.SMTP_SSL(
                server.host, server.smtps_port, "intruder", timeout=_SECONDS, source_address=source, context=self._tls
            )
        else:
            smtp = smtplib.SMTP(
                server.host, server.submission_port, "intruder", timeout=_SECONDS, source_address=source
            )
            smtp.starttls(context=self._tls)
        with smtp:
            smtp.ehlo()
            code, _ = smtp.docmd("AUTH", f"PLAIN {base64.b64encode(self._plain(password)).decode()}")
        return code == _SMTP_ACCEPTED

    def _is_connected(self) -> bool:
        if not self._kept:
            return False
        with contextlib.suppress(imaplib.IMAP4.error, OSError):
            return self._kept.noop()[0] == "OK"
        return False

    def _plain(self, password: str) -> bytes:
        return f"\0{self._email}\0{password}".encode()


class _ImapFrom(imaplib.IMAP4_SSL):
    """Connects from an address of loopback that the server takes for another one's; the library binds to none."""

    def __init__(self, mail: MailServers, address: str, tls: ssl.SSLContext) -> None:
        self._source, self._tls = mail.seen_from(address), tls
        server = mail.reached
        super().__init__(server.host, server.imap_port, ssl_context=tls, timeout=_SECONDS)

    def _create_socket(self, timeout: float | None) -> socket.socket:
        plain = socket.create_connection((self.host, self.port), timeout, (self._source, 0))
        return self._tls.wrap_socket(plain, server_hostname=self.host)
