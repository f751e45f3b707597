"""What one Mailu server knows: domains, users, app tokens, aliases, relays and web sessions. In memory alone."""

import hashlib
import hmac
import itertools
import secrets
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

APP_TOKEN_DIGITS = 32
_HEX = set("0123456789abcdef")


@dataclass
class AppToken:
    """An app token; of its secret, which is told once, only the hash is kept."""

    id: int
    email: str
    digest: bytes
    comment: str | None = None
    networks: list[str] = field(default_factory=list)
    created: str = field(default_factory=lambda: _today().isoformat())
    edited: str | None = None


@dataclass
class Alias:
    """An alias; `owner_email` is set for the anonymous ones that a user has made."""

    email: str
    destination: list[str] = field(default_factory=list)
    comment: str | None = None
    wildcard: bool = False
    hostname: str | None = None
    owner_email: str | None = None
    disabled: bool = False
    created_at: str = field(default_factory=lambda: _today().isoformat())


@dataclass
class Domain:
    """A domain, who manages it, and its other names."""

    name: str
    comment: str | None = None
    max_users: int = -1
    max_aliases: int = -1
    max_quota_bytes: int = 0
    signup_enabled: bool = False
    managers: list[str] = field(default_factory=list)
    alternatives: list[str] = field(default_factory=list)


@dataclass
class User:
    """A user; the names of the fields and their defaults are those of Mailu's models.py."""

    email: str
    password: str = ""
    comment: str | None = None
    quota_bytes: int = 10**9
    quota_bytes_used: int = 0
    global_admin: bool = False
    enabled: bool = True
    change_pw_next_login: bool = False
    enable_imap: bool = True
    enable_pop: bool = True
    allow_spoofing: bool = False
    forward_enabled: bool = False
    forward_destination: list[str] = field(default_factory=list)
    forward_keep: bool = True
    reply_enabled: bool = False
    reply_subject: str | None = None
    reply_body: str | None = None
    reply_startdate: str = "1900-01-01"
    reply_enddate: str = "2999-12-31"
    displayed_name: str = ""
    spam_enabled: bool = True
    spam_mark_as_read: bool = True
    spam_threshold: int = 80

    @property
    def domain(self) -> str:
        return self.email.rsplit("@", 1)[1]

    def knows(self, password: str) -> bool:
        """Whether this is the user's password; an empty one never is."""
        *_, salt, digest = self.password.split("$")
        return bool(password) and hmac.compare_digest(_digest(salt, password), digest)


@dataclass
class State:
    """One server's. Keys are addresses and names in lower case."""

    domains: dict[str, Domain] = field(default_factory=dict)
    users: dict[str, User] = field(default_factory=dict)
    aliases: dict[str, Alias] = field(default_factory=dict)
    relays: dict[str, dict[str, Any]] = field(default_factory=dict)
    tokens: dict[int, AppToken] = field(default_factory=dict)
    _user_of: dict[str, str] = field(default_factory=dict)
    """The user of each web session, by its cookie."""
    _cookies: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    _ids: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def add_domain(self, name: str) -> Domain:
        return self.domains.setdefault(name.lower(), Domain(name.lower()))

    def add_user(self, email: str, password: str, **fields: Any) -> User:
        """Make a user, and its domain if that is new."""
        user = User(email.lower(), **fields)
        self.add_domain(user.domain)
        self.users[user.email] = user
        self.set_password(user, password)
        return user

    def user(self, email: str) -> User | None:
        return self.users.get(email.lower())

    def set_password(self, user: User, password: str) -> None:
        """The user's web sessions die; app tokens and open connections live on (`platform-facts.md`)."""
        salt = secrets.token_hex(8)
        user.password = f"$bcrypt-sha256$v=2,t=2b,r=12${salt}${_digest(salt, password)}"
        self._end_sessions(user.email)

    def remove_user(self, user: User) -> None:
        """With all that hangs on it."""
        self.users.pop(user.email, None)
        self.tokens = {each.id: each for each in self.tokens.values() if each.email != user.email}
        self._end_sessions(user.email)
        for domain in self.domains.values():
            domain.managers = [each for each in domain.managers if each != user.email]

    def add_token(self, email: str, comment: str | None, networks: list[str], secret: str = "") -> tuple[AppToken, str]:
        """An app token and its secret, 32 hexadecimal digits; a fresh one unless it is given."""
        secret = secret or secrets.token_hex(APP_TOKEN_DIGITS // 2)
        token = AppToken(next(self._ids), email.lower(), hashlib.sha256(secret.encode()).digest(), comment, networks)
        self.tokens[token.id] = token
        return token, secret

    def tokens_of(self, email: str) -> list[AppToken]:
        return [each for each in self.tokens.values() if each.email == email.lower()]

    def token_for(self, email: str, secret: str) -> AppToken | None:
        """The user's token with this secret, wherever it may be used."""
        digest = hashlib.sha256(secret.encode()).digest()
        return next((each for each in self.tokens_of(email) if hmac.compare_digest(each.digest, digest)), None)

    def begin_session(self, user: User) -> str:
        """A web session; gives its cookie."""
        cookie = secrets.token_urlsafe(24)
        self._user_of[cookie] = user.email
        self._cookies[user.email].add(cookie)
        return cookie

    def session_of(self, cookie: str) -> User | None:
        """Who uses the web with this cookie."""
        email = self._user_of.get(cookie)
        return self.users.get(email) if email else None

    def _end_sessions(self, email: str) -> None:
        for cookie in self._cookies.pop(email, ()):
            del self._user_of[cookie]


def looks_like_app_token(secret: str) -> bool:
    """utils.is_app_token: such an attempt is not counted by the rate limits."""
    return len(secret) == APP_TOKEN_DIGITS and set(secret) <= _HEX


def _digest(salt: str, password: str) -> str:
    return hashlib.sha256(f"{salt}{password}".encode()).hexdigest()


def _today() -> date:
    return datetime.now(UTC).date()
