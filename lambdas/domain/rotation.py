"""One rotation of a tenant's credential: what is fixed from its first step to its last."""

from dataclasses import dataclass
from typing import Literal

from lambdas.domain.escrow import State
from lambdas.domain.mail_login import LoginResult, Way
from lambdas.domain.tenant import admin_path

Kind = Literal["planned", "emergency"]
"""An emergency reset needs no old password, sets a stronger one, and what it replaces is compromised."""


@dataclass(frozen=True)
class Rotation:
    """`id` is the operation's: the same operation, started again, goes on with the value that it has made."""

    id: str
    tenant_id: str
    kind: Kind

    @property
    def path(self) -> str:
        """The credential's path in Vault."""
        return admin_path(self.tenant_id)

    @property
    def old_state(self) -> State:
        """What the value before becomes."""
        return "compromised" if self.kind == "emergency" else "superseded"


@dataclass(frozen=True)
class Proof:
    """What was proved of a rotation: how the new password was let in, and which ways have refused the ones before it.

    `refused_by` is empty where nobody knew one before it: then there was none to try.
    """

    results: tuple[LoginResult, ...]
    refused_by: tuple[Way, ...]


def reset_marks(incident_id: str, reset_by: str, reset_at: str, version: int) -> dict[str, str]:
    """The marks of an emergency reset (`platform-facts.md`, "The credential platform"), and the version they are about.

    `reset_at` is RFC 3339 in UTC. Metadata in Vault is a secret's, not a version's: so the version is named.
    """
    return {
        "compromised": "true",
        "compromised_version": str(version),
        "incident_id": incident_id,
        "reset_by": reset_by,
        "reset_at": reset_at,
    }
