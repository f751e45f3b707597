"""Domains with their managers and other names (api/v1/domain.py), aliases (alias.py) and relays (relay.py)."""

import dataclasses
from typing import Any

from aiohttp import web

from lab.mailu.api import Payload, Refusal, Route, a_valid_domain, a_valid_email, said
from lab.mailu.api_users import known_user, users_listed
from lab.mailu.state import Alias, Domain, State


def _domains(state: State, _request: web.Request, _payload: Payload) -> web.Response:
    return web.json_response([_without_nulls(_domain_shown(each)) for each in state.domains.values()])


def _create_domain(state: State, _request: web.Request, payload: Payload) -> web.Response:
    name = a_valid_domain(payload["name"])
    if _in_use(state, name):
        raise Refusal(409, f"Duplicate domain name {name}")
    state.domains[name] = Domain(name, **_fields(Domain, payload, "name", "managers"))
    return said(200, f"Domain {name} has been created")


def _find_domain(state: State, request: web.Request, _payload: Payload) -> web.Response:
    return web.json_response(_domain_shown(_known_domain(state, request)))


def _update_domain(state: State, request: web.Request, payload: Payload) -> web.Response:
    domain = _known_domain(state, request)
    for name, value in _fields(Domain, payload, "name", "managers").items():
        setattr(domain, name, value)
    return said(200, f"Domain {domain.name} has been updated")


def _delete_domain(state: State, request: web.Request, _payload: Payload) -> web.Response:
    domain = _known_domain(state, request)
    for user in [each for each in state.users.values() if each.domain == domain.name]:
        state.remove_user(user)
    state.aliases = {each: alias for each, alias in state.aliases.items() if not each.endswith(f"@{domain.name}")}
    del state.domains[domain.name]
    return said(200, f"Domain {domain.name} has been deleted")


def _users_of_domain(state: State, request: web.Request, _payload: Payload) -> web.Response:
    """A list, though the description says one user."""
    domain = _known_domain(state, request)
    return users_listed([each for each in state.users.values() if each.domain == domain.name])


def _managers(state: State, request: web.Request, _payload: Payload) -> web.Response:
    return web.json_response({"managers": _known_domain(state, request).managers})


def _create_manager(state: State, request: web.Request, payload: Payload) -> web.Response:
    domain, user = _known_domain(state, request), known_user(state, payload["user_email"])
    if user.email in domain.managers:
        raise Refusal(409, f"User {user.email} is already a manager of the domain {domain.name} ")
    domain.managers.append(user.email)
    return said(200, f"User {user.email} has been added as manager of the domain {domain.name} ")


def _find_manager(state: State, request: web.Request, _payload: Payload) -> web.Response:
    domain, email = _known_domain(state, request), a_valid_email(request.match_info["email"])
    if email not in domain.managers:
        raise Refusal(404, f"User {email} is not a manager of the domain {domain.name}")
    return said(200, f"User {email} is a manager of the domain {domain.name}")


def _delete_manager(state: State, request: web.Request, _payload: Payload) -> web.Response:
    domain, email = _known_domain(state, request), a_valid_email(request.match_info["email"])
    if email not in domain.managers:
        raise Refusal(404, f"User {email} is not a manager of the domain {domain.name}")
    domain.managers.remove(email)
    return said(200, f"User {email} has been removed as a manager of the domain {domain.name} ")


def _aliases(state: State, _request: web.Request, _payload: Payload) -> web.Response:
    return web.json_response([_without_nulls(dataclasses.asdict(each)) for each in state.aliases.values()])


def _create_alias(state: State, _request: web.Request, payload: Payload) -> web.Response:
    email = a_valid_email(payload["email"])
    if email in state.aliases or state.user(email):
        raise Refusal(409, f"Duplicate alias {email}")
    if email.rsplit("@", 1)[1] not in state.domains:
        raise Refusal(404, f"Domain {email.rsplit('@', 1)[1]} does not exist")
    alias = Alias(email, **_fields(Alias, payload, "email", "created_at", "owner_email"))
    state.aliases[email] = alias
    return said(200, f"Alias {email} to destination {alias.destination} has been created")


def _find_alias(state: State, request: web.Request, _payload: Payload) -> web.Response:
    return web.json_response(dataclasses.asdict(_known_alias(state, request)))


