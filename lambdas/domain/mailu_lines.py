"""What a line of a Mailu server's logs says: somebody logged in, was refused, or handed over a mail.

The formats are those of Mailu's `admin` (Flask: internal/nginx.py, sso/views/base.py, limiter.py) and `smtp` (Postfix)
containers. Every part of a line that a stranger can choose is held to a form that cannot pass for the rest of it: a
name holds no space, and an expression fits the whole line or nothing.
"""

import ipaddress
import re
from dataclasses import dataclass

_ADMIN = r"\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}\] "
_ADDRESS = r"(?P<address>[0-9A-Fa-f:.]{2,45})"
_LOGIN = re.compile(
    _ADMIN + r"INFO in \w{1,40}: Login attempt for: (?P<user>\S{1,254})/[a-z]{2,20}/[a-z0-9]{1,10} "
    r"from: " + _ADDRESS + r"/(?:\d{1,5}|None): "
    r"(?:failed: .*|(?P<success>success: (?:password(?:: -?\d{1,9})?|token-\d{1,9}: (?:'.*'|\".*\"))))"
)
"""A refused name may be forged, and its line still ends with Mailu's own words: so it is success that has a form."""
_LIMITED = re.compile(
    _ADMIN + r"WARNING in \w{1,40}: Authentication attempt from " + _ADDRESS + r"(?: for (?P<user>\S{1,254}))? "
    r"has been rate-limited\."
)
_SENT = re.compile(
    r"[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \S{1,255} postfix(?:/[a-z]{1,20})?/smtpd\[\d{1,10}\]: [0-9A-Za-z]{5,20}: "
    r"client=[^\s,]{1,300}, sasl_method=[A-Z0-9-]{1,20}, sasl_username=(?P<user>[^\s,]{1,254})(?:, .*)?"
)
_LONGEST = 4096
"""Characters. Longer ones say nothing: an attempt to log in has an address, two names and a comment."""


@dataclass(frozen=True)
class LoginFailed:
    """A login that was refused, by its password or by a limit."""

    network: str


@dataclass(frozen=True)
class LoginSucceeded:
    """A login of a mailbox by its password or an app token, from a network such as `203.0.113.0/24`."""

    user: str
    network: str


@dataclass(frozen=True)
class MessageSent:
    """A mail that somebody who has logged in handed over."""

    user: str


MailuLine = LoginFailed | LoginSucceeded | MessageSent


def read_mailu_line(text: str) -> MailuLine | None:
    """What a line says; None for one that says none of this, whatever it is."""
    if len(text) > _LONGEST:
        return None
    line = text.rstrip("\r\n")
    if match := _LOGIN.fullmatch(line):
        network = network_of(match["address"])
        if network is None:
            return None
        return LoginSucceeded(match["user"].lower(), network) if match["success"] else LoginFailed(network)
    if match := _LIMITED.fullmatch(line):
        network = network_of(match["address"])
        return LoginFailed(network) if network else None
    if match := _SENT.fullmatch(line):
        return MessageSent(match["user"].lower())
    return None


def network_of(address: str) -> str | None:
    """The network of an address, as Mailu's own limits count them: /24, or /48 of IPv6. None for what is no address."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return None
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped:
        parsed = parsed.ipv4_mapped
    prefix = 24 if parsed.version == 4 else 48
    return str(ipaddress.ip_network((parsed, prefix), strict=False))
