"""What the tests of the adapters share: the mocked AWS, and Vaults that trust the keys in it."""

from collections.abc import Callable, Iterator
from unittest.mock import patch

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from infra.postgres_wheels import MAJORS
from lambdas.adapters import aws
from lambdas.adapters.signing import SigningKey
from lambdas.adapters.vault import VaultClient
from lambdas.domain.vault_duties import DUTIES, Duty, DutyName
from tests.servers.aws import PRIMARY, STANDBY, forget, make_signing_key, mocked_aws
from tests.servers.aws import aws as aws_client
from tests.servers.postgres import PostgresServers
from tests.servers.postgres_clients import clients_on_path
from tests.servers.tables import table
from tests.servers.vault import Vaults, VaultServer, make_seal_key, mount, started


@pytest.fixture(scope="package", autouse=True)
def _aws() -> Iterator[None]:
    """A mocked AWS; every adapter has clients of its own, on which a test may listen."""
    with mocked_aws(), patch.object(aws, "_made", aws._made.__wrapped__):
        yield


@pytest.fixture
def _clean() -> Iterator[None]:
    """An AWS without buckets, tables, parameters, topics, queues and executions; keys stay."""
    yield
    forget("s3", "dynamodb", "ssm", "sns", "sqs", "stepfunctions")


@pytest.fixture(scope="package")
def logins() -> dict[DutyName, SigningKey]:
    """The signing key of each duty."""
    return {duty: make_signing_key() for duty in DUTIES}


@pytest.fixture(scope="package")
def vaults(logins: dict[DutyName, SigningKey], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vaults]:
    vaults = Vaults(tmp_path_factory.mktemp("vaults"), logins)
    yield vaults
    vaults.stop()


@pytest.fixture(scope="session")
def postgres_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServers]:
    """PostgreSQL servers by major version, each started when first asked for; client programs are found, too."""
    servers = PostgresServers(tmp_path_factory.mktemp("postgres"))
    with clients_on_path(MAJORS):
        yield servers
    servers.stop()


@pytest.fixture(scope="package")
def offline() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=3072)


@pytest.fixture(scope="package")
def offline_public(offline: rsa.RSAPrivateKey) -> str:
    return offline.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


@pytest.fixture(scope="package")
def offline_private(offline: rsa.RSAPrivateKey) -> str:
    return offline.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@pytest.fixture(scope="package")
def seal_key() -> str:
    return make_seal_key()


@pytest.fixture(scope="package")
def vault(vaults: Vaults, seal_key: str) -> VaultServer:
    """A Vault of one node that many tests use: leave nothing behind in it."""
    return started(vaults.begin(seal_key))


@pytest.fixture(scope="package")
def rotation_key(logins: dict[DutyName, SigningKey], vault: VaultServer) -> SigningKey:
    """What signs logins for the duty `rotate`, to a Vault that keeps API tokens too."""
    mount(vault.admin(), "api_keys")
    return logins["rotate"]


@pytest.fixture
def rotating(vaults: Vaults, vault: VaultServer, rotation_key: SigningKey) -> VaultClient:
    """A login to the shared Vault for the duty `rotate`."""
    return VaultClient(vault.address, vaults.estate(vault), Duty("rotate"), rotation_key)


@pytest.fixture
def escrow_table() -> str:
    """The name of an empty escrow, in both regions."""
    for region in (PRIMARY, STANDBY):
        aws_client("dynamodb", region).create_table(**table("mailark-escrow"))
    return "mailark-escrow"


Login = Callable[[VaultServer, DutyName], VaultClient]


@pytest.fixture(scope="package")
def login(vaults: Vaults, logins: dict[DutyName, SigningKey]) -> Login:
    """Logs in to a node for a duty."""

    def log_in(server: VaultServer, duty: DutyName) -> VaultClient:
        return VaultClient(server.address, vaults.estate(server), Duty(duty), logins[duty])

    return log_in
