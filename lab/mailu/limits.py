"""Mailu's rate limits (core/admin/mailu/limiter.py): of a network's wrong logins and tokens, and of a user's."""

import hmac
import ipaddress
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

WRONG_OF_A_NETWORK = 5
"""`platform-facts.md`: five wrong tokens in an hour from one /24."""
WRONG_OF_A_USER = 50
"""AUTH_RATELIMIT_USER, `50/day`."""
EXEMPT_SECONDS = 86_400.0
"""AUTH_RATELIMIT_EXEMPTION_LENGTH."""
_HOUR, _DAY = 3600.0, 86_400.0


@dataclass
class Limits:
    """The wrong attempts of one server. `clock` gives seconds that only grow.

    With `exempts`, an address that has logged in by IMAP or SMTP is let off for a day, as in Mailu. Off by default:
    nothing may count on it.
    """

    clock: Callable[[], float]
    exempts: bool = False
    _of_network: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    _of_user: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    _seen: dict[tuple[str, str], float] = field(default_factory=dict)
    _exempt: dict[str, float] = field(default_factory=dict)

    def network_is_out(self, address: str) -> bool:
        """Whether nothing from this address's network is let in any more."""
        if self._is_exempt(address):
            return False
        return self._count(self._of_network[_network(address)], _HOUR) >= WRONG_OF_A_NETWORK

    def user_is_out(self, user: str, address: str) -> bool:
        """Whether nobody from this address may log in as this user any more."""
        return not self._is_exempt(address) and self._count(self._of_user[user], _DAY) >= WRONG_OF_A_USER

    def wrong_of_network(self, address: str, user: str = "") -> None:
        """Count against the network; the same unknown user counts once."""
        if not self._is_exempt(address) and not (user and self._again(_network(address), user, _HOUR)):
            self._of_network[_network(address)].append(self.clock())

    def wrong_of_user(self, user: str, address: str, password: str) -> None:
        """Count against the user; the same wrong password counts once."""
        digest = hmac.new(user.encode(), password.encode(), "sha256").hexdigest()[-6:]
        if not self._is_exempt(address) and not self._again(user, digest, _DAY):
            self._of_user[user].append(self.clock())

    def let_off(self, address: str) -> None:
        """What a login by IMAP or SMTP earns."""
        self._exempt[address] = self.clock() + EXEMPT_SECONDS

    def forget(self) -> None:
        """As a fresh `redis` would."""
        for each in (self._of_network, self._of_user, self._seen, self._exempt):
            each.clear()

    def _is_exempt(self, address: str) -> bool:
        return self.exempts and self._exempt.get(address, 0.0) > self.clock()

    def _count(self, times: list[float], seconds: float) -> int:
        times[:] = [each for each in times if each > self.clock() - seconds]
        return len(times)

    def _again(self, whose: str, what: str, seconds: float) -> bool:
        now = self.clock()
        before = self._seen.get((whose, what))
        self._seen[whose, what] = now
        return before is not None and before > now - seconds


def _network(address: str) -> str:
    """AUTH_RATELIMIT_IP_V4_MASK and _V6_MASK: a /24, or a /48."""
    prefix = 24 if ipaddress.ip_address(address).version == 4 else 48
    return str(ipaddress.ip_network(f"{address}/{prefix}", strict=False))
