"""A database for the house: two real servers, real services on one of them, and dumps that the actions make of it."""

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec
import psycopg
import pytest
from psycopg import sql

from lab.forwarding_service import DATABASE, SERVICE, grant_to_service, load
from lab.postgres import PostgresServer
from lab.services import NAMES, LabServices
from lambdas.adapters.database_marks import mark, mark_of
from lambdas.adapters.postgres import Login
from lambdas.adapters.signing import ALGORITHM, SigningKey
from lambdas.adapters.supervisord import Supervisord
from lambdas.domain.backup import Signature, manifest_key
from lambdas.domain.database_errors import DumpTooLong
from lambdas.domain.database_manifest import DatabaseContents, DatabaseManifest
from lambdas.domain.database_mark import Mark
from lambdas.domain.estate_database import Database, DatabaseCheck, DatabaseServer
from lambdas.domain.estate_services import Services
from lambdas.domain.operation import Operation
from tests.actions.house import House, SavedBackup, bucket_name
from tests.servers.aws import PRIMARY, STANDBY, aws

NIGHT = "2026-11-22T03:00:00.123+00:00"
DUMP = "smtpy_20261122_030000.sql.gz"
KEY = f"database/daily/2026-11-22/{DUMP}.enc"
TEST, RESTORED = "mailark_test_smtpy", "mailark_restored_smtpy"
CORRUPT = "smtpy_corrupt_20261122_030000"

CHECKS = [
    DatabaseCheck("the schema is migrated", "select count(*) from alembic_version", "1"),
    DatabaseCheck(
        "every domain has an organization", "select count(*) from domains where organization_id is null", "0"
    ),
]

SECRET_SETTING = "a-secret-in-a-setting"

_MEGABYTES = 2
_PATTERN = "pattern"
"""The database that every `smtpy` of these tests is a copy of."""
_OWN = ("postgres", "template0", "template1", _PATTERN)
_TABLES = "select quote_ident(tablename) from pg_tables where schemaname = 'public' order by 1"


@dataclass
class Databases:
    """The live server, which holds 2 MB of the forwarding service's data, and the staging one."""

    live: PostgresServer
    staging: PostgresServer
    service_password: str = field(init=False)
    private: set[str] = field(init=False)
    """Values out of rows, and of a setting, which no action may show."""

    def __post_init__(self) -> None:
        self.service_password = self.staging.create_role(SERVICE)
        self.live.create_database(_PATTERN)
        with self.live.connect(_PATTERN) as connection:
            load(connection, _MEGABYTES)
            grant_to_service(connection, self.service_password)
        rows = self.live.query("select email, password_hash from users limit 3", _PATTERN)
        self.private = {value for row in rows for value in row} | {SECRET_SETTING}

    def restart(self) -> None:
        """The live database as it was, and no other on either server."""
        for server in (self.live, self.staging):
            for name in self.names(server):
                server.drop_database(name)
        self.copy(DATABASE)
        self.live.query(f"alter database {DATABASE} connection limit 90")
        self.live.query(f"alter database {DATABASE} set app.secret = '{SECRET_SETTING}'")
        self.live.query(f"alter role {SERVICE} in database {DATABASE} set work_mem = '5MB'")

    def copy(self, name: str) -> None:
        """Make a database that holds what the dump holds."""
        create = sql.SQL("create database {} template {}").format(sql.Identifier(name), sql.Identifier(_PATTERN))
        with self.live.connect() as connection:
            connection.execute(create)

    def names(self, server: PostgresServer | None = None) -> set[str]:
        """The databases on a server (the live one, if none is given) that are not its own."""
        found = {str(row[0]) for row in (server or self.live).query("select datname from pg_database")}
        return found - set(_OWN)

    def contents(self, name: str = DATABASE, server: PostgresServer | None = None) -> dict[str, tuple[Any, ...]]:
        """The rows of every table: how many, and a sum that changes with any of them."""
        summed = "select count(*), sum(hashtextextended(t::text, 0)) from {} t"
        with (server or self.live).connect(name) as connection:
            tables = [str(row[0]) for row in connection.execute(_TABLES.encode()).fetchall()]
            return {table: connection.execute(summed.format(table).encode()).fetchall()[0] for table in tables}

    def mark(self, name: str, server: PostgresServer | None = None) -> Mark | None:
        """What Mailark has written on a database."""
        return mark_of(self.login(server or self.live), name)

    def login(self, server: PostgresServer) -> Login:
        return Login(server.host, server.port, DATABASE, "postgres", server.superuser_password, server.authority.pem)

    @property
    def connection_of_the_service(self) -> str:
        """How libpq reaches the live database as the service's own role."""
        reached = self.live.connection_string(DATABASE, SERVICE)
        return psycopg.conninfo.make_conninfo(reached, password=self.service_password)


def put_logins(house: House, databases: Databases) -> None:
    """Give the house a database: its logins in both regions, and its place in the estate of both."""
    live, staging = databases.live, databases.staging
    secret = {
        "database": _secret("postgres", live.superuser_password),
        "staging": _secret("postgres", staging.superuser_password),
        "service": _secret(SERVICE, databases.service_password),
    }
    arns = {name: put_secret(f"smtpy-{name}", text) for name, text in secret.items()}
    house.secrets |= {live.superuser_password, staging.superuser_password, databases.service_password}
    house.secrets |= databases.private
    house.database = Database(
        name=DATABASE,
        major=int(live.major),
        server=server_of(live, arns["database"]),
        staging=server_of(staging, arns["staging"]),
        service_secret=arns["service"],
        checks=CHECKS,
    )
    put_estates(house)


