"""Mailu's HTTP side as one application: the admin API, the web login, and pages of HTML for all else."""

import asyncio
from collections.abc import Mapping

from aiohttp import web
from aiohttp.typedefs import Handler

from lab.mailu.api import BASE, Api
from lab.mailu.api_domains import DOMAIN_ROUTES
from lab.mailu.api_users import USER_ROUTES
from lab.mailu.faults import Faults
from lab.mailu.log import Source
from lab.mailu.logins import LIMITED, Logins, Outcome
from lab.mailu.state import State
from lab.mailu.web_user import UserPages

COOKIE = "session"
_WRONG = "Wrong e-mail or password"


class Web:
    """`seen_as` gives an address that a test uses another one: `127.0.0.9` logs in as `203.0.113.7`.

    `X-Real-IP` does the same for one request; in a real Mailu the front sets it, whatever a client sends.
    """

    def __init__(self, state: State, faults: Faults, api: Api, logins: Logins, seen_as: Mapping[str, str]) -> None:
        self._state, self._faults, self._logins, self._seen_as = state, faults, logins, seen_as
        self._api = api
        self._user_pages = UserPages(state, lambda request: state.session_of(request.cookies.get(COOKIE, "")))
        api.address_of = self._address

    def application(self) -> web.Application:
        """A new one for each start: aiohttp uses none twice."""
        application = web.Application(middlewares=[self._middleware])
        for route in (*USER_ROUTES, *DOMAIN_ROUTES):
            application.router.add_route(route.method, BASE + route.path, self._api.handled(route))
        application.router.add_get("/sso/login", self._form)
        application.router.add_post("/sso/login", self._log_in)
        application.router.add_get("/sso/pw_change", self._inside)
        application.router.add_get("/admin", self._inside)
        application.router.add_get("/webmail", self._inside)
        application.router.add_post("/admin/token/create", self._user_pages.create_token)
        application.router.add_post("/admin/user/settings", self._user_pages.change_settings)
        return application

    @web.middleware
    async def _middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        await asyncio.sleep(self._faults.slow)
        if self._faults.html_status and request.path.startswith(BASE):
            return _page("An error occurred", self._faults.html_status)
        if "sso" in self._faults.not_offered and request.path.startswith("/sso"):
            return _page("404 Not Found", 404)
        try:
            return await handler(request)
        except web.HTTPNotFound:
            return _page("404 Not Found", 404)  # an unknown path, or a trailing slash

    def _address(self, request: web.Request) -> str:
        peer = request.remote or ""
        return request.headers.get("X-Real-IP") or self._seen_as.get(peer, peer)

    async def _form(self, _request: web.Request) -> web.Response:
        return _login_page()

    async def _log_in(self, request: web.Request) -> web.Response:
        """sso/views/base.py; texts are English, as for a client that asks for no other language."""
        form = {name: str(value) for name, value in (await request.post()).items()}
        wanted = next((each for each in ("submitAdmin", "submitWebmail") if each in form), None)
        if not wanted or not form.get("email") or not form.get("pw"):
            return _login_page()
        peer = request.transport.get_extra_info("peername") if request.transport else None
        source = Source("sso", request.scheme, self._address(request), str(peer[1]) if peer else "None")
        outcome = self._logins.by_web(source, form["email"].lower(), form["pw"])
        if outcome is Outcome.NO_VERDICT:
            return _page("Internal Server Error", 500)
        user = self._state.user(form["email"])
        if outcome is not Outcome.ACCEPTED or user is None:
            return _login_page(outcome.value if outcome in LIMITED else _WRONG)
        destination = {"submitAdmin": "/admin", "submitWebmail": "/webmail"}[wanted]
        answer = _redirected("/sso/pw_change" if user.change_pw_next_login else destination)
        answer.set_cookie(COOKIE, self._state.begin_session(user), secure=True, httponly=True)
        return answer

    async def _inside(self, request: web.Request) -> web.Response:
        user = self._state.session_of(request.cookies.get(COOKIE, ""))
        return _page(f"Signed in as {user.email}") if user else _redirected("/sso/login")


def _login_page(flashed: str = "") -> web.Response:
    return _page(f"{flashed}<form method='post'>Sign in</form>")


def _page(text: str, status: int = 200) -> web.Response:
    page = f"<!doctype html><html><body>{text}</body></html>"
    return web.Response(text=page, status=status, content_type="text/html")


def _redirected(to: str) -> web.Response:
    return web.Response(status=302, headers={"Location": to}, text="<!doctype html>", content_type="text/html")
