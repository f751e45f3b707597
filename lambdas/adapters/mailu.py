"""Mailu's admin API (`platform-facts.md`, "Mailu, as measured"; `mailu-api-v1-swagger.json`): users and app tokens.

A write that succeeded proves nothing, since Mailu ignores keys that it does not know: `mail_logins.py` proves it.
A refused token is never tried again: five in an hour lock the right one out.
"""

import json
import re
from typing import Any, TypeVar
from urllib.parse import quote

import msgspec
from msgspec import Struct

from lambdas.adapters.mailu_http import READ_SECONDS, Answer, MailuHttp
from lambdas.domain.mail_login import MailServer
from lambdas.domain.mailu import AppToken, MailUser, NewAppToken
from lambdas.domain.mailu_errors import (
    MailuNotRecognized,
    MailuRateLimited,
    MailuRequestRefused,
    MailUserDisabled,
    MailUserUnknown,
    MailuTokenRefused,
    MailuUnreachable,
)

T = TypeVar("T")
_BASE = "/api/v1"
_FIELD = re.compile(r"[A-Za-z_][A-Za-z0-9_.]{0,40}")


class MailuApi:
    """One server, with its API token.

    Everything here raises `MailuUnreachable`, `MailuCertificateRefused`, `MailuTokenRefused`, `MailuRateLimited`,
    `MailuRequestRefused` and `MailuNotRecognized`; what concerns a user, `MailUserUnknown` too.
    """

    def __init__(self, server: MailServer, token: str, read_seconds: float = READ_SECONDS) -> None:
        self.address = server.base
        self._http = MailuHttp(server, read_seconds)
        self._headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}

    def user(self, email: str) -> MailUser:
        """A user."""
        return as_user(self.of_user(email, "GET", f"/user/{_quoted(email)}", UserShown))

    def enabled_user(self, email: str) -> MailUser:
        """A user who may log in. Raises `MailUserDisabled`."""
        user = self.user(email)
        if not user.enabled:
            raise MailUserDisabled(address=self.address, email=email)
        return user

    def users(self) -> list[MailUser]:
        """All users of the server."""
        return [as_user(each) for each in self.ask("GET", "/user", list[UserShown])]

    def set_password(self, email: str, password: str) -> None:
        """Set a password without knowing the old one: web sessions die, nothing else changes. Then prove it."""
        self.of_user(email, "PATCH", f"/user/{_quoted(email)}", _Done, {"raw_password": password})

    def tokens(self, email: str) -> list[AppToken]:
        """The user's app tokens, which a new password does not end."""
        one_or_more: Any = list[_TokenShown] | _TokenShown  # the description says one, the server gives a list
        shown = self.of_user(email, "GET", f"/tokenuser/{_quoted(email)}", one_or_more)
        listed = shown if isinstance(shown, list) else [shown]
        return [_as_token(each) for each in listed]

    def create_token(self, email: str, comment: str) -> NewAppToken:
        """One more app token, valid at once beside all others: so a client changes over without a failed login."""
        made = self.of_user(email, "POST", f"/tokenuser/{_quoted(email)}", _TokenMade, {"comment": comment})
        return NewAppToken(str(made.id), made.token)

    def delete_token(self, token_id: str) -> bool:
        """Delete an app token; whether it was there. IMAP connections that it has opened stay open."""
        return self.found("DELETE", f"/token/{_quoted(token_id)}", _Done) is not None

    def close(self) -> None:
        """End the connections."""
        self._http.close()

    # --- what the other reading of the API is built on ----------------------------------------------------

    def ask(self, method: str, path: str, kind: type[T], payload: object = None) -> T:
        """The answer to a request, which has to be there."""
        answer = self.found(method, path, kind, payload)
        if answer is None:
            raise self._refused(f"{method} {_BASE}{path}", 404, "there is no such thing")
        return answer

    def of_user(self, email: str, method: str, path: str, kind: type[T], payload: object = None) -> T:
        """The answer to a request about a user."""
        answer = self.found(method, path, kind, payload)
        if answer is None:
            raise MailUserUnknown(address=self.address, email=email)
        return answer

    def found(self, method: str, path: str, kind: type[T], payload: object = None) -> T | None:
        """The answer to a request; None when Mailu says, in its own words, that there is no such thing."""
        request = f"{method} {_BASE}{path}"
        headers, body = self._headers, None
        if payload is not None:
            headers, body = {**headers, "Content-Type": "application/json"}, json.dumps(payload).encode()
        answer = self._http.ask(method, f"{_BASE}{path}", headers, body)
        self._check_access(answer)
        if answer.status >= 500:
            raise MailuUnreachable(address=self.address, problem=f"it answered {answer.status}")
        if 300 <= answer.status < 400:
            raise self._not_recognized(request, f"it redirects, with {answer.status}")
        if answer.content_type != "application/json":
            raise self._not_recognized(request, f"{answer.status} with {answer.content_type or 'no content type'}")
        if answer.status not in (200, 404):
            raise self._refused(request, answer.status, _fields(answer.body))
        try:
            if answer.status == 404:
                msgspec.json.decode(answer.body, type=_Done)  # another program has other words for an unknown path
                return None
            return msgspec.json.decode(answer.body, type=kind)
        except msgspec.MsgspecError:
            raise self._not_recognized(request, f"{answer.status} with an answer of another shape") from None

    def _check_access(self, answer: Answer) -> None:
        if answer.status in (401, 403):
            raise MailuTokenRefused(address=self.address)
        if answer.status == 429:
            raise MailuRateLimited(address=self.address, what="it answered 429 to an API token")

    def _refused(self, request: str, status: int, problem: str) -> MailuRequestRefused:
        return MailuRequestRefused(address=self.address, request=request, status=status, problem=problem)

    def _not_recognized(self, request: str, problem: str) -> MailuNotRecognized:
        return MailuNotRecognized(address=self.address, request=request, problem=problem)


