"""What the tests of notices share: a house that may send them, and a tenant whom they are sent to."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

import hvac

from infra.grants import ActionSpec
from infra.uses import Region
from lab.tenants import Tenant
from lambdas.adapters.signing import SigningKey
from lambdas.domain.tenant import admin_path
from lambdas.domain.vault_duties import ISSUER, Duty, policy, role
from tests.actions.house import House
from tests.servers.vault import VaultServer

SENDER = "security@mailark.example.net"
ROTATE = Duty("rotate")


@dataclass(frozen=True)
class Given:
    """Settings that a function is given, whatever its grants are."""

    values: Mapping[str, str]

    def environment(self, region: Region) -> dict[str, str]:
        del region
        return dict(self.values)


def spec(**values: str) -> ActionSpec:
    """An action with these settings."""
    return ActionSpec(512, 60, [cast("Any", Given(values))])


@contextmanager
def trusted(server: VaultServer, house: House, key: SigningKey) -> Iterator[None]:
    """Let Vault trust a key for the duty `rotate` while the block runs."""
    admin = server.admin()
    admin.sys.create_or_update_acl_policy(ROTATE.title, policy(ROTATE.name, house.vault))
    admin.sys.enable_auth_method("jwt", path=ROTATE.title)
    trust = {"jwt_validation_pubkeys": [key.public_pem()], "bound_issuer": ISSUER}
    admin.write_data(f"auth/{ROTATE.title}/config", data=trust)
    admin.write_data(f"auth/{ROTATE.title}/role/{ROTATE.title}", data=role(ROTATE))
    yield
    server.admin().sys.disable_auth_method(ROTATE.title)


def put_credentials(house: House) -> None:
    """Deploy an estate that has tenants' credentials."""
    estate = json.loads(house.estate_text(house.vault)) | {"credentials": {"notices_from": SENDER}}
    house.put_estate(text=json.dumps(estate))


def give_contacts(admin: hvac.Client, tenant: Tenant, contacts: str) -> None:
    """Write a tenant's contacts beside its credential, or take them away."""
    mount, _, name = admin_path(tenant.id).partition("/")
    metadata = {"contacts": contacts} if contacts else {}
    admin.secrets.kv.v2.update_metadata(name, mount_point=mount, custom_metadata=metadata)
