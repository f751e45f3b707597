"""Which database an operation may touch: a rehearsal the staging one alone, and never the live one by mistake."""

import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from lab.postgres import PostgresServer
from lab.processes import free_port
from lambdas.adapters.database_target import database_of, database_target, services_of
from lambdas.adapters.estate_parameter import PARAMETER
from lambdas.domain.database_errors import (
    DatabaseLoginRefused,
    DatabaseNotInEstate,
    DatabaseStagingIsLive,
    DatabaseUnreachable,
    DatabaseVersionDiffers,
    FreshServerNotInEstate,
    ServicesNotInEstate,
)
from lambdas.domain.estate import parse_estate
from lambdas.domain.operation import Lease, Mode, Operation
from tests.domain.builders import DATABASE, ESTATE
from tests.servers.aws import PRIMARY, STANDBY, aws, forget, refused
from tests.servers.postgres import PostgresServers


@pytest.fixture(scope="module")
def live(postgres_servers: PostgresServers) -> PostgresServer:
    return postgres_servers.shared("17")


@pytest.fixture(scope="module")
def staging(postgres_servers: PostgresServers) -> PostgresServer:
    return postgres_servers.start("17")


@pytest.fixture
def estate(live: PostgresServer, staging: PostgresServer) -> Iterator[dict[str, Any]]:
    """An estate with both servers, whose logins lie in both regions, to be changed and deployed by `_deploy`."""
    yield {
        "name": "smtpy",
        "major": 17,
        "server": _server("live", live),
        "staging": _server("staging", staging),
        "service_secret": "arn:aws:secretsmanager:eu-central-1:123456789012:secret:service-AbCdEf",
    }
    forget("ssm", "secretsmanager")


def _server(name: str, server: PostgresServer, password: str | None = None) -> dict[str, Any]:
    secret = json.dumps({"username": "postgres", "password": password or server.superuser_password})
    client = aws("secretsmanager")
    arn = client.create_secret(Name=name, SecretString=secret)["ARN"]
    client.replicate_secret_to_regions(SecretId=arn, AddReplicaRegions=[{"Region": STANDBY}])
    return {"host": server.host, "port": server.port, "secret": arn, "ca": server.authority.pem}


def _deploy(database: dict[str, Any], region: str = PRIMARY) -> None:
    plain = msgspec.yaml.decode(ESTATE) | {"database": database}
    text = json.dumps(plain)
    aws("ssm", region).put_parameter(Name=PARAMETER, Value=text, Type="String", Tier="Advanced", Overwrite=True)


def _operation(mode: Mode) -> Operation:
    return Operation("op-1", "any", "arn", mode, "2026-11-22T03:00:00+00:00", Lease("database", 1), "a test", "jo")


RECOVERY, REHEARSAL = _operation("recover"), _operation("rehearse")


# --- which server -----------------------------------------------------------------------------------------


def test_a_recovery_reaches_the_server_that_it_asks_for(
    estate: dict[str, Any], live: PostgresServer, staging: PostgresServer
) -> None:
    _deploy(estate | {"fresh": estate["staging"]})
    assert database_target(PRIMARY, RECOVERY).login.port == live.port
    assert database_target(PRIMARY, RECOVERY, "staging").login.port == staging.port
    assert database_target(PRIMARY, RECOVERY, "fresh").login.port == staging.port


def test_a_rehearsal_reaches_the_staging_server_whatever_it_asks_for(
    estate: dict[str, Any], staging: PostgresServer
) -> None:
    _deploy(estate)
    assert database_target(PRIMARY, REHEARSAL, "live").login.port == staging.port
    assert database_target(PRIMARY, REHEARSAL, "fresh").login.port == staging.port


def test_the_login_is_to_the_database_of_the_estate_and_tells_no_password(
    estate: dict[str, Any], live: PostgresServer
) -> None:
    _deploy(estate)
    target = database_target(PRIMARY, RECOVERY)
    assert (target.login.database, target.login.user, target.database.name) == ("smtpy", "postgres", "smtpy")
    assert live.superuser_password not in repr(target)


