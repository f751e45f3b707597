"""Mailu's own description of its API: a request that does not fit it is refused, as flask-restx does for Mailu."""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft4Validator

SWAGGER = Path(__file__).parent / "mailu-api-v1-swagger.json"
_REQUIRED = re.compile(r"'(?P<name>.*)' is a required property")


@cache
def swagger() -> dict[str, Any]:
    """The description (Swagger 2.0), as the 2026 release publishes it."""
    found: dict[str, Any] = json.loads(SWAGGER.read_text())
    return found


@cache
def _validator(definition: str) -> Draft4Validator:
    return Draft4Validator({"$ref": f"#/definitions/{definition}", "definitions": swagger()["definitions"]})


def problems(definition: str, payload: object) -> dict[str, str]:
    """What of a payload does not fit, by field; like Mailu's, the texts quote what was sent. Unknown keys fit."""
    found = {}
    for error in _validator(definition).iter_errors(payload):
        path = [str(step) for step in error.path]
        if missing := _REQUIRED.fullmatch(error.message):
            path.append(missing["name"])
        found[".".join(path)] = error.message
    return found