def put_services(house: House, databases: Databases, services: LabServices) -> None:
    """Give the house services on its database, all of which run."""
    arn = put_secret("smtpy-supervisord", _secret(services.username, services.password))
    house.secrets.add(services.password)
    change_database(
        house,
        services=Services(
            control="supervisord",
            names=list(NAMES),
            address=services.address,
            secret=arn,
            ca=databases.live.authority.pem,
            health=services.health_urls,
        ),
    )
    let_run(services)


def control_of(services: LabServices) -> Supervisord:
    return Supervisord(services.address, services.username, services.password, services.authority.pem)


def let_run(services: LabServices) -> None:
    control_of(services).start(NAMES)


def change_database(house: House, **changes: object) -> None:
    """Deploy an estate whose database differs."""
    assert house.database is not None
    house.database = msgspec.structs.replace(house.database, **changes)
    put_estates(house)


def change_services(house: House, **changes: object) -> None:
    """Deploy an estate whose services differ."""
    assert house.database is not None
    assert house.database.services is not None
    change_database(house, services=msgspec.structs.replace(house.database.services, **changes))


def put_estates(house: House) -> None:
    for region in (PRIMARY, STANDBY):
        house.put_estate(region=region)


def put_secret(name: str, text: str) -> str:
    """A secret in both regions; its ARN in the primary one."""
    client = aws("secretsmanager")
    arn = str(client.create_secret(Name=name, SecretString=text)["ARN"])
    client.replicate_secret_to_regions(SecretId=arn, AddReplicaRegions=[{"Region": STANDBY}])
    return arn


def server_of(server: PostgresServer, secret: str) -> DatabaseServer:
    return DatabaseServer(server.host, secret, server.port, server.authority.pem)


def _secret(username: str, password: str) -> str:
    return json.dumps({"username": username, "password": password})


# --- dumps ------------------------------------------------------------------------------------------------

Event = dict[str, Any]


def _as_it_is(dumped: Event) -> Event:
    return dumped


def make_dump(house: House, started_at: str = NIGHT, change: Callable[[Event], Event] = _as_it_is) -> SavedBackup:
    """Run the actions of a backup; `change` is what the manifest says otherwise than what was dumped."""
    operation = house.operation("database_backup", f"make-{started_at[:10]}", started_at)
    dumped = change(house.run("dump_database", {"operation": operation}))
    house.run("write_database_manifest", dumped | {"operation": operation})
    house.run("verify_backup", {"operation": operation, "backup_id": dumped["backup_id"]})
    house.leases().release(operation.lease.target, operation.execution)
    row, objects = house.catalog().get(dumped["backup_id"]), house.objects()
    return SavedBackup(row, objects[row.key], objects[manifest_key(row.key)])


def make_long_dump(house: House) -> None:
    """A dump whose manifest says that it holds 100 GB of SQL, of which no byte is read back."""

    def enlarged(dumped: Event) -> Event:
        key, bucket = dumped["contents"], bucket_name("work", PRIMARY)
        contents = msgspec.json.decode(house.objects("work")[key], type=DatabaseContents)
        large = msgspec.structs.replace(contents.sql, size=100_000_000_000)
        body = msgspec.json.encode(msgspec.structs.replace(contents, sql=large))
        aws("s3").put_object(Bucket=bucket, Key=key, Body=body)
        return dumped

    with pytest.raises(DumpTooLong, match=f"^dump-too-long: A proof of {DUMP} would take some 17 minutes, and a"):
        make_dump(house, change=enlarged)


def manifest_of(saved: SavedBackup) -> DatabaseManifest:
    return msgspec.json.decode(saved.manifest, type=DatabaseManifest)


def put_with(house: House, dumped: SavedBackup, part: str, **changes: object) -> None:
    """Store a dump with a signed manifest whose `source` or `contents` says otherwise."""
    manifest = manifest_of(dumped)
    changed = msgspec.structs.replace(getattr(manifest, part), **changes)
    unsigned = msgspec.structs.replace(manifest, **{part: changed})
    signer = SigningKey(house.keys.arn("evidence"))
    value = base64.b64encode(signer.sign(unsigned.signed_bytes())).decode()
    signed = unsigned.with_signature(Signature(signer.arn, ALGORITHM, value))
    dumped.put(house, manifest=signed.encode())


def beside(house: House, databases: Databases, *, verified: bool = True) -> Operation:
    """What a recovery leaves beside the live database, made without a dump; the recovery."""
    databases.copy(RESTORED)
    mark(databases.login(databases.live), RESTORED, Mark("op-1", DUMP, verified))
    return house.operation("database_corruption", started_at=NIGHT)


def restored(house: House, saved: SavedBackup, *, verified: bool = True) -> Operation:
    """Put a dump into the house and restore it beside the live database; the recovery that has done so."""
    saved.put(house)
    operation = house.operation("database_corruption", started_at=NIGHT)
    event = {"operation": operation, "backup_id": saved.id, "purpose": "restored"}
    house.run("restore_database", event)
    if verified:
        house.run("verify_database", event)
    return operation
