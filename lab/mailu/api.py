"""Mailu's admin API under /api/v1: the token, the shapes of answers, and what is refused before a handler sees it."""

import hmac
import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from lab.mailu.faults import Faults
from lab.mailu.limits import Limits
from lab.mailu.log import MailuLog
from lab.mailu.schemas import problems
from lab.mailu.state import State

BASE = "/api/v1"
Payload = dict[str, Any]
Handler = Callable[[State, web.Request, Payload], web.Response]
_EMAIL = re.compile(r"[^@\s]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")
_DOMAIN = re.compile(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")


@dataclass(frozen=True)
class Route:
    """One operation; `definition` is what its payload has to fit, none for those without a payload."""

    method: str
    path: str
    handler: Handler
    definition: str | None = None


class Refusal(Exception):
    """What a handler refuses, with Mailu's status and text."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


def said(code: int, message: str) -> web.Response:
    """Mailu's `Response`; writes answer 200, never 201."""
    return web.json_response({"code": code, "message": message}, status=code)


def a_valid_email(email: str) -> str:
    """In lower case, as Mailu keeps it."""
    if not _EMAIL.fullmatch(email):
        raise Refusal(400, f"Provided email address {email} is not a valid email address")
    return email.lower()


def a_valid_domain(name: str) -> str:
    """In lower case, as Mailu keeps it."""
    if not _DOMAIN.fullmatch(name):
        raise Refusal(400, f"Domain {name} is not a valid domain")
    return name.lower()


class Api:
    """Runs the routes for one server."""

    def __init__(self, state: State, limits: Limits, faults: Faults, log: MailuLog, token: str) -> None:
        self._state, self._limits, self._faults, self._log = state, limits, faults, log
        self.token = token
        self.address_of: Callable[[web.Request], str] = lambda request: request.remote or ""

    def handled(self, route: Route) -> Callable[[web.Request], Awaitable[web.Response]]:
        """A route as aiohttp takes it."""

        async def handle(request: web.Request) -> web.Response:
            self._authorize(request)
            payload: Payload = {}
            if route.definition:
                payload = await _payload(request)
                if found := problems(route.definition, payload):
                    return web.json_response(
                        {"errors": found, "message": "Input payload validation failed"}, status=400
                    )
            if self._faults.unchanged:
                payload = {key: value for key, value in payload.items() if key != "raw_password"}
            try:
                return route.handler(self._state, request, payload)
            except Refusal as refusal:
                return said(refusal.code, refusal.message)

        return handle

    def _authorize(self, request: web.Request) -> None:
        """api/common.py: the limit first, so that even the right token is out."""
        address = self.address_of(request)
        if self._faults.limited or self._limits.network_is_out(address):
            self._log.rate_limited(address)
            raise _aborted(web.HTTPTooManyRequests, "Too many attempts from your IP (rate-limit)")
        sent = request.headers.get("Authorization")
        if not sent:
            raise _aborted(web.HTTPUnauthorized, "A valid Authorization header is mandatory")
        valid = hmac.compare_digest(sent.removeprefix("Bearer ").encode(), self.token.encode())
        self._log.api_token(address, valid)
        if not valid:
            self._limits.wrong_of_network(address)
            raise _aborted(web.HTTPForbidden, "Invalid API token")


async def _payload(request: web.Request) -> Payload:
    try:
        found = await request.json()
    except ValueError:
        raise _aborted(
            web.HTTPBadRequest, "The browser (or proxy) sent a request that this server could not understand."
        ) from None
    return found if isinstance(found, dict) else {"": found}


def _aborted(kind: type[web.HTTPException], message: str) -> web.HTTPException:
    return kind(text=json.dumps({"message": message}), content_type="application/json")
