"""One JSON text for one value, so that a hash or a signature of it means something."""

import json


def canonical_json(value: object) -> bytes:
    """UTF-8 JSON with sorted keys and no white space (the subset of RFC 8785 that has no floating point)."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()
