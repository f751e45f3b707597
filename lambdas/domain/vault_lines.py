"""What a line of Vault's audit log says: somebody read a tenant's credential, or marked one without an incident.

Measured on OpenBao 2.7.2 with a file audit device (`tests/adapters/test_vault_lines.py`): paths, names and the keys of
maps stand there as they are, and every value as an HMAC; each request has two lines, of which the response says
whether it was let through. An empty `incident_id` is refused by the server, so the key alone says that there is one;
a merge patch that removes it shows `null`. A wrapped answer has no data in the log, and is a read all the same.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import msgspec
from msgspec import Struct

from lambdas.domain.tenant import SMTP_MOUNT
from lambdas.domain.vault_duties import Duty, DutyName

_PATH = re.compile(
    SMTP_MOUNT
    + r"/(?P<of>data|metadata)/(?P<tenant>[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12})/admin"
)
_ROOT = "root"
_LONGEST_NAME = 200


class _Auth(Struct, frozen=True):
    display_name: str = ""
    entity_id: str = ""
    metadata: dict[str, str] | None = None
    token_policies: list[str] | None = None


class _Namespace(Struct, frozen=True):
    id: str = _ROOT


class _Request(Struct, frozen=True):
    operation: str = ""
    path: str = ""
    namespace: _Namespace = _Namespace()
    data: dict[str, Any] | None = None


class _Response(Struct, frozen=True):
    data: dict[str, Any] | None = None
    wrap_info: dict[str, Any] | None = None


class _Line(Struct, frozen=True):
    type: Literal["response"]
    request: _Request
    auth: _Auth = _Auth()
    response: _Response = _Response()
    error: str = ""


@dataclass(frozen=True)
class Person:
    """Who used Vault: `id` is the entity behind all of its logins and tokens, `name` how Vault calls this one."""

    id: str
    name: str


@dataclass(frozen=True)
class CredentialRead:
    """A tenant's credential left Vault, whichever version of it."""

    tenant_id: str
    person: Person


@dataclass(frozen=True)
class ResetWithoutIncident:
    """A credential was marked as compromised, and the mark names no incident."""

    tenant_id: str
    person: Person


VaultLine = CredentialRead | ResetWithoutIncident


def read_vault_line(text: str) -> VaultLine | None:
    """What a line says of a tenant's credential; None for Mailark's own deeds, and for any line that says nothing."""
    try:
        line = msgspec.json.decode(text, type=_Line)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    match = _PATH.fullmatch(line.request.path)
    if match is None or line.error or line.request.namespace.id != _ROOT or _is_mailark(line.auth):
        return None
    name = line.auth.display_name[:_LONGEST_NAME]
    person = Person(line.auth.entity_id[:_LONGEST_NAME] or name, name)
    if match["of"] == "data":
        return CredentialRead(match["tenant"], person) if _was_read(line) else None
    return ResetWithoutIncident(match["tenant"], person) if _was_marked(line.request) else None


def _was_read(line: _Line) -> bool:
    """Not so where there is no such secret, or its newest version is deleted."""
    if line.request.operation != "read":
        return False
    return bool(line.response.wrap_info) or bool((line.response.data or {}).get("data"))


def _was_marked(request: _Request) -> bool:
    marks = (request.data or {}).get("custom_metadata")
    if request.operation not in ("create", "update", "patch") or not isinstance(marks, Mapping):
        return False
    return marks.get("compromised") is not None and marks.get("incident_id") is None


def _is_mailark(auth: _Auth) -> bool:
    """Whether it was a login for one of Mailark's duties: by the mount, the role and the policy that bear its name."""
    return any(
        auth.display_name == f"{title}-{title}"
        and (auth.metadata or {}).get("role") == title
        and auth.token_policies == [title]
        for title in (Duty(name).title for name in get_args(DutyName))
    )
