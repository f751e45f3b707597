"""Strict parsing of what a person types: unknown keys, wrong types and impossible values, each named by its key.

`msgspec` does the checking; this module turns its verdict into words for somebody who has never heard of it.
"""

import difflib
import re
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")

_AT = re.compile(r"(?P<what>.*?)(?: - at `(?:key in )?\$(?P<path>.*)`)?$", re.DOTALL)
_UNKNOWN = re.compile(r"Object contains unknown field `(?P<field>.*)`")
_MISSING = re.compile(r"Object missing required field `(?P<field>.*)`")
_TYPE = re.compile(r"Expected `(?P<wanted>.*?)`(?:, got `(?P<got>.*)`)?$")
_PATTERN = re.compile(r"Expected `str` matching regex (?P<regex>.*)$")
_LENGTH = re.compile(r"Expected `(?P<wanted>.*?)` of length (?P<bound>.*)$")
_BOUND = re.compile(r"Expected `(?:int|float)` (?P<bound>[<>]=? \S+)$")

_TYPE_WORDS = {
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "object": "a group of keys",
    "array": "a list",
    "date": "a date such as 2026-11-22",
    "null": "nothing",
}


class Problem(Exception):
    """One mistake: the key it stands at (dotted, as `vault.address`) and what was expected there."""

    def __init__(self, key: str, text: str) -> None:
        super().__init__(f"{key}: {text}")
        self.key = key
        self.text = text


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
    match = _AT.match(message)
    what, path = (match["what"], match["path"] or "") if match else (message, "")
    key = path.removeprefix(".")
    if unknown := _UNKNOWN.fullmatch(what):
        known = _fields_at(kind, path)
        close = difflib.get_close_matches(unknown["field"], known, n=1)
        advice = f"; did you mean {close[0]}?" if close else f"; known here: {', '.join(known)}" if known else ""
        return Problem(_join(key, unknown["field"]), f"this key is not known{advice}")
    if missing := _MISSING.fullmatch(what):
        return Problem(_join(key, missing["field"]), "this key is required and missing")
    got = _shown(_value_at(data, path))
    if pattern := _PATTERN.fullmatch(what):
        regex = pattern["regex"].strip("'\"")
        return Problem(key or "input", f"expected {patterns.get(regex, 'text matching ' + regex)}, got {got}")
    if "encoded date" in what:
        return Problem(key or "input", f"expected {_TYPE_WORDS['date']}, got {got}")
    if length := _LENGTH.fullmatch(what):
        wanted = _TYPE_WORDS.get(length["wanted"], length["wanted"])
        return Problem(key or "input", f"expected {wanted} of length {length['bound']}, got {got}")
    if bound := _BOUND.fullmatch(what):
        return Problem(key or "input", f"expected a number {bound['bound']}, got {got}")
    if wrong := _TYPE.fullmatch(what):
        names = [n for n in wrong["wanted"].split(" | ") if n != "null"] or ["null"]
        wanted = " or ".join(_TYPE_WORDS.get(name, name) for name in names)
        return Problem(key or "input", f"expected {wanted}, got {got}")
    return Problem(key or "input", f"{what}, got {got}")


def _join(path: str, field: str) -> str:
    return f"{path}.{field}" if path else field


def _steps(path: str) -> list[str | int]:
    return [int(i) if i else name for name, i in re.findall(r"\.?([^.\[\]]+)|\[(\d+)\]", path)]


def _value_at(data: object, path: str) -> object:
    for step in _steps(path):
        try:
            data = data[step]  # type: ignore[index]  # a path that msgspec found in this very data
        except (KeyError, IndexError, TypeError):
            return None
    return data


def _fields_at(kind: Any, path: str) -> list[str]:
    info: Any = msgspec.inspect.type_info(kind)
    for step in _steps(path):
        info = _innermost(info)
        if isinstance(info, msgspec.inspect.StructType):
            info = next((f.type for f in info.fields if f.encode_name == step), None)
        elif isinstance(info, msgspec.inspect.ListType | msgspec.inspect.VarTupleType):
            info = info.item_type
        elif isinstance(info, msgspec.inspect.DictType):
            info = info.value_type
    info = _innermost(info)
    return [f.encode_name for f in info.fields] if isinstance(info, msgspec.inspect.StructType) else []


def _innermost(info: Any) -> Any:
    while isinstance(info, msgspec.inspect.Metadata):
        info = info.type
    if isinstance(info, msgspec.inspect.UnionType):
        return next((t for t in info.types if isinstance(t, msgspec.inspect.StructType)), info)
    return info


def _shown(value: object) -> str:
    if isinstance(value, Mapping):
        return "a group of keys"
    if isinstance(value, list):
        return "an empty list" if not value else "a list"
    if value is None:
        return "nothing"
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
