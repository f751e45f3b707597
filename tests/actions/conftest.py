"""What the tests of the actions share: the mocked AWS, real Vaults, a house in it, and a backup that was made once."""

import base64
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.estate import make_offline_key
from lab.tenants import Tenant, make_tenants
from lambdas.adapters.signing import SigningKey
from lambdas.domain.tenant_password import encrypt_password
from lambdas.domain.vault_duties import DUTIES
from tests.actions.house import House, Keys, SavedBackup, make_backup
from tests.servers.aws import forget, mocked_aws
from tests.servers.vault import Vaults, VaultServer, empty, started, write

MASTER_KEY, SEAL_KEY = secrets.token_bytes(32), secrets.token_bytes(32)
TENANTS = make_tenants(8)
SECRETS = {
    f"smtp/{tenant.path}": {
        "username": f"admin@{tenant.domain}",
        "password": encrypt_password(tenant.password, MASTER_KEY, tenant.id),
    }
    for tenant in TENANTS
} | {"vps/host-1/root": {"password": "untold-ssh-passphrase"}}


@pytest.fixture(scope="package", autouse=True)
def _aws() -> Iterator[None]:
    with mocked_aws():
        yield


@pytest.fixture(scope="package")
def keys(_aws: None, tmp_path_factory: pytest.TempPathFactory) -> Keys:
    offline = make_offline_key(tmp_path_factory.mktemp("offline"))
    return Keys.make(offline.public_pem, Path(offline.private).read_text())


@pytest.fixture(scope="package")
def vaults(keys: Keys, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vaults]:
    logins = {duty: SigningKey(keys.arn(f"vault-{duty}")) for duty in DUTIES}
    vaults = Vaults(tmp_path_factory.mktemp("vaults"), logins)
    yield vaults
    vaults.stop()


@pytest.fixture(scope="package")
def server(vaults: Vaults) -> VaultServer:
    """The Vault that most tests use."""
    return started(vaults.begin(base64.b64encode(SEAL_KEY).decode()))


@pytest.fixture
def house(keys: Keys, vaults: Vaults, server: VaultServer) -> Iterator[House]:
    """A house with nothing in it but its keys and its estate."""
    yield House(keys, vaults.estate(server), MASTER_KEY, SEAL_KEY)
    forget("s3", "dynamodb", "ssm", "sns", "sqs", "stepfunctions", "secretsmanager")


@pytest.fixture
def tenants(house: House, server: VaultServer) -> list[Tenant]:
    """The tenants whose credentials the Vault holds, stored as the platform stores them."""
    fill(house, server)
    return TENANTS


def fill(house: House, server: VaultServer) -> None:
    """Empty the Vault and store the same again: the same paths, versions and values each time."""
    admin = server.admin()
    empty(admin)
    for path, secret in SECRETS.items():
        write(admin, path, secret)
        house.secrets |= {secret["password"]}
    house.secrets |= {tenant.password for tenant in TENANTS}


@pytest.fixture(scope="package")
def saved(keys: Keys, vaults: Vaults, server: VaultServer) -> SavedBackup:
    """A backup of that Vault, with its canary in it."""
    house = House(keys, vaults.estate(server), MASTER_KEY, SEAL_KEY)
    fill(house, server)
    try:
        return make_backup(house)
    finally:
        forget("s3", "dynamodb", "ssm", "sns")
