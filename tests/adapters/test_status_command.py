"""`python -m lambdas.status` asks both Vaults of the estate, and both servers of its database where it has one.

All else of it is tried on the deployed house.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.postgres import PostgresServer
from lambdas.adapters.estate_parameter import PARAMETER
from lambdas.status import main
from tests.domain.builders import ESTATE
from tests.servers.aws import PRIMARY, STANDBY, aws, forget, refused
from tests.servers.postgres import PostgresServers, fresh_database
from tests.servers.vault import Vaults, VaultServer

pytestmark = pytest.mark.usefixtures("_clean")

Checks = dict[str, tuple[str, str]]


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServers]:
    servers = PostgresServers(tmp_path_factory.mktemp("postgres"))
    yield servers
    servers.stop()


@pytest.fixture
def postgres(servers: PostgresServers) -> Iterator[PostgresServer]:
    """A live server, with the database of the estate in it."""
    server = servers.shared()
    fresh_database(server, "smtpy")
    yield server
    forget("secretsmanager")


def _deploy(vaults: Vaults, live: VaultServer, staging: VaultServer, database: dict[str, Any] | None = None) -> None:
    estate = yaml.safe_load(ESTATE)
    estate["vault"] |= {
        "address": live.address,
        "ca": vaults.authority.pem,
        "staging": {"address": staging.address},
    }
    if database:
        estate["database"] = database
    for region in (PRIMARY, STANDBY):
        aws("ssm", region).put_parameter(Name=PARAMETER, Value=yaml.safe_dump(estate), Type="String", Tier="Advanced")


def _database(live: dict[str, Any], staging: dict[str, Any]) -> dict[str, Any]:
    return {"name": "smtpy", "major": 17, "server": live, "staging": staging, "service_secret": live["secret"]}


def _reachable(server: PostgresServer) -> dict[str, Any]:
    """A server as the estate names it, and its login in Secrets Manager."""
    held = {"username": "postgres", "password": server.superuser_password}
    secret = aws("secretsmanager").create_secret(Name="smtpy-db", SecretString=json.dumps(held))["ARN"]
    return {"host": server.host, "port": server.port, "secret": secret, "ca": server.authority.pem}


def _dead(like: dict[str, Any]) -> dict[str, Any]:
    """A server with the same login, at a port where nobody listens."""
    return like | {"port": 1}


@pytest.fixture
def checks(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Callable[[], Checks]:
    """Ask; the verdict and the sentence of the check of each server."""

    def ask() -> Checks:
        main(["--json", "--region", PRIMARY, "--estate", str(tmp_path / "none.yaml")])
        found = json.loads(capsys.readouterr().out)["checks"]
        servers = ("vault", "staging-vault", "database", "database-staging")
        return {each["name"]: (each["verdict"], each["said"]) for each in found if each["name"] in servers}

    return ask


@pytest.mark.parametrize(("answer", "code"), [(None, "EndpointConnectionError"), ("NotThere", "NotThere")])
def test_a_region_that_was_named_and_gives_no_estate_is_told_and_the_estates_own_are_asked(
    answer: str | None,
    code: str,
    vaults: Vaults,
    vault: VaultServer,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    _deploy(vaults, vault, vaults.prepare())
    (tmp_path / "estate.yaml").write_text(ESTATE)
    with refused(lambda request: "us-east-1" in request.url, answer):
        main(["--json", "--region", "us-east-1", "--estate", str(tmp_path / "estate.yaml")])
    found = json.loads(capsys.readouterr().out)
    assert found["read_from"] == PRIMARY
    (told,) = [each for each in found["checks"] if each["name"] == "region"]
    assert (told["region"], told["verdict"]) == ("us-east-1", "unknown")
    assert told["said"].startswith(f"--region names it, and it gave no estate ({code}): ")


def test_a_region_of_the_estate_that_was_named_and_does_not_answer_is_told_once(
    vaults: Vaults, vault: VaultServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _deploy(vaults, vault, vaults.prepare())
    (tmp_path / "estate.yaml").write_text(ESTATE)
    with refused(lambda request: STANDBY in request.url, None):
        main(["--json", "--region", STANDBY, "--estate", str(tmp_path / "estate.yaml")])
    (told,) = [each for each in json.loads(capsys.readouterr().out)["checks"] if each["name"] == "region"]
    assert (told["region"], told["verdict"]) == (STANDBY, "unknown")
    assert told["said"] == "The region does not answer: no answer (EndpointConnectionError)."


def test_a_staging_vault_that_is_dead_is_found_before_a_restore_is_tested(
    vaults: Vaults, vault: VaultServer, checks: Callable[[], Checks]
) -> None:
    dead = vaults.prepare()
    _deploy(vaults, vault, dead)
    found = checks()
    assert found["vault"] == ("good", f"Vault is unsealed, and {vault.address} leads.")
    verdict, said = found["staging-vault"]
    assert verdict == "not good"
    assert said.startswith(
        f"The staging Vault was not reached from this machine: Vault at {dead.address} does not answer"
    )


def test_a_dead_live_vault_is_not_taken_for_the_staging_one(
    vaults: Vaults, vault: VaultServer, checks: Callable[[], Checks]
) -> None:
    _deploy(vaults, vaults.prepare(), vault)
    found = checks()
    assert found["staging-vault"] == ("good", f"The staging Vault is unsealed, and {vault.address} leads.")
    assert found["vault"][0] == "not good"


def test_without_a_database_nothing_is_said_of_one(
    vaults: Vaults, vault: VaultServer, checks: Callable[[], Checks]
) -> None:
    _deploy(vaults, vault, vaults.prepare())
    assert checks().keys() == {"vault", "staging-vault"}


def test_a_staging_database_that_is_dead_is_found_before_a_restore_is_tested(
    vaults: Vaults, vault: VaultServer, postgres: PostgresServer, checks: Callable[[], Checks]
) -> None:
    live = _reachable(postgres)
    _deploy(vaults, vault, vaults.prepare(), _database(live, _dead(live)))
    found = checks()
    role = "lets its role in: PostgreSQL 17, with a certificate that verifies."
    assert found["database"] == ("good", f"The database at localhost:{postgres.port} {role}")
    verdict, said = found["database-staging"]
    assert verdict == "not good"
    assert said.startswith("The staging database server was not reached from this machine: PostgreSQL at localhost:1")


def test_a_staging_server_need_not_hold_the_database_and_the_live_one_must(
    vaults: Vaults, vault: VaultServer, postgres: PostgresServer, checks: Callable[[], Checks]
) -> None:
    postgres.drop_database("smtpy")
    here = _reachable(postgres)
    _deploy(vaults, vault, vaults.prepare(), _database(here, here | {"host": "127.0.0.1"}))
    found = checks()
    assert found["database"] == ("not good", "PostgreSQL at localhost has no database smtpy.")
    assert found["database-staging"][0] == "good"
