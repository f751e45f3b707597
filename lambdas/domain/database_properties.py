"""What PostgreSQL keeps of a database outside of it, and no dump has: owner, connection limit, grants, settings."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import msgspec
from msgspec import Struct

from lambdas.domain.backup import WrappedKey
from lambdas.domain.canonical import canonical_json
from lambdas.domain.swap import kept_limit

SETTINGS = "settings.json"
"""The name of what lies sealed in the manifest of a dump: its database's settings, with their values."""
SETTINGS_PURPOSE = "database-settings"
"""In its encryption context: who restores may open it, and no key that is sealed."""


class Grant(Struct, frozen=True, forbid_unknown_fields=True):
    """A right on the database itself, such as CONNECT; `role` is None where everybody has it."""

    role: str | None
    privilege: str
    grantable: bool


class SettingName(Struct, frozen=True, forbid_unknown_fields=True):
    """A setting of the database; `role` is None where it is for every role in it."""

    role: str | None
    name: str


class Setting(Struct, frozen=True, forbid_unknown_fields=True):
    """A setting with its value, as `pg_db_role_setting` has it."""

    role: str | None
    name: str
    value: str


class DatabaseProperties(Struct, frozen=True, forbid_unknown_fields=True):
    """What a manifest says of the database itself. A value may be anybody's secret, and so `values` are sealed."""

    owner: str
    connection_limit: int
    grants: list[Grant]
    settings: list[SettingName]
    values: WrappedKey


@dataclass(frozen=True)
class Rules:
    """The same as a server has it, or is to have it. `limit` is -1 for none."""

    owner: str
    limit: int
    grants: frozenset[Grant]
    settings: list[Setting]

    @property
    def names(self) -> list[SettingName]:
        return [SettingName(setting.role, setting.name) for setting in self.settings]


def record(rules: Rules, seal: Callable[[bytes], WrappedKey]) -> DatabaseProperties:
    """What a manifest says of a database that has these rules."""
    grants = sorted(rules.grants, key=lambda each: (each.role or "", each.role is None, each.privilege))
    values = seal(canonical_json([msgspec.structs.asdict(setting) for setting in rules.settings]))
    return DatabaseProperties(rules.owner, rules.limit, grants, rules.names, values)


def recorded_rules(properties: DatabaseProperties, values: bytes) -> Rules:
    """What a restored database is to have; `values` are those of the manifest, unsealed.

    Of a limit that is no limit of a database in use, none goes over, and of the values those that the manifest names.
    """
    settings = msgspec.json.decode(values, type=list[Setting])
    named = [each for each in settings if SettingName(each.role, each.name) in properties.settings]
    return Rules(properties.owner, kept_limit(properties.connection_limit), frozenset(properties.grants), named)


def rule_differences(wanted: Rules, found: Rules) -> Iterator[str]:
    """What of a restored database's rules is not as it is to be, values of settings as well; no value is told."""
    yield from _differences(wanted.owner, wanted.limit, wanted.grants, wanted.names, found)
    there = {(each.role, each.name): each.value for each in found.settings}
    for each in wanted.settings:
        if there.get((each.role, each.name), each.value) != each.value:
            yield f"its setting {title_of(SettingName(each.role, each.name))} has another value than was recorded"


def property_differences(recorded: DatabaseProperties, found: Rules) -> Iterator[str]:
    """What of a restored database's rules is not as its manifest says in the clear: all but the values of settings."""
    limit = kept_limit(recorded.connection_limit)
    yield from _differences(recorded.owner, limit, frozenset(recorded.grants), recorded.settings, found)


def _differences(
    owner: str, limit: int, grants: frozenset[Grant], settings: list[SettingName], found: Rules
) -> Iterator[str]:
    if owner != found.owner:
        yield f"its owner is {_printable(found.owner)}, and {_printable(owner)} was recorded"
    if limit != found.limit:
        yield f"its connection limit is {found.limit}, and {limit} was recorded"
    for role in sorted({_whose(each.role) for each in grants ^ found.grants}):
        yield f"the rights on it of {role} are not those recorded"
    for lacking in sorted(map(title_of, set(settings) - set(found.names))):
        yield f"its setting {lacking} is missing"
    for extra in sorted(map(title_of, set(found.names) - set(settings))):
        yield f"its setting {extra} was not recorded"


def title_of(setting: SettingName) -> str:
    """A setting as people read it, on one line, without its value."""
    return _printable(setting.name) + (f" of {_printable(setting.role)}" if setting.role is not None else "")


def _whose(role: str | None) -> str:
    return "everybody" if role is None else _printable(role)


def _printable(name: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in name)