class UserShown(Struct):
    """What is used of `UserGet`; what is not set comes as null, or not at all."""

    email: str
    enabled: bool
    global_admin: bool = False
    change_pw_next_login: bool = False
    enable_imap: bool = True
    allow_spoofing: bool = False
    reply_enabled: bool = False
    forward_enabled: bool = False
    forward_destination: list[str] | None = None


class _Done(Struct):
    """`Response`, to a write."""

    code: int
    message: str


class _TokenShown(Struct):
    """`TokenGetResponse`."""

    id: str | int
    email: str
    comment: str | None = None
    networks: list[str] | None = msgspec.field(default=None, name="AuthorizedIP")
    created: str | None = msgspec.field(default=None, name="Created")


class _TokenMade(Struct):
    """`TokenPostResponse`."""

    id: str | int
    token: str

    def __repr__(self) -> str:
        return f"_TokenMade({self.id!r})"


def as_user(shown: UserShown) -> MailUser:
    """A user as the rest of the house knows one."""
    return MailUser(
        email=shown.email,
        enabled=shown.enabled,
        global_admin=shown.global_admin,
        must_change_password=shown.change_pw_next_login,
        imap_enabled=shown.enable_imap,
        may_spoof=shown.allow_spoofing,
        replies=shown.reply_enabled,
        forwards=tuple(shown.forward_destination or ()) if shown.forward_enabled else (),
    )


def _as_token(shown: _TokenShown) -> AppToken:
    networks = tuple(shown.networks or ())
    return AppToken(str(shown.id), shown.email, shown.comment or "", networks, shown.created or "")


def _quoted(part: str) -> str:
    return quote(part, safe="@")


def _fields(body: bytes) -> str:
    """The names of the fields that do not fit, without the values that a text would quote."""
    try:
        errors: Any = json.loads(body)["errors"]
        names = sorted(str(name) for name in errors if _FIELD.fullmatch(str(name)))
    except (ValueError, KeyError, TypeError):
        names = []
    return f"it does not take {', '.join(names)}" if names else "it does not take what was sent"
