"""A client of a tenant's mail server that never stops logging in, by what Vault says: what a rotation must not hurt."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

from hvac.exceptions import VaultError

from lambdas.adapters.mail_logins import log_in
from lambdas.domain.mail_login import MailServer, Way
from lambdas.domain.mailu_errors import MailuCertificateRefused

PATIENCE = 1.0
"""Seconds within which a client that was refused finds another password in Vault, and tries once more."""
_LOOK_SECONDS = 0.01


class MailClient:
    """Logs in so many times a second; when it is refused, it reads Vault again and tries once more.

    `failures` holds a sentence for each login that failed all the same, `used` the password of each login.
    """

    def __init__(
        self,
        server: MailServer,
        email: str,
        read_password: Callable[[], str],
        way: Way = Way.IMAP,
        per_second: float = 10.0,
    ) -> None:
        """`read_password` asks Vault; it is asked at the start, and after a refusal."""
        self.failures: list[str] = []
        self.used: list[str] = []
        self.retries = 0
        """Logins that needed another look into Vault."""
        self._server, self._email, self._way = server, email, way
        self._read_password, self._period = read_password, 1.0 / per_second
        self._over = threading.Event()

    @contextlib.contextmanager
    def running(self) -> Iterator["MailClient"]:
        """Log in again and again until the block ends."""
        thread = threading.Thread(target=self._run, name=f"client of {self._email}", daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._over.set()
            thread.join()

    @property
    def logins(self) -> int:
        """How many there were, failed ones among them."""
        return len(self.used)

    def _run(self) -> None:
        password = self._look()
        while not self._over.is_set():
            began = time.monotonic()
            if not self._gets_in(password):
                self.retries += 1
                password = self._changed(password, began + PATIENCE)
                if not self._gets_in(password) or time.monotonic() - began > PATIENCE:
                    self.failures.append(f"login {self.logins}, after {time.monotonic() - began:.2f} s")
            self.used.append(password)
            self._over.wait(max(0.0, self._period - (time.monotonic() - began)))

    def _changed(self, refused: str, until: float) -> str:
        """What Vault says, as soon as it is not what was refused."""
        while (found := self._look()) == refused and time.monotonic() < until:
            time.sleep(_LOOK_SECONDS)
        return found

    def _look(self) -> str:
        """Nothing where Vault does not tell: no such password lets anybody in."""
        with contextlib.suppress(VaultError, OSError, KeyError, ValueError):
            return self._read_password()
        return ""

    def _gets_in(self, password: str) -> bool:
        with contextlib.suppress(OSError, MailuCertificateRefused):
            return log_in(self._server, self._way, self._email, password).is_right
        return False
