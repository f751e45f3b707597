"""What a login at a mail server proves of a password, and what it leaves open."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

from lambdas.domain.mailu_errors import MailuAddressInvalid

_ADDRESS = re.compile(r"https://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]*[A-Za-z0-9])(:(?P<port>[0-9]{1,5}))?/?")


class Way(StrEnum):
    """The ways by which somebody logs in to Mailu."""

    SSO = "sso"
    """The web login of admin and webmail."""
    IMAP = "imap"
    """Port 993, TLS from the start."""
    SMTPS = "smtps"
    """Port 465, TLS from the start."""
    SUBMISSION = "submission"
    """Port 587, STARTTLS."""


class Verdict(StrEnum):
    """What a server says to a password; only the first three speak of the password itself."""

    ACCEPTED = "accepted"
    CHANGE_FORCED = "change_forced"
    """It is right, and has to be changed before the web opens; mail opens at once."""
    REFUSED = "refused"
    """It is wrong; or its user is disabled, or unknown, or may not use IMAP: a server tells nobody which."""
    RATE_LIMITED = "rate_limited"
    UNREACHABLE = "unreachable"
    NOT_OFFERED = "not_offered"
    """The server answers, and takes no login by this way."""


@dataclass(frozen=True)
class LoginResult:
    """One attempt. `problem` says in words what stood between, where the verdict alone does not."""

    way: Way
    verdict: Verdict
    problem: str = ""

    @property
    def is_right(self) -> bool:
        """Whether the password is the user's."""
        return self.verdict in (Verdict.ACCEPTED, Verdict.CHANGE_FORCED)


@dataclass(frozen=True)
class MailServer:
    """Where a Mailu is. `address` is `webmail_url` of the tenant's secret, `ca` PEM beside the public CAs."""

    address: str
    ca: str = ""
    imap_port: int = 993
    smtps_port: int = 465
    submission_port: int = 587

    def __post_init__(self) -> None:
        """Raises `MailuAddressInvalid`."""
        match = _ADDRESS.fullmatch(self.address)
        if not match or not 0 < int(match["port"] or 443) < 65_536:
            raise MailuAddressInvalid(address=ascii(self.address)[:80])

    @property
    def host(self) -> str:
        return urlsplit(self.address).hostname or ""

    @property
    def base(self) -> str:
        """The address without a slash at its end."""
        return self.address.rstrip("/")


def problem_of_change(new: Sequence[LoginResult], old: Sequence[LoginResult] = ()) -> str:
    """Why a change of a password is not proved; empty when it is.

    Each way has to let the new password in, and to refuse the old one, if that is known. A way that is not offered
    counts for nothing; at least one has to be left. What could not be asked is no proof, either way.
    """
    problems = [
        f"{each.way} {_NOT_LET_IN[each.verdict]}{_because(each)}" for each in new if each.verdict in _NOT_LET_IN
    ]
    problems += [f"{each.way} still accepts the old one" for each in old if each.is_right]
    problems += [
        f"{each.way} could not be asked whether it refuses the old one{_because(each)}"
        for each in old
        if each.verdict in (Verdict.RATE_LIMITED, Verdict.UNREACHABLE)
    ]
    if not problems and not any(each.is_right for each in new):
        problems = ["no way to log in is offered"]
    return "; ".join(problems)


_NOT_LET_IN = {
    Verdict.REFUSED: "refuses it",
    Verdict.RATE_LIMITED: "is rate-limited",
    Verdict.UNREACHABLE: "could not be asked",
}


def _because(result: LoginResult) -> str:
    return f" ({result.problem})" if result.problem else ""