def test_the_standby_region_needs_nothing_of_the_primary_one(estate: dict[str, Any], live: PostgresServer) -> None:
    _deploy(estate, STANDBY)
    with refused(lambda request: f".{PRIMARY}." in request.url, None):
        assert database_target(STANDBY, RECOVERY).login.port == live.port


# --- the live server under another name -------------------------------------------------------------------


@pytest.mark.parametrize(("operation", "place"), [(REHEARSAL, "staging"), (RECOVERY, "fresh")])
def test_another_name_of_the_live_server_is_found(
    operation: Operation, place: Any, estate: dict[str, Any], live: PostgresServer
) -> None:
    same = estate["server"] | {"host": "127.0.0.1"}
    _deploy(estate | {"staging": same, "fresh": same})
    said = f"The staging server 127.0.0.1:{live.port} is the live server localhost:{live.port} under another name"
    with pytest.raises(DatabaseStagingIsLive, match=said):
        database_target(PRIMARY, operation, place)


def test_a_live_server_that_is_gone_is_not_the_one_that_answers(
    estate: dict[str, Any], staging: PostgresServer
) -> None:
    gone = estate["server"] | {"port": free_port()}
    _deploy(estate | {"server": gone, "fresh": estate["staging"]})
    assert database_target(PRIMARY, REHEARSAL).login.port == staging.port
    assert database_target(PRIMARY, RECOVERY, "fresh").login.port == staging.port


def test_a_live_server_that_refuses_us_stops_a_rehearsal_and_no_recovery_onto_the_fresh_one(
    estate: dict[str, Any], live: PostgresServer, staging: PostgresServer
) -> None:
    """A corrupt server may answer anything at all, and the fresh one is there for its sake."""
    refuses = _server("changed", live, "not-the-password")
    _deploy(estate | {"server": refuses, "fresh": estate["staging"]})
    assert database_target(PRIMARY, RECOVERY, "fresh").login.port == staging.port
    with pytest.raises(DatabaseLoginRefused, match="database-login-refused"):
        database_target(PRIMARY, REHEARSAL)


# --- targets that cannot be used --------------------------------------------------------------------------


def test_a_server_of_another_major_version_is_refused(
    estate: dict[str, Any], postgres_servers: PostgresServers
) -> None:
    other = _server("other", postgres_servers.shared("16"))
    _deploy(estate | {"staging": other})
    with pytest.raises(DatabaseVersionDiffers, match="is of the major version 16, and the estate says 17"):
        database_target(PRIMARY, REHEARSAL)
    assert database_target(PRIMARY, RECOVERY).login.port == estate["server"]["port"]


def test_a_server_that_does_not_answer_is_named(estate: dict[str, Any]) -> None:
    port = free_port()
    _deploy(estate | {"server": estate["server"] | {"port": port}})
    with pytest.raises(DatabaseUnreachable, match=f"PostgreSQL at localhost:{port} does not answer"):
        database_target(PRIMARY, RECOVERY)


def test_a_fresh_server_must_stand_in_the_estate(estate: dict[str, Any]) -> None:
    _deploy(estate)
    with pytest.raises(FreshServerNotInEstate, match="fresh-server-not-in-estate"):
        database_target(PRIMARY, RECOVERY, "fresh")


def test_what_the_estate_does_not_name_is_told() -> None:
    with pytest.raises(DatabaseNotInEstate, match="database-not-in-estate"):
        database_of(parse_estate(ESTATE))
    with pytest.raises(DatabaseNotInEstate, match="database-not-in-estate"):
        services_of(parse_estate(ESTATE))
    with_database = parse_estate(ESTATE + DATABASE)
    assert database_of(with_database).name == "smtpy"
    with pytest.raises(ServicesNotInEstate, match="services-not-in-estate"):
        services_of(with_database)
