"""The platform's own side: tenants whose SMTP credentials it stores in Vault, in its own format."""

import random
import secrets
import uuid
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime

import hvac

from lambdas.domain.tenant_password import decrypt_password, encrypt_password

_AT_ONCE = 16


@dataclass(frozen=True)
class Tenant:
    """A tenant and the password that its mail server accepts, which only the lab knows in the clear."""

    id: str
    domain: str
    password: str

    @property
    def path(self) -> str:
        return f"{self.id}/admin"


def make_tenants(count: int, seed: int = 1) -> list[Tenant]:
    """`count` tenants; their ids follow from the seed, their passwords do not."""
    numbers = random.Random(seed)
    ids = [str(uuid.UUID(int=numbers.getrandbits(128), version=4)) for _ in range(count)]
    return [Tenant(each, f"tenant-{i}.example.org", secrets.token_urlsafe(24)) for i, each in enumerate(ids)]


class Platform:
    """Writes and reads Vault as the platform does, with a token of its own."""

    def __init__(self, client: hvac.Client, master_key: bytes) -> None:
        self._client, self._master_key = client, master_key

    def store(self, tenants: Iterable[Tenant]) -> Iterator[Tenant]:
        """Store the credentials of tenants; yields each as it is stored."""
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            yield from pool.map(self._store, tenants)

    def _store(self, tenant: Tenant) -> Tenant:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        secret = {
            "username": f"admin@{tenant.domain}",
            "password": encrypt_password(tenant.password, self._master_key, tenant.id),
            "webmail_url": f"https://mail.{tenant.domain}",
            "created_at": now,
            "last_rotated": now,
            "rotation_policy": "180_days",
        }
        self._client.secrets.kv.v2.create_or_update_secret(tenant.path, secret, mount_point="smtp")
        return tenant

    def read(self, tenant: Tenant) -> Mapping[str, str]:
        """A tenant's secret, as it lies in Vault."""
        answer = self._client.secrets.kv.v2.read_secret_version(
            tenant.path, mount_point="smtp", raise_on_deleted_version=True
        )
        found: Mapping[str, str] = answer["data"]["data"]
        return found

    def wrong(self, tenants: Iterable[Tenant]) -> list[str]:
        """The ids of tenants whose password in Vault is missing, does not decrypt, or is another than it was."""
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            return [tenant_id for tenant_id in pool.map(self._wrong, tenants) if tenant_id]

    def _wrong(self, tenant: Tenant) -> str | None:
        try:
            stored = self.read(tenant)["password"]
            right = decrypt_password(stored, self._master_key, tenant.id) == tenant.password
        except (hvac.exceptions.InvalidPath, ValueError, KeyError):
            right = False
        return None if right else tenant.id

    def destroy(self, tenants: Iterable[Tenant]) -> None:
        """Destroy credentials beyond recovery, all versions of them."""
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for _ in pool.map(self._destroy, tenants):
                pass

    def _destroy(self, tenant: Tenant) -> None:
        self._client.secrets.kv.v2.delete_metadata_and_all_versions(tenant.path, mount_point="smtp")
