"""The users of the admin API (api/v1/user.py) and their app tokens (api/v1/token.py)."""

import ipaddress
from typing import Any

from aiohttp import web

from lab.mailu.api import Payload, Refusal, Route, a_valid_email, said
from lab.mailu.schemas import swagger
from lab.mailu.state import AppToken, State, User


def known_user(state: State, email: str) -> User:
    """A user by an address that somebody sent."""
    if (user := state.user(a_valid_email(email))) is None:
        raise Refusal(404, f"User {email} cannot be found")
    return user


def user_shown(user: User) -> dict[str, Any]:
    """As `UserGet`: what is not set is null, where the description knows text alone."""
    return {name: getattr(user, name) for name in swagger()["definitions"]["UserGet"]["properties"]}


def users_listed(users: list[User]) -> web.Response:
    """As a list, which leaves out what is not set."""
    shown = [{name: value for name, value in user_shown(user).items() if value is not None} for user in users]
    return web.json_response(shown)


def _list(state: State, _request: web.Request, _payload: Payload) -> web.Response:
    return users_listed(list(state.users.values()))


def _create(state: State, _request: web.Request, payload: Payload) -> web.Response:
    email = a_valid_email(payload["email"])
    if email.rsplit("@", 1)[1] not in state.domains:
        raise Refusal(404, f"Domain {email.rsplit('@', 1)[1]} does not exist")
    if state.user(email):
        raise Refusal(409, f"User {email} already exists")
    state.add_user(email, payload.get("raw_password", ""), **_fields(payload))
    return said(200, f"User {email} has been created")


def _find(state: State, request: web.Request, _payload: Payload) -> web.Response:
    return web.json_response(user_shown(known_user(state, request.match_info["email"])))


def _update(state: State, request: web.Request, payload: Payload) -> web.Response:
    user = known_user(state, request.match_info["email"])
    for name, value in _fields(payload).items():
        setattr(user, name, value)
    if "raw_password" in payload:
        state.set_password(user, payload["raw_password"])
    return said(200, f"User {user.email} has been updated")


def _delete(state: State, request: web.Request, _payload: Payload) -> web.Response:
    user = known_user(state, request.match_info["email"])
    state.remove_user(user)
    return said(200, f"User {user.email} has been deleted")


def _fields(payload: Payload) -> Payload:
    """What of a payload may be set; the rest is ignored in silence."""
    settable = swagger()["definitions"]["UserUpdate"]["properties"].keys() - {"raw_password"}
    return {name: value for name, value in payload.items() if name in settable}


def _tokens(state: State, _request: web.Request, _payload: Payload) -> web.Response:
    return web.json_response([_token_shown(each) for each in state.tokens.values()])


def _tokens_of_user(state: State, request: web.Request, _payload: Payload) -> web.Response:
    """A list, though the description says one token."""
    user = known_user(state, request.match_info["email"])
    return web.json_response([_token_shown(each) for each in state.tokens_of(user.email)])


def _create_token(state: State, request: web.Request, payload: Payload) -> web.Response:
    user = known_user(state, request.match_info.get("email") or payload["email"])
    networks = [_a_network(each, payload["AuthorizedIP"]) for each in payload.get("AuthorizedIP", [])]
    token, secret = state.add_token(user.email, payload.get("comment"), networks)
    shown = {**_token_shown(token), "token": secret}
    return web.json_response({name: value for name, value in shown.items() if name != "Last edit"})


def _find_token(state: State, request: web.Request, _payload: Payload) -> web.Response:
    return web.json_response(_token_shown(_known_token(state, request)))


def _update_token(state: State, request: web.Request, payload: Payload) -> web.Response:
    token = _known_token(state, request)
    token.comment = payload.get("comment", token.comment)
    if "AuthorizedIP" in payload:
        token.networks = [_a_network(each, payload["AuthorizedIP"]) for each in payload["AuthorizedIP"]]
    return said(200, f"Token with id {token.id} has been updated")


def _delete_token(state: State, request: web.Request, _payload: Payload) -> web.Response:
    token = _known_token(state, request)
    del state.tokens[token.id]
    return said(200, f"Token with id {token.id} has been deleted")


def _known_token(state: State, request: web.Request) -> AppToken:
    sent = request.match_info["token_id"]
    token = state.tokens.get(int(sent)) if sent.isdecimal() else None
    if token is None:
        raise Refusal(404, f"Record cannot be found for id {sent} or invalid id provided")
    return token


def _token_shown(token: AppToken) -> dict[str, Any]:
    """Dates are `str()` of what the database has: a token that was never edited says "None"."""
    return {
        "id": str(token.id),
        "email": token.email,
        "comment": token.comment,
        "AuthorizedIP": token.networks,
        "Created": token.created,
        "Last edit": str(token.edited),
    }


def _a_network(sent: str, all_sent: list[str]) -> str:
    try:
        return str(ipaddress.ip_network(sent, strict=False))
    except ValueError:
        raise Refusal(400, f"Provided AuthorizedIP {sent} in {all_sent} is invalid") from None


USER_ROUTES = (
    Route("GET", "/user", _list),
    Route("POST", "/user", _create, "UserCreate"),
    Route("GET", "/user/{email}", _find),
    Route("PATCH", "/user/{email}", _update, "UserUpdate"),
    Route("DELETE", "/user/{email}", _delete),
    Route("GET", "/token", _tokens),
    Route("POST", "/token", _create_token, "TokenPost"),
    Route("GET", "/token/{token_id}", _find_token),
    Route("PATCH", "/token/{token_id}", _update_token, "TokenPost2"),
    Route("DELETE", "/token/{token_id}", _delete_token),
    Route("GET", "/tokenuser/{email}", _tokens_of_user),
    Route("POST", "/tokenuser/{email}", _create_token, "TokenPost2"),
)
