"""The duties that Mailark has in Vault: one login method, one signing key and one policy each.

A function that may back up cannot read a password, and one that may read for a comparison cannot restore. Each duty
has a mount of its own, since every key that a JWT mount trusts can sign for all roles of that mount.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from lambdas.domain.estate import Vault
from lambdas.domain.tenant import SMTP_MOUNT, admin_path, mailu_token_path

DutyName = Literal["backup", "inventory", "restore", "rotate"]
DUTIES: tuple[DutyName, ...] = ("backup", "inventory", "restore", "rotate")

ISSUER = "mailark"
AUDIENCE = "vault"
LOGIN_SECONDS = 120
TOKEN_TTL = "15m"  # noqa: S105  # a duration
"""As long as a function can run (AWS Lambda quotas: 900 s)."""


@dataclass(frozen=True)
class Duty:
    """`mount`, `role` and `subject` carry the same name, which is also the policy's."""

    name: DutyName

    @property
    def title(self) -> str:
        return f"mailark-{self.name}"


def policy(duty: DutyName, vault: Vault) -> str:
    """The policy of a duty, in HCL."""
    canary_mount, _, canary_path = vault.canary.partition("/")
    if duty == "backup":
        rules = [
            ("Take snapshots.", "sys/storage/raft/snapshot", ["read"]),
            ("Leave a canary in each.", f"{canary_mount}/data/{canary_path}", ["create", "read", "update"]),
        ]
        rules += [
            ("Names and versions, never values.", f"{mount}/metadata/*", ["list", "read"]) for mount in vault.mounts
        ]
    elif duty == "inventory":
        rules = []
        for mount in vault.mounts:
            rules.append(("Compare values by their digests.", f"{mount}/data/*", ["read"]))
            rules.append(("Find all of them.", f"{mount}/metadata/*", ["list"]))
    elif duty == "rotate":
        rules = [
            ("Replace the credentials of tenants, and make none.", admin_path("+", "data"), ["read", "update"]),
            ("Mark one, and leave the rest of its metadata.", admin_path("+", "metadata"), ["patch", "read"]),
            ("The way into each tenant's mail server.", mailu_token_path("+", "data"), ["read"]),
            ("Find the tenants.", f"{SMTP_MOUNT}/metadata/", ["list"]),
        ]
    else:
        rules = [("Whoever holds this can replace all of Vault.", "sys/storage/raft/snapshot", ["update"])]
        if vault.seal.type == "shamir":
            rules.append(("The same, under other unseal keys.", "sys/storage/raft/snapshot-force", ["update"]))
    return "\n".join(_rule(*rule) for rule in rules)


def _rule(comment: str, path: str, capabilities: Sequence[str]) -> str:
    allowed = ", ".join(f'"{capability}"' for capability in capabilities)
    return f'# {comment}\npath "{path}" {{ capabilities = [{allowed}] }}'


def role(duty: Duty) -> dict[str, object]:
    """The one role of a duty's JWT mount."""
    return {
        "role_type": "jwt",
        "user_claim": "sub",
        "bound_audiences": [AUDIENCE],
        "bound_subject": duty.title,
        "token_policies": [duty.title],
        "token_no_default_policy": True,
        "token_type": "batch",
        "token_ttl": TOKEN_TTL,
        "token_max_ttl": TOKEN_TTL,
    }


def claims(duty: Duty, now: int) -> dict[str, object]:
    """What the JWT of a duty says; `now` in seconds since the epoch."""
    return {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": duty.title,
        "iat": now,
        "nbf": now - 30,
        "exp": now + LOGIN_SECONDS,
    }
