"""Whether Mailu lets somebody in: internal/nginx.py and views/auth.py for mail, sso/views/base.py for the web."""

import ipaddress
from enum import Enum

from lab.mailu.faults import Faults
from lab.mailu.limits import Limits
from lab.mailu.log import MailuLog, Source
from lab.mailu.state import State, User, looks_like_app_token


class Outcome(Enum):
    """What came of a login; for the limits, the web says which it was."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    NETWORK_IS_OUT = "Too many attempts from your IP (rate-limit)"
    USER_IS_OUT = "Too many attempts for this user (rate-limit)"
    NO_VERDICT = "no verdict"


LIMITED = (Outcome.NETWORK_IS_OUT, Outcome.USER_IS_OUT)


class Logins:
    """The logins of one server, each with its line in the log."""

    def __init__(self, state: State, limits: Limits, faults: Faults, log: MailuLog) -> None:
        self._state, self._limits, self._faults, self._log = state, limits, faults, log

    def by_mail(self, source: Source, email: str, password: str) -> Outcome:
        """IMAP or SMTP: the password or an app token; a forced change of the password stops nobody here."""
        token = looks_like_app_token(password)
        user = self._state.user(email)
        if outcome := self._stopped(source, None if token else email):
            return outcome
        right = self._lets_in(user, source, email, password)
        if not token and user and self._limits.user_is_out(email, source.address):
            self._log.rate_limited(source.address, email)
            return Outcome.USER_IS_OUT
        if right:
            self._limits.let_off(source.address)
            return Outcome.ACCEPTED
        if user:
            self._limits.wrong_of_user(email, source.address, password)
        else:
            self._limits.wrong_of_network(source.address, email)
        return Outcome.REFUSED

    def by_web(self, source: Source, email: str, password: str) -> Outcome:
        """`POST /sso/login`: the password alone. Mailu's device cookies, which let a browser off, are not there."""
        user = self._state.user(email)
        token = looks_like_app_token(password)
        if outcome := self._stopped(source, None if token else email):
            return outcome
        if not token and self._limits.user_is_out(email, source.address):
            self._log.rate_limited(source.address, email)
            return Outcome.USER_IS_OUT
        if user and user.enabled and user.knows(password):
            self._log.attempt(email, source, "success: password: -1")
            return Outcome.ACCEPTED
        if user:
            self._limits.wrong_of_user(email, source.address, password)
        else:
            self._limits.wrong_of_network(source.address, email)
        self._log.bad_password(email, source, password)
        return Outcome.REFUSED

    def _stopped(self, source: Source, counted: str | None) -> Outcome | None:
        """What stops a login before the password is looked at."""
        if self._faults.no_verdict:
            return Outcome.NO_VERDICT
        if self._faults.limited or (counted and self._limits.network_is_out(source.address)):
            self._log.rate_limited(source.address)
            return Outcome.NETWORK_IS_OUT
        return None

    def _lets_in(self, user: User | None, source: Source, email: str, password: str) -> bool:
        """nginx.check_credentials."""
        if user is None or not user.enabled or (source.protocol == "imap" and not user.enable_imap):
            self._log.attempt(user.email if user else repr(email), source, "failed: account disabled")
            return False
        if looks_like_app_token(password) and (token := self._state.token_for(user.email, password)):
            fits = not token.networks or any(_holds(each, source.address) for each in token.networks)
            word = "success" if fits else "failed: badip"
            self._log.attempt(user.email, source, f"{word}: token-{token.id}: {token.comment or ''!r}")
            return fits
        if user.knows(password):
            self._log.attempt(user.email, source, "success: password")
            return True
        self._log.bad_password(user.email, source, password)
        return False


def _holds(network: str, address: str) -> bool:
    return ipaddress.ip_address(address) in ipaddress.ip_network(network, strict=False)
