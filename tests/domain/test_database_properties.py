"""What a manifest says of the database itself, and what of a restored one differs, without a value of a setting."""

import dataclasses
from typing import Any

import msgspec

from lambdas.domain.backup import WrappedKey
from lambdas.domain.database_properties import (
    Grant,
    Rules,
    Setting,
    SettingName,
    property_differences,
    record,
    recorded_rules,
    rule_differences,
)

EVERYBODY, APP = Grant(None, "CONNECT", grantable=False), Grant("app", "CREATE", grantable=True)
RULES = Rules("smtpy", 7, frozenset([EVERYBODY, APP]), [Setting(None, "app.key", "hidden"), Setting("app", "x", "1")])
SEALED: list[bytes] = []


def sealed(values: bytes) -> WrappedKey:
    SEALED.append(values)
    return WrappedKey("settings.json", {}, "")


RECORDED = record(RULES, sealed)


def told(**changes: Any) -> list[str]:
    """What differs, which both who has the values and who has them not tells."""
    found = dataclasses.replace(RULES, **changes)
    different = [*property_differences(RECORDED, found)]
    assert different == [*rule_differences(RULES, found)]
    return different


def test_what_was_recorded_is_what_there_was_and_its_values_are_sealed() -> None:
    assert recorded_rules(RECORDED, SEALED[-1]) == RULES
    assert SEALED[-1] == (b'[{"name":"app.key","role":null,"value":"hidden"},{"name":"x","role":"app","value":"1"}]')
    assert b"hidden" not in msgspec.json.encode(RECORDED)
    assert RECORDED.settings == [SettingName(None, "app.key"), SettingName("app", "x")]


def test_a_limit_by_which_nobody_came_in_is_not_wanted_again() -> None:
    for limit, wanted in ((0, -1), (-2, -1), (-1, -1), (5, 5)):
        recorded = msgspec.structs.replace(RECORDED, connection_limit=limit)
        assert recorded_rules(recorded, SEALED[-1]).limit == wanted
        assert [*property_differences(recorded, dataclasses.replace(RULES, limit=wanted))] == []


def test_the_same_has_no_difference_in_whatever_order() -> None:
    assert told() == told(settings=RULES.settings[::-1]) == []


def test_each_difference_has_a_name() -> None:
    assert told(owner="other") == ["its owner is other, and smtpy was recorded"]
    assert told(limit=-1) == ["its connection limit is -1, and 7 was recorded"]
    assert told(grants=frozenset()) == [
        "the rights on it of app are not those recorded",
        "the rights on it of everybody are not those recorded",
    ]
    assert told(settings=[Setting("app", "app.key", "hidden"), Setting("app", "x", "1")]) == [
        "its setting app.key is missing",
        "its setting app.key of app was not recorded",
    ]


def test_another_value_is_told_by_who_has_the_values_and_not_shown() -> None:
    found = dataclasses.replace(RULES, settings=[Setting(None, "app.key", "other"), Setting("app", "x", "2")])
    assert [*rule_differences(RULES, found)] == [
        "its setting app.key has another value than was recorded",
        "its setting x of app has another value than was recorded",
    ]
    assert [*property_differences(RECORDED, found)] == []


def test_a_name_stands_on_one_line_whatever_it_holds() -> None:
    assert told(owner="x\nNext: pay") == ["its owner is x?Next: pay, and smtpy was recorded"]
