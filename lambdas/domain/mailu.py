"""What Mailu's admin API tells: users and app tokens, and what an intruder may have left behind.

No password and no hash of one is among it, though the API shows hashes to whoever asks for a user.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class MailUser:
    """A user. `forwards` are the destinations in force; a forward that is switched off is none."""

    email: str
    enabled: bool
    global_admin: bool
    must_change_password: bool
    imap_enabled: bool
    may_spoof: bool
    replies: bool
    forwards: tuple[str, ...] = ()

    @property
    def domain(self) -> str:
        return domain_of(self.email)


@dataclass(frozen=True)
class AppToken:
    """An app token, without its secret: it opens IMAP and SMTP, and no change of the password ends that.

    `networks` is where it may be used from; empty means from everywhere. `created` is a date as Mailu writes it.
    """

    id: str
    email: str
    comment: str
    networks: tuple[str, ...]
    created: str


@dataclass(frozen=True)
class NewAppToken:
    """An app token that was just made; its secret is told this once."""

    id: str
    secret: str = field(repr=False)


@dataclass(frozen=True)
class MailAlias:
    """An alias and where its mail goes; `owner` is the user who made an anonymous one."""

    email: str
    destinations: tuple[str, ...]
    owner: str = ""
    disabled: bool = False


@dataclass(frozen=True)
class Traces:
    """What gives access, or mail, to somebody, and outlives a new password (`platform-facts.md`, "Mailu, as measured").

    It is everything there is: what of it is an intruder's, a person decides, or a list of what was there before.
    """

    email: str
    tokens: tuple[AppToken, ...]
    """Of this user."""
    forwards: dict[str, tuple[str, ...]]
    """By user of the domain."""
    replying: tuple[str, ...]
    """Users of the domain who answer by themselves."""
    spoofing: tuple[str, ...]
    """Users of the domain who may send as anybody."""
    aliases: tuple[MailAlias, ...]
    """In the domain, or with a destination in it."""
    managers: tuple[str, ...]
    """Of the domain."""
    global_admins: tuple[str, ...]
    """Of the whole server."""
    alternatives: tuple[str, ...]
    """Other names of the domain."""
    signup_enabled: bool
    """Whether anybody may make a mailbox in the domain."""
    relays: tuple[str, ...]
    """Domains that the server passes on, and to where."""


NOT_TOLD = (
    "fetch accounts",
    "Sieve filters",
    "open IMAP connections",
    "web sessions",
    "who knows API_TOKEN",
)
"""What the API has no word for: it has to be looked at on the host (docs/mailu.md)."""


def domain_of(email: str) -> str:
    """The domain of an address, in lower case."""
    return email.rpartition("@")[2].lower()


def concerning(domain: str, aliases: Sequence[MailAlias]) -> tuple[MailAlias, ...]:
    """The aliases in a domain, and those of others that lead into it."""
    return tuple(each for each in aliases if domain in map(domain_of, (each.email, *each.destinations)))
