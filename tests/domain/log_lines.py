"""Lines of logs for tests: Mailu's as the lab's Mailu writes them, Vault's as OpenBao 2.7.2 does, shortened."""

import json
from collections.abc import Mapping

from lab.mailu.log import MailuLog, Source


def _of_mailu() -> tuple[list[str], MailuLog]:
    lines: list[str] = []
    return lines, MailuLog(lines.append)


def logged_in(user: str, address: str) -> str:
    lines, log = _of_mailu()
    log.attempt(user, Source("imap", "993", address, "51432"), "success: password")
    return lines[0]


def failed(user: str = "admin@example.org", address: str = "198.51.100.7") -> str:
    lines, log = _of_mailu()
    log.bad_password(user, Source("imap", "993", address, "51432"), "wrong")
    return lines[0]


def sent(user: str = "admin@example.org") -> str:
    lines, log = _of_mailu()
    log.submission(user, Source("submission", "587", "203.0.113.9", "51432"))
    return lines[0]


def read(tenant_id: str, person: str = "bob") -> str:
    """A read of a tenant's credential."""
    answer = {"data": {"data": {"password": "hmac-sha256:4d84"}, "metadata": {"version": 1}}}
    return _of_vault(person, {"operation": "read", "path": f"smtp/data/{tenant_id}/admin"}, answer)


def marked(tenant_id: str, person: str = "bob") -> str:
    """A mark `compromised` without an incident."""
    marks = {"custom_metadata": {"compromised": "hmac-sha256:e238"}}
    request = {"operation": "patch", "path": f"smtp/metadata/{tenant_id}/admin", "data": marks}
    return _of_vault(person, request, {})


def _of_vault(person: str, request: Mapping[str, object], response: Mapping[str, object]) -> str:
    auth = {"display_name": f"userpass-{person}", "entity_id": f"e-{person}", "token_policies": ["readers"]}
    line = {"type": "response", "auth": auth, "request": {"namespace": {"id": "root"}, **request}, "response": response}
    return json.dumps(line)
