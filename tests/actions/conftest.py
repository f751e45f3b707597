"""What the tests of the actions share: the mocked AWS, real Vaults, a house in it, and a backup that was made once."""

import base64
import secrets
import socket
from collections.abc import Iterator
from pathlib import Path

import boto3
import botocore.client
import pytest

from infra.postgres_wheels import MAJORS
from lab.estate import make_offline_key
from lab.services import LabServices
from lab.tenants import Tenant, make_tenants
from lambdas.adapters.signing import SigningKey
from lambdas.domain.tenant_password import encrypt_password
from lambdas.domain.vault_duties import DUTIES
from tests.actions.break_glass_night import Night, make_night, never
from tests.actions.credential_house import TenantHouse
from tests.actions.database_house import Databases, let_run, make_dump, put_logins, put_services
from tests.actions.house import House, Keys, SavedBackup, make_backup
from tests.servers.aws import forget, mocked_aws
from tests.servers.mailu import Mailu, mailus
from tests.servers.postgres import PostgresServers
from tests.servers.postgres_clients import clients_on_path
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


@pytest.fixture
def night(
    saved: SavedBackup,
    keys: Keys,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Night:
    """A night on which this very process may reach neither AWS nor a network."""
    evidence = SigningKey(keys.arn("evidence")).public_pem()
    night = make_night(tmp_path, saved, keys, capsys)
    (tmp_path / "evidence.pem").write_text(evidence)
    monkeypatch.chdir(tmp_path)
    for place, name in ((socket, "socket"), (boto3, "client"), (botocore.client.ClientCreator, "create_client")):
        monkeypatch.setattr(place, name, never)
    return night


# --- a tenant ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="package")
def mailu(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mailu]:
    with mailus(tmp_path_factory.mktemp("mailu")) as servers:
        yield servers.start()


@pytest.fixture
def tenant(house: House, server: VaultServer, mailu: Mailu) -> TenantHouse:
    """A tenant whose credential has leaked."""
    return TenantHouse.make(house, server, mailu)


# --- the database -----------------------------------------------------------------------------------------


@pytest.fixture(scope="package")
def postgres_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServers]:
    """PostgreSQL servers, each started when first asked for; its client programs are found, too."""
    servers = PostgresServers(tmp_path_factory.mktemp("postgres"))
    with clients_on_path(MAJORS):
        yield servers
    servers.stop()


@pytest.fixture(scope="package")
def databases(postgres_servers: PostgresServers) -> Databases:
    """The live and the staging server."""
    return Databases(postgres_servers.start(), postgres_servers.start())


@pytest.fixture
def database(house: House, databases: Databases) -> Databases:
    """Both servers as they are on a good day, in the estate of a house."""
    databases.restart()
    put_logins(house, databases)
    return databases


@pytest.fixture(scope="package")
def dumped(keys: Keys, vaults: Vaults, server: VaultServer, databases: Databases) -> SavedBackup:
    """A dump of that database, proved intact."""
    house = House(keys, vaults.estate(server), MASTER_KEY, SEAL_KEY)
    databases.restart()
    put_logins(house, databases)
    try:
        return make_dump(house)
    finally:
        forget("s3", "dynamodb", "ssm", "sns", "secretsmanager")


@pytest.fixture(scope="package")
def running_services(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabServices]:
    services = LabServices(
        tmp_path_factory.mktemp("services"), databases.live.authority, databases.connection_of_the_service
    )
    with services.started():
        yield services


@pytest.fixture
def services(house: House, database: Databases, running_services: LabServices) -> Iterator[LabServices]:
    """The services that use the live database, in the estate of the house; they run before and after each test."""
    put_services(house, database, running_services)
    yield running_services
    let_run(running_services)
