"""One JSON text for one value, so that a hash or a signature of it means something."""

import json


def canonical_json(value: object) -> bytes:
    """UTF-8 JSON without white space, its keys sorted by code point (as RFC 8785 does for keys in the Basic Plane)."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()
