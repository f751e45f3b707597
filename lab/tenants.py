"""The platform's own side: tenants whose SMTP credentials it stores in Vault, in its own format."""

import random
import secrets
import uuid
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime

import hvac

from lambdas.domain.tenant import SMTP_MOUNT, mailu_token_path
from lambdas.domain.tenant_password import decrypt_password, encrypt_password

_AT_ONCE = 16
_MERGE_PATCH = {"Content-Type": "application/merge-patch+json"}


@dataclass(frozen=True)
class Mailbox:
    """Where a tenant's mail server is, and what opens its API."""

    address: str
    api_token: str


@dataclass(frozen=True)
class Tenant:
    """A tenant and the password that its mail server accepts, which only the lab knows in the clear.

    Without a mailbox its mail server is one that nobody serves. `contacts` are addresses out of band.
    """

    id: str
    domain: str
    password: str
    mailbox: Mailbox | None = None
    contacts: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        return f"{self.id}/admin"

    @property
    def email(self) -> str:
        """The admin of its mail server."""
        return f"admin@{self.domain}"


def make_tenants(count: int, seed: int = 1, first: int = 0) -> list[Tenant]:
    """`count` tenants; their ids follow from the seed, their passwords do not.

    Their domains are numbered from `first`: those that share a mail server need domains of their own.
    """
    numbers = random.Random(seed)
    ids = [str(uuid.UUID(int=numbers.getrandbits(128), version=4)) for _ in range(count)]
    return [Tenant(each, f"tenant-{i}.example.org", secrets.token_urlsafe(24)) for i, each in enumerate(ids, first)]


class Platform:
    """Writes and reads Vault as the platform does, with a token of its own."""

    def __init__(self, client: hvac.Client, master_key: bytes) -> None:
        self._client, self._master_key = client, master_key

    def store(self, tenants: Iterable[Tenant]) -> Iterator[Tenant]:
        """Store the credentials of tenants, and the API token of a mailbox; yields each as it is stored."""
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            yield from pool.map(self._store, tenants)

    def _store(self, tenant: Tenant) -> Tenant:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        secret = {
            "username": tenant.email,
            "password": encrypt_password(tenant.password, self._master_key, tenant.id),
            "webmail_url": tenant.mailbox.address if tenant.mailbox else f"https://mail.{tenant.domain}",
            "created_at": now,
            "last_rotated": now,
            "rotation_policy": "180_days",
        }
        kv = self._client.secrets.kv.v2
        if tenant.mailbox:  # first: who finds a credential finds the way into its mail server, too
            mount, _, path = mailu_token_path(tenant.id).partition("/")
            kv.create_or_update_secret(path, {"token": tenant.mailbox.api_token}, mount_point=mount)
        kv.create_or_update_secret(tenant.path, secret, mount_point=SMTP_MOUNT)
        if tenant.contacts:
            self._tell_contacts(tenant)
        return tenant

    def _tell_contacts(self, tenant: Tenant) -> None:
        """By a merge patch: hvac's own `update_metadata` would take every other mark away."""
        marks = {"custom_metadata": {"contacts": ",".join(tenant.contacts)}}
        path = f"/v1/{SMTP_MOUNT}/metadata/{tenant.path}"
        self._client.adapter.request("patch", path, json=marks, headers=_MERGE_PATCH)

    def read(self, tenant: Tenant) -> Mapping[str, str]:
        """A tenant's secret, as it lies in Vault."""
        answer = self._client.secrets.kv.v2.read_secret_version(
            tenant.path, mount_point=SMTP_MOUNT, raise_on_deleted_version=True
        )
        found: Mapping[str, str] = answer["data"]["data"]
        return found

    def password(self, tenant: Tenant) -> str:
        """What Vault says that a tenant's password is now, in the clear."""
        return decrypt_password(self.read(tenant)["password"], self._master_key, tenant.id)

    def marks(self, tenant: Tenant) -> Mapping[str, str]:
        """The custom metadata of a tenant's secret."""
        answer = self._client.secrets.kv.v2.read_secret_metadata(tenant.path, mount_point=SMTP_MOUNT)
        return answer["data"]["custom_metadata"] or {}

    def wrong(self, tenants: Iterable[Tenant]) -> list[str]:
        """The ids of tenants whose password in Vault is missing, does not decrypt, or is another than it was."""
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            return [tenant_id for tenant_id in pool.map(self._wrong, tenants) if tenant_id]

    def _wrong(self, tenant: Tenant) -> str | None:
        try:
            right = self.password(tenant) == tenant.password
        except (hvac.exceptions.InvalidPath, ValueError, KeyError):
            right = False
        return None if right else tenant.id

    def destroy(self, tenants: Iterable[Tenant]) -> None:
        """Destroy credentials beyond recovery, all versions of them."""
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for _ in pool.map(self._destroy, tenants):
                pass

    def _destroy(self, tenant: Tenant) -> None:
        self._client.secrets.kv.v2.delete_metadata_and_all_versions(tenant.path, mount_point=SMTP_MOUNT)
