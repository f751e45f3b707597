"""A port by which another process breaks a Mailu server and looks into it: plain HTTP on loopback, with a secret."""

import dataclasses
import hmac
from typing import Any

import msgspec
from aiohttp import web

from lab.mailu.faults import Faults
from lab.mailu.server import MailuServer


class Control:
    """`PATCH /{server}/faults` and `/seen-as`, `POST …/down`, `/up`, `/cut` and `/forget-limits`, `GET …/connections`.

    `{server}` is its place in the seed, from 0. `cut` takes `{"email": …}`, or nothing for all; `seen-as` the addresses
    that loopback ones of clients are taken for.
    """

    def __init__(self, servers: list[MailuServer], secret: str) -> None:
        self._servers, self._secret = servers, secret

    def application(self) -> web.Application:
        application = web.Application(middlewares=[self._guard])
        application.router.add_patch(r"/{server:\d+}/faults", self._faults)
        application.router.add_patch(r"/{server:\d+}/seen-as", self._seen_as)
        application.router.add_post(r"/{server:\d+}/{deed:down|up|cut}", self._deed)
        application.router.add_get(r"/{server:\d+}/connections", self._connections)
        application.router.add_post(r"/{server:\d+}/forget-limits", self._forget)
        return application

    @web.middleware
    async def _guard(self, request: web.Request, handler: Any) -> web.StreamResponse:
        sent = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if not hmac.compare_digest(sent.encode(), self._secret.encode()):
            raise web.HTTPForbidden
        if int(request.match_info.get("server", "0")) >= len(self._servers):
            raise web.HTTPNotFound
        answer: web.StreamResponse = await handler(request)
        return answer

    async def _faults(self, request: web.Request) -> web.Response:
        server = self._of(request)
        try:
            wanted = msgspec.convert({**_shown(server.faults), **await request.json()}, Faults)
        except (msgspec.ValidationError, TypeError, ValueError) as error:
            raise web.HTTPBadRequest(text=str(error)) from None
        for field in dataclasses.fields(Faults):
            setattr(server.faults, field.name, getattr(wanted, field.name))
        return web.json_response(_shown(server.faults))

    async def _deed(self, request: web.Request) -> web.Response:
        server, deed = self._of(request), request.match_info["deed"]
        if deed == "cut":
            sent = await request.json() if request.can_read_body else {}
            return web.json_response({"cut": server.imap.cut(sent.get("email"))})
        await (server.stop() if deed == "down" else server.start())
        return web.json_response({})

    async def _connections(self, request: web.Request) -> web.Response:
        return web.json_response(sorted(self._of(request).imap.open.values()))

    async def _seen_as(self, request: web.Request) -> web.Response:
        seen_as = self._of(request).seen_as
        seen_as.update(msgspec.convert(await request.json(), dict[str, str]))
        return web.json_response(seen_as)

    async def _forget(self, request: web.Request) -> web.Response:
        self._of(request).limits.forget()
        return web.json_response({})

    def _of(self, request: web.Request) -> MailuServer:
        return self._servers[int(request.match_info["server"])]


def _shown(faults: Faults) -> dict[str, Any]:
    return {**dataclasses.asdict(faults), "not_offered": sorted(faults.not_offered)}
