"""Requests and answers held against Mailu's own description of its API (Swagger 2.0)."""

import re
from functools import cache
from typing import Any

from jsonschema import Draft4Validator

from lab.mailu.schemas import swagger

BASE = "/api/v1"
LISTS = {
    ("GET", "/tokenuser/{email}"),
    ("GET", "/domain/{domain}/users"),
    ("GET", "/alias/destination/{domain}"),
}
"""Operations that answer with a list of what the description says is one: its generator takes no list there."""


def operation_of(method: str, path: str) -> str:
    """`GET /user/{email}` for a request. Fails for one that the description does not have."""
    assert path.startswith(f"{BASE}/"), path
    for template, pattern in _patterns().items():
        if re.fullmatch(pattern, path.removeprefix(BASE)) and method.lower() in swagger()["paths"][template]:
            return f"{method} {template}"
    raise AssertionError(f"the description has no {method} {path}")


def check_request(method: str, path: str, payload: Any) -> None:
    """Hold a payload against the description, and more strictly than Mailu: a key that it does not know is wrong."""
    operation = _described(method, path)
    bodies = [each["schema"] for each in operation.get("parameters", []) if each["in"] == "body"]
    if not bodies:
        assert payload is None, f"{method} {path} takes no payload"
        return
    _check(bodies[0], payload)
    unknown = set(payload) - set(_properties(bodies[0]))
    assert not unknown, f"Mailu ignores {unknown} of {method} {path} in silence"


def check_answer(method: str, path: str, status: int, body: Any) -> None:
    """Hold an answer against the description. What is not set may be null, which the description does not know."""
    answers = _described(method, path)["responses"]
    assert str(status) in answers, f"{method} {path} does not answer {status}"
    schema = answers[str(status)].get("schema")
    if schema is None:
        return
    template = operation_of(method, path).partition(" ")[2]
    if status == 200 and (method, template) in LISTS:
        schema = {"type": "array", "items": schema}
    _check(schema, _without_nulls(body))


def _described(method: str, path: str) -> Any:
    template = operation_of(method, path).partition(" ")[2]
    return swagger()["paths"][template][method.lower()]


@cache
def _patterns() -> dict[str, str]:
    """By path, those without blanks first: `/alias/me` is no `/alias/{alias}`."""
    paths = sorted(swagger()["paths"], key=lambda path: path.count("{"))
    return {path: re.sub(r"{[^}]+}", r"[^/]+", path) for path in paths}


def _check(schema: Any, value: Any) -> None:
    """`allOf`, since draft 4 reads nothing beside a reference."""
    Draft4Validator({"allOf": [schema], "definitions": swagger()["definitions"]}).validate(value)


def _properties(schema: Any) -> dict[str, Any]:
    if "$ref" in schema:
        return _properties(swagger()["definitions"][schema["$ref"].rpartition("/")[2]])
    found = dict(schema.get("properties", {}))
    for each in schema.get("allOf", []):
        found |= _properties(each)
    return found


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(each) for key, each in value.items() if each is not None}
    return [_without_nulls(each) for each in value] if isinstance(value, list) else value
