"""What Mailu logs of a login, line by line as its containers do, so that what reads such logs can be tried here."""

import hmac
import itertools
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

Sink = Callable[[str], None]
"""Takes one line, without its end."""


@dataclass(frozen=True)
class Source:
    """Where a login comes from, and by which way: `imap/993` from `203.0.113.9/51432`."""

    protocol: str
    port: str
    address: str
    source_port: str

    def __str__(self) -> str:
        return f"{self.protocol}/{self.port} from: {self.address}/{self.source_port}"


class MailuLog:
    """Lines of `admin` (Flask's format), `imap` (Dovecot's) and `smtp` (Postfix's); no password in any."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._key = secrets.token_bytes(16)
        self._processes = itertools.count(100)

    def admin(self, level: str, module: str, text: str) -> None:
        """`[2024-09-02 22:25:33,601] INFO in nginx: …`, as in github.com/Mailu/Mailu/issues/3398."""
        now = datetime.now(UTC)
        self._sink(f"[{now:%Y-%m-%d %H:%M:%S},{now.microsecond // 1000:03}] {level} in {module}: {text}")

    def attempt(self, user: str, source: Source, outcome: str) -> None:
        """internal/nginx.py, sso/views/base.py: `Login attempt for: …: success: password`."""
        module = "base" if source.protocol == "sso" else "nginx"
        self.admin("INFO", module, f"Login attempt for: {user}/{source}: {outcome}")

    def bad_password(self, user: str, source: Source, password: str) -> None:
        """utils.truncated_pw_hash: six digits tell whether two attempts used the same password, and no more."""
        digest = hmac.new(self._key, password.encode(), "sha256").hexdigest()[:6]
        self.attempt(user, source, f"failed: badauth: {digest}")

    def rate_limited(self, address: str, user: str = "") -> None:
        """limiter.py, of an address or of a user."""
        whom = f" for {user}" if user else ""
        self.admin("WARNING", "limiter", f"Authentication attempt from {address}{whom} has been rate-limited.")

    def api_token(self, address: str, valid: bool) -> None:
        """api/common.py."""
        level, word = ("INFO", "Valid") if valid else ("WARNING", "Invalid")
        self.admin(level, "common", f"{word} API token provided by {address}.")

    def imap_login(self, user: str, source: Source) -> None:
        """Dovecot, with the elements that Mailu's has (github.com/Mailu/Mailu/issues/3843): a session has begun."""
        session = secrets.token_urlsafe(12)
        self._sink(
            f"{datetime.now(UTC):%b %d %H:%M:%S} imap-login: Info: Login: user=<{user}>, method=PLAIN, "
            f"rip={source.address}, rport={source.source_port}, lip=127.0.0.1, lport={source.port}, TLS, "
            f"session=<{session}>"
        )

    def submission(self, user: str, source: Source) -> None:
        """Postfix: a mail that somebody who has logged in hands over; the login itself was the front's (XCLIENT)."""
        queue_id = secrets.token_hex(5).upper()
        self._sink(
            f"{datetime.now(UTC):%b %d %H:%M:%S} mail postfix/smtpd[{next(self._processes)}]: {queue_id}: "
            f"client=unknown[{source.address}], sasl_method=XCLIENT, sasl_username={user}"
        )
