"""What the tests of dying share: an AWS that other processes reach, a real Vault, and a world to die in."""

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lab.estate import make_offline_key
from lambdas.adapters.signing import SigningKey
from lambdas.domain.estate import Heartbeat
from lambdas.domain.vault_duties import DUTIES
from tests.actions.conftest import MASTER_KEY, SEAL_KEY, SECRETS
from tests.actions.house import OTHER, House, Keys, SavedBackup, make_backup
from tests.crash.databases import CrashDatabase
from tests.crash.deaths import Deaths, WorldMaker
from tests.crash.functions import Functions
from tests.crash.story import Contents
from tests.crash.tenants import CrashTenant
from tests.crash.world import World, served_aws
from tests.servers.aws import forget, mocked_aws
from tests.servers.monitor import Monitor
from tests.servers.vault import Vaults, VaultServer, contents, empty, started, write

FIRST_AT = (datetime.now(UTC) - timedelta(hours=6)).replace(microsecond=0)
_HELD = [*list(SECRETS)[:2], *(path for path in SECRETS if path.startswith("vps/"))]
"""Three secrets in two mounts: every kind of call is made, and none of them more often than it teaches something."""
_FORGOTTEN = ("ses", "s3", "dynamodb", "ssm", "sns", "sqs", "stepfunctions", "secretsmanager")


@pytest.fixture(scope="package")
def endpoint() -> Iterator[str]:
    with mocked_aws(), served_aws() as endpoint:
        yield endpoint


@pytest.fixture(scope="package")
def keys(endpoint: str, tmp_path_factory: pytest.TempPathFactory) -> Keys:
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
    return started(vaults.begin(base64.b64encode(SEAL_KEY).decode()))


@pytest.fixture(scope="package")
def staging(vaults: Vaults) -> VaultServer:
    """The Vault that restore tests fill and empty again."""
    return started(vaults.begin(base64.b64encode(SEAL_KEY).decode()))


@pytest.fixture(scope="package")
def monitor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Monitor]:
    """Who expects a call after each good night."""
    with Monitor.open(tmp_path_factory.mktemp("monitor")) as monitor:
        yield monitor


@pytest.fixture(scope="package")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CrashDatabase]:
    """The database of the scenarios that need one."""
    database = CrashDatabase(tmp_path_factory.mktemp("databases"), FIRST_AT)
    yield database
    database.stop()


@pytest.fixture(scope="package")
def tenant(server: VaultServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[CrashTenant]:
    """The tenant of the scenarios that need one."""
    tenant = CrashTenant(tmp_path_factory.mktemp("mailu"), server)
    yield tenant
    tenant.stop()


@pytest.fixture(scope="package")
def saved(keys: Keys, vaults: Vaults, server: VaultServer) -> SavedBackup:
    """A backup of the Vault, made the day before."""
    house = House(keys, vaults.estate(server), MASTER_KEY, SEAL_KEY)
    empty(server.admin())
    for path in _HELD:
        write(server.admin(), path, SECRETS[path])
    try:
        return make_backup(house, started_at=(FIRST_AT - timedelta(days=1)).isoformat())
    finally:
        forget(*_FORGOTTEN)


@pytest.fixture(scope="package")
def backed_up(saved: SavedBackup, server: VaultServer) -> Contents:
    """What Vault held when its backup was made."""
    return contents(server.admin())


@pytest.fixture(scope="package")
def new_world(
    keys: Keys,
    vaults: Vaults,
    server: VaultServer,
    staging: VaultServer,
    monitor: Monitor,
    database: CrashDatabase,
    tenant: CrashTenant,
    saved: SavedBackup,
    backed_up: Contents,
    endpoint: str,
) -> WorldMaker:
    """Makes a world in which there is one backup in both regions, and nothing has run yet."""

    @contextmanager
    def make() -> Iterator[World]:
        watched = Heartbeat(monitor.url, monitor.ca)
        house = House(keys, vaults.estate(server, staging=staging), MASTER_KEY, SEAL_KEY, watched)
        for region in OTHER:
            saved.put(house, region)
        try:
            functions = Functions(endpoint)
            yield World(house, server, staging, functions, FIRST_AT, database, tenant, backups_before={saved.id})
        finally:
            tenant.end()
            forget(*_FORGOTTEN)

    return make


@pytest.fixture(scope="package")
def deaths(new_world: WorldMaker, backed_up: Contents) -> Deaths:
    """Where executions can die, watched once."""
    return Deaths(new_world, backed_up)