def _update_alias(state: State, request: web.Request, payload: Payload) -> web.Response:
    alias = _known_alias(state, request)
    for name, value in _fields(Alias, payload, "email", "created_at", "owner_email").items():
        setattr(alias, name, value)
    return said(200, f"Alias {alias.email} has been updated")


def _delete_alias(state: State, request: web.Request, _payload: Payload) -> web.Response:
    alias = _known_alias(state, request)
    del state.aliases[alias.email]
    return said(200, f"Alias {alias.email} has been deleted")


def _aliases_of_domain(state: State, request: web.Request, _payload: Payload) -> web.Response:
    """Those in the domain, as a list, though the path speaks of destinations and the description of one."""
    domain = _known_domain(state, request)
    found = [each for each in state.aliases.values() if each.email.endswith(f"@{domain.name}")]
    return web.json_response([dataclasses.asdict(each) for each in found])


def _relays(state: State, _request: web.Request, _payload: Payload) -> web.Response:
    return web.json_response(list(state.relays.values()))


def _create_relay(state: State, _request: web.Request, payload: Payload) -> web.Response:
    name = a_valid_domain(payload["name"])
    if _in_use(state, name):
        raise Refusal(409, f"Duplicate domain {name}")
    state.relays[name] = {key: value for key, value in payload.items() if key in ("name", "smtp", "comment")}
    return said(200, f"Relayed domain {name} has been created")


def _delete_relay(state: State, request: web.Request, _payload: Payload) -> web.Response:
    name = a_valid_domain(request.match_info["name"])
    if state.relays.pop(name, None) is None:
        raise Refusal(404, f"Relayed domain {name} cannot be found")
    return said(200, f"Relayed domain {name} has been deleted")


def _known_domain(state: State, request: web.Request) -> Domain:
    name = a_valid_domain(request.match_info["domain"])
    if name not in state.domains:
        raise Refusal(404, f"Domain {name} does not exist")
    return state.domains[name]


def _known_alias(state: State, request: web.Request) -> Alias:
    email = request.match_info["alias"].lower()
    if email not in state.aliases:
        raise Refusal(404, f"Alias {email} cannot be found")
    return state.aliases[email]


def _in_use(state: State, name: str) -> bool:
    others = {other for domain in state.domains.values() for other in domain.alternatives}
    return name in state.domains or name in state.relays or name in others


def _domain_shown(domain: Domain) -> dict[str, Any]:
    """As `DomainGet`, without the DNS records, which need a DKIM key and a host name."""
    return dataclasses.asdict(domain)


def _fields(kind: type, payload: Payload, *fixed: str) -> Payload:
    """What of a payload may be set; the rest is ignored in silence."""
    settable = {each.name for each in dataclasses.fields(kind)} - set(fixed)
    return {name: value for name, value in payload.items() if name in settable}


def _without_nulls(shown: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in shown.items() if value is not None}


DOMAIN_ROUTES = (
    Route("GET", "/domain", _domains),
    Route("POST", "/domain", _create_domain, "Domain"),
    Route("GET", "/domain/{domain}", _find_domain),
    Route("PATCH", "/domain/{domain}", _update_domain, "DomainUpdate"),
    Route("DELETE", "/domain/{domain}", _delete_domain),
    Route("GET", "/domain/{domain}/users", _users_of_domain),
    Route("GET", "/domain/{domain}/manager", _managers),
    Route("POST", "/domain/{domain}/manager", _create_manager, "ManagerCreate"),
    Route("GET", "/domain/{domain}/manager/{email}", _find_manager),
    Route("DELETE", "/domain/{domain}/manager/{email}", _delete_manager),
    Route("GET", "/alias", _aliases),
    Route("POST", "/alias", _create_alias, "Alias"),
    Route("GET", "/alias/destination/{domain}", _aliases_of_domain),
    Route("GET", "/alias/{alias}", _find_alias),
    Route("PATCH", "/alias/{alias}", _update_alias, "AliasUpdate"),
    Route("DELETE", "/alias/{alias}", _delete_alias),
    Route("GET", "/relay", _relays),
    Route("POST", "/relay", _create_relay, "Relay"),
    Route("DELETE", "/relay/{name}", _delete_relay),
)
