"""The four steps of a rotation, each of which may run twice and die anywhere: a new start goes on to one password.

The new value lies in the escrow before anything is set. Mailu gets it first and Vault at once after it: a client that
is refused reads Vault again, and must not find the old one there for long. Once Mailu has it the way is forward.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from lambdas.adapters.escrow import Escrow
from lambdas.adapters.mail_logins import prove_password
from lambdas.adapters.mailu import MailuApi
from lambdas.adapters.vault import VaultClient
from lambdas.adapters.vault_credentials import mark_credential, read_credential, read_version, replace_credential
from lambdas.domain.credential import emergency_password, open_password, planned_password, seal_password
from lambdas.domain.credential_errors import CredentialChanged
from lambdas.domain.escrow import EscrowItem
from lambdas.domain.mail_login import LoginResult, MailServer, Way
from lambdas.domain.mailu_errors import PasswordUndecryptable
from lambdas.domain.rotation import Proof, Rotation, reset_marks
from lambdas.domain.tenant import mailu_token_path
from lambdas.domain.vault_errors import VaultLeaderless, VaultSealed, VaultUnreachable

_PASSING = (VaultLeaderless, VaultSealed, VaultUnreachable)
"""What may be over in a moment: a cluster that elects, a node that is restarted and opened by its seal."""
_FORWARD_ATTEMPTS = 5
_FORWARD_SECONDS = 0.2
"""Of the pause before the second attempt to write to Vault what Mailu has already; each later one doubles it."""


@dataclass(frozen=True)
class Rotator:
    """What a rotation works with. `server` makes the place of a Mailu of the tenant's `webmail_url`."""

    vault: VaultClient
    escrow: Escrow
    master_key: bytes
    server: Callable[[str], MailServer]
    ways: Sequence[Way] = tuple(Way)

    def create(self, rotation: Rotation, at: str) -> EscrowItem:
        """Keep a new password as pending in the escrow; the same one, however often it is asked for.

        `at` is RFC 3339 in UTC. Raises `CredentialMissing`, `TenantIdInvalid`, and as Vault and KMS do.
        """
        known = read_credential(self.vault, rotation.path).data or {}
        password = emergency_password() if rotation.kind == "emergency" else planned_password()
        sealed = seal_password(self.master_key, rotation.tenant_id, password)
        values = {name: str(value) for name, value in known.items()} | {"password": sealed, "last_rotated": at}
        return self.escrow.put_pending(rotation.path, rotation.id, values, at)

    def set_and_publish(self, rotation: Rotation) -> int:
        """Let Mailu have the new password, and Vault at once after it; the version in Vault that it is.

        What could stand in the way is asked before anything is set: the user is there and enabled, Mailu takes the
        token, Vault has the credential. Raises as `MailuApi` and Vault do, `MailUserDisabled` and `EscrowItemMissing`.
        """
        item = self.escrow.get(rotation.path, rotation.id)
        values = self.escrow.open(item)
        password = open_password(self.master_key, rotation.tenant_id, values["password"])
        mailu = MailuApi(self.server(values["webmail_url"]), self._token(rotation))
        try:
            mailu.enabled_user(values["username"])
            seen = read_credential(self.vault, rotation.path)
            mailu.set_password(values["username"], password)
        finally:
            mailu.close()
        version = seen.version
        if (seen.data or {}).get("password") != values["password"]:
            version = self._publish(rotation, values, version)
        self.escrow.published(item, version)
        return version

    def _publish(self, rotation: Rotation, values: dict[str, str], seen: int) -> int:
        """Write to Vault what Mailu has, whoever writes there too: theirs would let nobody in any more."""
        for attempt in range(_FORWARD_ATTEMPTS):
            try:
                return replace_credential(self.vault, rotation.path, values, seen)
            except CredentialChanged:
                now = read_credential(self.vault, rotation.path)
                if (now.data or {}).get("password") == values["password"]:
                    return now.version  # our own write, whose answer was lost
                seen = now.version
            except _PASSING:
                time.sleep(_FORWARD_SECONDS * 2**attempt)
        return replace_credential(self.vault, rotation.path, values, seen)

    def prove(self, rotation: Rotation) -> Proof:
        """Prove that the new password lets its user in by every way, and that none before it does.

        Raises as `prove_password` does.
        """
        item = self.escrow.get(rotation.path, rotation.id)
        values = self.escrow.open(item)
        new = open_password(self.master_key, rotation.tenant_id, values["password"])
        server, results = self.server(values["webmail_url"]), list[LoginResult]()
        before: list[str | None] = [*self._before(rotation, item, new)]
        for old in before or [None]:
            results = prove_password(server, self.ways, values["username"], new, old)
        tried = tuple(each.way for each in results if each.is_right)
        return Proof(tuple(results), refused_by=tried if before else ())

    def _before(self, rotation: Rotation, item: EscrowItem, new: str) -> Iterator[str]:
        """The passwords that may have worked before: Vault's last one, and those that the escrow has not closed."""
        known = {each.item: each for each in self.escrow.items(rotation.path) if each.state in ("current", "pending")}
        stored = [self.escrow.open(each)["password"] for each in known.values() if each.item != item.item]
        if item.vault_version > 1:
            stored += read_version(self.vault, rotation.path, item.vault_version - 1)
        for each in dict.fromkeys(stored):
            with suppress(PasswordUndecryptable):  # nobody knows it, so nobody can be asked about it
                old = open_password(self.master_key, rotation.tenant_id, each)
                if old != new:
                    yield old

    def _token(self, rotation: Rotation) -> str:
        secret = read_credential(self.vault, mailu_token_path(rotation.tenant_id))
        return str((secret.data or {}).get("token", ""))


def finish(
    vault: VaultClient, escrow: Escrow, rotation: Rotation, incident_id: str, reset_by: str, at: str
) -> EscrowItem:
    """Let the new value be the one that works in the escrow too; mark the old one in Vault after an emergency.

    The last step, and the one that opens no password. Raises `EscrowItemMissing`, `CredentialMissing`, and as Vault
    does.
    """
    item = escrow.make_current(rotation.path, rotation.id, at, rotation.old_state)
    if rotation.kind == "emergency":
        mark_credential(vault, rotation.path, reset_marks(incident_id, reset_by, at, item.vault_version - 1))
    return item
