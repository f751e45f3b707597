"""What the tests of the adapters share: the mocked AWS, and Vaults that trust the keys in it."""

from collections.abc import Callable, Iterator
from unittest.mock import patch

import pytest

from infra.postgres_wheels import MAJORS
from lambdas.adapters import aws
from lambdas.adapters.signing import SigningKey
from lambdas.adapters.vault import VaultClient
from lambdas.domain.vault_duties import DUTIES, Duty, DutyName
from tests.servers.aws import forget, make_signing_key, mocked_aws
from tests.servers.postgres import PostgresServers
from tests.servers.postgres_clients import clients_on_path
from tests.servers.vault import Vaults, VaultServer, make_seal_key, started


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
def seal_key() -> str:
    return make_seal_key()


@pytest.fixture(scope="package")
def vault(vaults: Vaults, seal_key: str) -> VaultServer:
    """A Vault of one node that many tests use: leave nothing behind in it."""
    return started(vaults.begin(seal_key))


Login = Callable[[VaultServer, DutyName], VaultClient]


@pytest.fixture(scope="package")
def login(vaults: Vaults, logins: dict[DutyName, SigningKey]) -> Login:
    """Logs in to a node for a duty."""

    def log_in(server: VaultServer, duty: DutyName) -> VaultClient:
        return VaultClient(server.address, vaults.estate(server), Duty(duty), logins[duty])

    return log_in
