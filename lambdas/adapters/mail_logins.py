"""Logins at a mail server, by each way that a person or a program has: what proves that a password is the user's.

A wrong password counts against its user (50 a day), and an unknown user against the whole network of the caller (5 an
hour): so nothing is tried twice here.
"""

import base64
import contextlib
import imaplib
import re
import smtplib
import socket
import ssl
from collections.abc import Sequence

from lambdas.adapters.mail_tls import tls_context, why_refused, why_unreachable
from lambdas.adapters.mailu_sso import log_in_by_web
from lambdas.domain.mail_login import LoginResult, MailServer, Verdict, Way, problem_of_change
from lambdas.domain.mailu_errors import (
    MailuCertificateRefused,
    MailuRateLimited,
    MailuUnreachable,
    PasswordNotProved,
)

LOGIN_SECONDS = 10.0
_HELO = "mailark.invalid"
"""A name for EHLO that no lookup is needed for (RFC 2606)."""
_CODE = re.compile(r"\[(?P<code>[A-Z-]+)")
_SMTP_ACCEPTED, _SMTP_REFUSED = 235, 535
_SMTP_NOT_OFFERED = (500, 502, 503, 504, 530, 534, 538)
"""RFC 4954: no AUTH, not this mechanism, or not without encryption."""


def log_in(server: MailServer, way: Way, email: str, password: str, seconds: float = LOGIN_SECONDS) -> LoginResult:
    """Try one way once. Raises `MailuCertificateRefused`, before any password is sent."""
    if way is Way.SSO:
        return log_in_by_web(server, email, password, seconds)
    try:
        if way is Way.IMAP:
            return _by_imap(server, email, password, seconds)
        return _by_smtp(server, way, email, password, seconds)
    except ssl.SSLCertVerificationError as error:
        raise MailuCertificateRefused(address=server.base, problem=why_refused(error)) from None
    except (imaplib.IMAP4.error, OSError) as error:  # smtplib's errors are OSErrors
        return LoginResult(way, Verdict.UNREACHABLE, _why(error))


def prove_password(
    server: MailServer, ways: Sequence[Way], email: str, new: str, old: str | None = None
) -> list[LoginResult]:
    """Prove that the new password lets its user in by each way that is offered, and that the old one does no longer.

    `old` is None when nobody knows it. Gives the results of the new one. Raises `MailuUnreachable` and
    `MailuRateLimited` when it could not be asked, `PasswordNotProved` when it was, and `MailuCertificateRefused`.
    """
    found = [log_in(server, way, email, new) for way in ways]
    before = [log_in(server, each.way, email, old) for each in found if each.is_right] if old is not None else []
    problem = problem_of_change(found, before)
    if not problem:
        return found
    silent = [each for each in (*found, *before) if each.verdict is Verdict.UNREACHABLE]
    limited = [each for each in (*found, *before) if each.verdict is Verdict.RATE_LIMITED]
    wrong = any(each.verdict is Verdict.REFUSED for each in found) or any(each.is_right for each in before)
    if silent and not wrong:
        told = "; ".join(f"{each.way}: {each.problem}" for each in silent)
        raise MailuUnreachable(address=server.base, problem=told)
    if limited and not wrong:
        raise MailuRateLimited(address=server.base, what=f"a login of {email} by {limited[0].way}")
    raise PasswordNotProved(address=server.base, email=email, problem=problem)


def _by_imap(server: MailServer, email: str, password: str, seconds: float) -> LoginResult:
    """AUTHENTICATE PLAIN, which takes any password; LOGIN of Python's library takes ASCII alone."""
    imap = imaplib.IMAP4_SSL(server.host, server.imap_port, ssl_context=tls_context(server.ca), timeout=seconds)
    try:
        imap.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # imaplib sends a line in two; 40 ms each time
        if "AUTH=PLAIN" not in imap.capabilities:
            return LoginResult(Way.IMAP, Verdict.NOT_OFFERED, "it offers no login by password")
        try:
            imap.authenticate("PLAIN", lambda _: _plain(email, password))
        except imaplib.IMAP4.abort:
            raise
        except imaplib.IMAP4.error as error:
            return _imap_refusal(str(error))
        with contextlib.suppress(imaplib.IMAP4.error, OSError):
            imap.logout()
        return LoginResult(Way.IMAP, Verdict.ACCEPTED)
    finally:
        with contextlib.suppress(OSError):  # it is closed already after a logout
            imap.shutdown()


def _imap_refusal(text: str) -> LoginResult:
    """RFC 5530's codes, or Mailu's texts where its proxy gives no code. What is neither proves nothing."""
    match = _CODE.search(text)
    code = match["code"] if match else ""
    if code in ("AUTHENTICATIONFAILED", "AUTHORIZATIONFAILED", "EXPIRED") or "credentials invalid" in text:
        return LoginResult(Way.IMAP, Verdict.REFUSED)
    if code == "LIMIT" or "rate-limit" in text:
        return LoginResult(Way.IMAP, Verdict.RATE_LIMITED)
    return LoginResult(Way.IMAP, Verdict.UNREACHABLE, f"it answered NO {code}".strip())


def _by_smtp(server: MailServer, way: Way, email: str, password: str, seconds: float) -> LoginResult:
    with contextlib.closing(_connected(server, way, seconds)) as smtp:
        smtp.ehlo_or_helo_if_needed()
        if way is Way.SUBMISSION:
            if not smtp.has_extn("starttls"):
                return LoginResult(way, Verdict.NOT_OFFERED, "it offers no STARTTLS")
            smtp.starttls(context=tls_context(server.ca))
            smtp.ehlo_or_helo_if_needed()
        if "PLAIN" not in smtp.esmtp_features.get("auth", "").upper().split():
            return LoginResult(way, Verdict.NOT_OFFERED, "it offers no login by password")
        code, text = smtp.docmd("AUTH", f"PLAIN {base64.b64encode(_plain(email, password)).decode()}")
        with contextlib.suppress(OSError):
            smtp.quit()
    return _smtp_verdict(way, code, text)


def _connected(server: MailServer, way: Way, seconds: float) -> smtplib.SMTP:
    if way is Way.SUBMISSION:
        return smtplib.SMTP(server.host, server.submission_port, local_hostname=_HELO, timeout=seconds)
    context = tls_context(server.ca)
    return smtplib.SMTP_SSL(server.host, server.smtps_port, local_hostname=_HELO, timeout=seconds, context=context)


def _smtp_verdict(way: Way, code: int, text: bytes) -> LoginResult:
    if code == _SMTP_ACCEPTED:
        return LoginResult(way, Verdict.ACCEPTED)
    if code == _SMTP_REFUSED:
        return LoginResult(way, Verdict.REFUSED)
    if b"rate-limit" in text:
        return LoginResult(way, Verdict.RATE_LIMITED)
    if code in _SMTP_NOT_OFFERED:
        return LoginResult(way, Verdict.NOT_OFFERED, f"it answered {code}")
    return LoginResult(way, Verdict.UNREACHABLE, f"it answered {code}")


def _why(error: Exception) -> str:
    """Why a server could not be asked."""
    if isinstance(error, smtplib.SMTPResponseException):
        return f"it answered {error.smtp_code}"
    if isinstance(error, smtplib.SMTPException):  # its context is what the network said, if that was it
        return why_unreachable(error.__context__) if error.__context__ else "the connection was cut"
    return why_unreachable(error)


def _plain(email: str, password: str) -> bytes:
    """RFC 4616."""
    return f"\0{email}\0{password}".encode()
