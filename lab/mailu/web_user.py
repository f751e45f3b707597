"""What a user changes on the pages behind the web login: app tokens and forwards (core/admin/mailu/ui/views)."""

from collections.abc import Callable

from aiohttp import web

from lab.mailu.state import APP_TOKEN_DIGITS, State, User, looks_like_app_token

_Form = dict[str, str]


class UserPages:
    """Forms of the user whose session a cookie is; anybody else is sent to the login.

    They take no CSRF token, which Mailu's have.
    """

    def __init__(self, state: State, user_of: Callable[[web.Request], User | None]) -> None:
        self._state, self._user_of = state, user_of

    async def create_token(self, request: web.Request) -> web.Response:
        """tokens.py: `raw_password` is a hidden field, which the page fills with 32 hexadecimal digits."""
        user, form = await self._sent(request)
        secret = form.get("raw_password", "")
        if not looks_like_app_token(secret):
            raise web.HTTPBadRequest(text=f"raw_password has {APP_TOKEN_DIGITS} hexadecimal digits")
        networks = [each for each in form.get("ip", "").replace(" ", "").split(",") if each]
        self._state.add_token(user.email, form.get("comment"), networks, secret)
        raise web.HTTPFound(f"/admin/token/list/{user.email}")

    async def change_settings(self, request: web.Request) -> web.Response:
        """users.py, `user_settings`, as far as it is about forwards; a box that is not ticked is not sent."""
        user, form = await self._sent(request)
        destination = form.get("forward_destination", "").replace(" ", "")
        if "forward_enabled" in form and not destination:
            raise web.HTTPFound("/admin/user/settings")  # it flashes that the address is missing, and changes nothing
        user.forward_enabled, user.forward_keep = "forward_enabled" in form, "forward_keep" in form
        user.forward_destination = destination.split(",")
        return web.Response(text=f"Settings updated for {user.email}", content_type="text/html")

    async def _sent(self, request: web.Request) -> tuple[User, _Form]:
        user = self._user_of(request)
        if user is None:
            raise web.HTTPFound("/sso/login")
        return user, {name: str(value) for name, value in (await request.post()).items()}
