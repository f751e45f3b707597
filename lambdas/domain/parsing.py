"""Strict parsing of what a person types: unknown keys, wrong types and impossible values, each named by its key.

`msgspec` does the checking; this module turns its verdict into words for somebody who has never heard of it.
"""

import ast
import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")

_AT = re.compile(r"(?P<what>.*?)(?: - at `(?P<of_key>key` in `)?\$(?P<path>[^`]*)`)?", re.DOTALL)
_STEP = re.compile(r"\.(?P<field>[^.\[]+)|\[(?P<index>\d+|\.\.\.)\]")
_UNKNOWN = re.compile(r"Object contains unknown field `(?P<field>.*)`")
_MISSING = re.compile(r"Object missing required field `(?P<field>.*)`")
_TYPE = re.compile(r"Expected `(?P<wanted>.*?)`(?:, got `(?P<got>.*)`)?")
_PATTERN = re.compile(r"Expected `str` matching regex (?P<regex>.*)")
_LENGTH = re.compile(r"Expected `(?P<wanted>.*?)` of length (?P<sign>[<>]=) (?P<bound>\d+)")
_NONE_OF_THEM = "Invalid enum value"
_BOUND = re.compile(r"Expected `(?:int|float)` (?P<sign>[<>]=?) (?P<bound>\S+)")

_TYPE_WORDS = {
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "object": "a group of keys",
    "array": "a list",
    "date": "a date such as 2026-11-22",
    "datetime": "a time such as 2026-11-22T02:00:00Z",
    "null": "nothing",
}
_SIGN_WORDS = {">=": "at least", "<=": "at most", ">": "more than", "<": "less than"}
_LENGTH_UNITS = {"str": ("character", "characters"), "array": ("entry", "entries"), "object": ("key", "keys")}


class Problem(Exception):
    """One mistake: the key it stands at (dotted, as `vault.address`; none: all of it) and what was expected there."""

    def __init__(self, key: str, text: str) -> None:
        super().__init__(f"{key}: {text}" if key else text)
        self.key = key
        self.text = text


@dataclass(frozen=True)
class _Place:
    """Where a mistake is: the key, the value that stands there, and the type that belongs there."""

    key: str
    value: Any
    kind: Any

    def under(self, field: str) -> str:
        return f"{self.key}.{field}" if self.key else field


def parse(data: object, kind: type[T], patterns: Mapping[str, str] | None = None) -> T:
    """Make a `kind` (a `msgspec.Struct` that forbids unknown fields) of plain data.

    `patterns` says in words what each regular expression used in `kind` stands for.
    Raises `Problem` for the first mistake found.
    """
    try:
        return msgspec.convert(data, kind)
    except msgspec.ValidationError as error:
        raise _in_words(str(error), data, kind, patterns or {}) from None


def _in_words(message: str, data: object, kind: type, patterns: Mapping[str, str]) -> Problem:
    match = _AT.fullmatch(message)
    assert match is not None  # every text has this form
    what, place = match["what"], _place(data, kind, match["path"] or "")
    if match["of_key"]:
        return Problem(place.key, "expected every key to be text")
    if unknown := _UNKNOWN.fullmatch(what):
        return Problem(place.under(unknown["field"]), f"this key is not known ({_advice(unknown['field'], place)})")
    if missing := _MISSING.fullmatch(what):
        return Problem(place.under(missing["field"]), "this key is required and missing")
    if what.startswith(_NONE_OF_THEM):
        return Problem(place.key, f"expected {' or '.join(place.kind.values)}, got {_shown(place.value)}")
    return Problem(place.key, _expected(what, place.value, patterns))


def _advice(field: str, place: _Place) -> str:
    known = [each.encode_name for each in place.kind.fields]
    close = difflib.get_close_matches(field, known, n=1)
    return f"did you mean {close[0]}?" if close else f"known here: {', '.join(known)}"


def _expected(what: str, value: Any, patterns: Mapping[str, str]) -> str:
    got = _shown(value)
    if pattern := _PATTERN.fullmatch(what):
        regex = ast.literal_eval(pattern["regex"])
        return f"expected {patterns.get(regex, 'text matching ' + regex)}, got {got}"
    if "encoded datetime" in what or "timezone" in what:
        return f"expected {_TYPE_WORDS['datetime']}, got {got}"
    if "encoded date" in what:
        return f"expected {_TYPE_WORDS['date']}, got {got}"
    if length := _LENGTH.fullmatch(what):
        one, several = _LENGTH_UNITS[length["wanted"]]
        unit = one if length["bound"] == "1" else several
        return f"expected {_SIGN_WORDS[length['sign']]} {length['bound']} {unit}, got {len(value) or 'none'}"
    if bound := _BOUND.fullmatch(what):
        return f"expected a number of {_SIGN_WORDS[bound['sign']]} {bound['bound']}, got {got}"
    if wrong := _TYPE.fullmatch(what):
        names = [n for n in wrong["wanted"].split(" | ") if n != "null"] or ["null"]
        wanted = " or ".join(_TYPE_WORDS.get(name, name) for name in names)
        quotes = "; put it in quotes" if "str" in names and isinstance(value, int | float | date) else ""
        return f"expected {wanted}, got {got}{quotes}"
    return f"{what}, got {got}"


def _place(data: Any, kind: type, path: str) -> _Place:
    """Follow a path of msgspec's, such as `$.alerts.operations.sms[0]`, through the data and the types."""
    place = _Place("", data, _innermost(msgspec.inspect.type_info(kind)))
    for step in _STEP.finditer(path):
        if step["field"]:
            inner = next(each.type for each in place.kind.fields if each.encode_name == step["field"])
            place = _Place(place.under(step["field"]), place.value[step["field"]], _innermost(inner))
        elif step["index"] == "...":
            inner = _innermost(place.kind.value_type)
            key = next(key for key, value in place.value.items() if not _fits(value, inner.cls))
            place = _Place(place.under(key), place.value[key], inner)
        else:
            index = int(step["index"])
            place = _Place(f"{place.key}[{index}]", place.value[index], _innermost(place.kind.item_type))
    return place


def _fits(value: object, kind: type) -> bool:
    """msgspec does not say at which key of a mapping a mistake is; the mappings here hold structs."""
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError:
        return False
    return True


def _innermost(info: Any) -> Any:
    while isinstance(info, msgspec.inspect.Metadata):
        info = info.type
    if isinstance(info, msgspec.inspect.UnionType):
        named = msgspec.inspect.StructType | msgspec.inspect.LiteralType
        return next((t for t in info.types if isinstance(t, named)), info)
    return info


def _shown(value: object) -> str:
    """A value as the person who typed it would know it again."""
    if isinstance(value, Mapping):
        return "a group of keys"
    if isinstance(value, list):
        return "an empty list" if not value else "a list"
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else text[:57] + "..."
