"""A house with tenants' credentials: a tenant in its Vault, with a mailbox on a Mailu, and what its password opens."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import hvac

from lab.tenants import Tenant, make_tenants
from lambdas.adapters.envelope import Envelope
from lambdas.adapters.escrow import Escrow
from lambdas.adapters.mail_logins import log_in
from lambdas.domain.credential import open_password, seal_password
from lambdas.domain.estate_credentials import Credentials, MailuServers
from lambdas.domain.mail_login import MailServer, Way
from lambdas.domain.operation import Operation
from lambdas.domain.tenant import admin_path, mailu_token_path, tenant_target
from tests.actions.house import STARTED, House
from tests.servers.aws import PRIMARY, STANDBY
from tests.servers.mailu import Mailu
from tests.servers.vault import VaultServer, mount, write

SCENARIO = "credential_compromise"
SENDER = "security@mailark.example.net"
WAYS = (Way.SSO, Way.IMAP, Way.SMTPS, Way.SUBMISSION)


def put_credentials(house: House, mailu: Mailu) -> None:
    """Give the house a section for credentials, with the ports of a Mailu."""
    ports = mailu.server.ports
    servers = MailuServers(mailu.authority.pem, ports.imaps, ports.smtps, ports.submission)
    house.credentials = Credentials(SENDER, servers)
    for region in (PRIMARY, STANDBY):
        house.put_estate(region=region)


def give_contacts(admin: hvac.Client, tenant: Tenant, contacts: str) -> None:
    """Write a tenant's contacts beside its credential, or take them away."""
    mount_point, _, name = admin_path(tenant.id).partition("/")
    metadata = {"contacts": contacts} if contacts else {}
    admin.secrets.kv.v2.update_metadata(name, mount_point=mount_point, custom_metadata=metadata)


def has_mount(admin: hvac.Client, name: str) -> bool:
    return f"{name}/" in admin.sys.list_mounted_secrets_engines()["data"]


@dataclass
class TenantHouse:
    """A house, one tenant of it, and the password that has leaked."""

    house: House
    mailu: Mailu
    admin: hvac.Client
    id: str
    email: str
    leaked: str

    @staticmethod
    def make(
        house: House, server: VaultServer, mailu: Mailu, tenant_id: str | None = None, email: str | None = None
    ) -> "TenantHouse":
        """One more tenant, whose credential works; anybody, unless an id and an address are given."""
        put_credentials(house, mailu)
        admin = server.admin()
        if not has_mount(admin, "api_keys"):
            mount(admin, "api_keys")
        user, leaked = mailu.add_user(email)
        own_id = tenant_id or make_tenants(1, seed=secrets.randbelow(10**9))[0].id
        tenant = TenantHouse(house, mailu, admin, own_id, user.email, leaked)
        house.secrets |= {leaked, mailu.token}
        tenant.write(
            {
                "username": user.email,
                "password": seal_password(house.master_key, own_id, leaked),
                "webmail_url": mailu.address,
                "created_at": "2026-05-01T00:00:00+00:00",
                "last_rotated": "2026-05-01T00:00:00+00:00",
                "rotation_policy": "180_days",
            }
        )
        write(admin, mailu_token_path(own_id), {"token": mailu.token})
        return tenant

    def write(self, values: Mapping[str, object]) -> None:
        """Let Vault hold this for the tenant."""
        self.house.secrets |= {str(values["password"])} if "password" in values else set()
        write(self.admin, admin_path(self.id), dict(values))

    def operation(self, name: str = "op-1") -> Operation:
        """A response that has begun: it holds the lease on the tenant."""
        return self.house.operation(SCENARIO, name, STARTED, target=tenant_target(self.id))

    def run(self, action: str, operation: Operation, **given: object) -> Any:
        """Run one action of the response."""
        payload = {"operation": operation, "tenant_id": self.id, **given}
        try:
            return self.house.run(action, payload)
        finally:
            self.house.secrets |= self._made()

    def rotate(self, operation: Operation, *actions: str) -> Any:
        """Run these steps of an emergency rotation one after another; the answer of the last."""
        answer: Any = None
        for action in actions:
            answer = self.run(action, operation, kind="emergency")
        return answer

    def _made(self) -> set[str]:
        """Every password that was made here: none of them may ever be seen."""
        escrow, found = self.escrow(), set[str]()
        for each in escrow.items(admin_path(self.id)):
            stored = escrow.open(each)["password"]
            found |= {stored, open_password(self.house.master_key, self.id, stored)}
        return found

    # --- looking around -----------------------------------------------------------------------------------

    def escrow(self) -> Escrow:
        return Escrow(
            PRIMARY, "mailark-escrow", Envelope(self.house.keys.arn("escrow"), self.house.keys.offline_public)
        )

    def in_vault(self) -> str:
        """The password that Vault has, in the clear."""
        return open_password(self.house.master_key, self.id, self.stored()["password"])

    def stored(self) -> dict[str, str]:
        """The tenant's secret in Vault."""
        kv = self.admin.secrets.kv.v2
        answer = kv.read_secret_version(f"{self.id}/admin", mount_point="smtp", raise_on_deleted_version=True)
        values: dict[str, str] = answer["data"]["data"]
        return values

    def marks(self) -> dict[str, str]:
        """The marks of the tenant's secret in Vault."""
        answer = self.admin.secrets.kv.v2.read_secret_metadata(f"{self.id}/admin", mount_point="smtp")
        return answer["data"]["custom_metadata"] or {}

    def works(self, password: str) -> bool:
        """Whether a password lets its user in by every way; by some of them is no answer."""
        ports = self.mailu.server.ports
        server = MailServer(self.mailu.address, self.mailu.authority.pem, ports.imaps, ports.smtps, ports.submission)
        found = {log_in(server, way, self.email, password).is_right for way in WAYS}
        assert len(found) == 1
        return found.pop()
