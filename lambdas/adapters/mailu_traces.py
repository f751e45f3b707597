"""What an intruder may have left in a Mailu, as far as its admin API tells (`platform-facts.md`, "What survives")."""

from urllib.parse import quote

import msgspec
from msgspec import Struct

from lambdas.adapters.mailu import MailuApi
from lambdas.domain.mailu import MailAlias, Traces, concerning


def read_traces(api: MailuApi, email: str) -> Traces:
    """Everything that gives access or mail around a user. Raises what `MailuApi` raises."""
    domain = api.user(email).domain
    users = api.users()
    of_domain = [each for each in users if each.domain == domain]
    path = f"/domain/{quote(domain, safe='')}"
    shown = api.ask("GET", path, _DomainShown)
    aliases = [_as_alias(each) for each in api.ask("GET", "/alias", list[_AliasShown])]
    relays = api.ask("GET", "/relay", list[_RelayShown])
    return Traces(
        email=email,
        tokens=tuple(api.tokens(email)),
        forwards={each.email: each.forwards for each in of_domain if each.forwards},
        replying=tuple(each.email for each in of_domain if each.replies),
        spoofing=tuple(each.email for each in of_domain if each.may_spoof),
        aliases=concerning(domain, aliases),
        managers=tuple(api.ask("GET", f"{path}/manager", _Managers).managers),
        global_admins=tuple(each.email for each in users if each.global_admin),
        alternatives=tuple(shown.alternatives or ()),
        signup_enabled=shown.signup_enabled,
        relays=tuple(f"{each.name} to {each.smtp or 'its MX'}" for each in relays),
    )


class _DomainShown(Struct):
    """What is used of `DomainGet`."""

    name: str
    alternatives: list[str] | None = None
    signup_enabled: bool = False


class _Managers(Struct):
    """`Manager`."""

    managers: list[str] = msgspec.field(default_factory=list)


class _AliasShown(Struct):
    """What is used of `Alias`."""

    email: str
    destination: list[str] | None = None
    owner_email: str | None = None
    disabled: bool = False


class _RelayShown(Struct):
    """What is used of `Relay`."""

    name: str
    smtp: str | None = None


def _as_alias(shown: _AliasShown) -> MailAlias:
    return MailAlias(shown.email, tuple(shown.destination or ()), shown.owner_email or "", shown.disabled)
