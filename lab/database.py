"""The forwarding service's database, the staging server that restore tests use, and the service that lives on it."""

import json
import secrets
from pathlib import Path
from typing import Any

import psycopg

from lab.aws import Aws
from lab.certificates import CertificateAuthority
from lab.forwarding_service import DATABASE, SERVICE, grant_to_service, load
from lab.postgres import PostgresServer
from lab.services import NAMES, LabServices

MAJOR = 17


class LabDatabase:
    """Two real servers; the first holds the service's data, and two programs work on it through the service's role."""

    def __init__(self, folder: Path, authority: CertificateAuthority) -> None:
        home = folder / "database"
        home.mkdir(mode=0o755)
        # Room for the WAL is part of what a restore asks a server's disk for.
        little = {"max_wal_size": "64MB"}
        self.server = PostgresServer("database", home, authority, str(MAJOR), little)
        self.staging = PostgresServer("database-staging", home, authority, str(MAJOR), little)
        self.service_password = secrets.token_urlsafe(24)
        dsn = self.server.connection_string(DATABASE, SERVICE)
        self.services = LabServices(
            folder, authority, psycopg.conninfo.make_conninfo(dsn, password=self.service_password)
        )
        self._authority = authority

    def start(self, megabytes: float) -> None:
        """Start both servers, and fill the live one with so many MB of mail."""
        for server in (self.server, self.staging):
            server.start()
        for server in (self.server, self.staging):
            server.wait_until_ready()
        self.server.create_database(DATABASE)
        # Roles belong to a server, and not to a database: staging needs those that own and may something in a dump.
        self.staging.create_role(SERVICE, self.service_password)
        with self.server.connect(DATABASE) as connection:
            load(connection, megabytes)
            grant_to_service(connection, self.service_password)

    def stop(self) -> None:
        for server in (self.server, self.staging):
            server.stop()

    def estate(self, aws: Aws, primary: str, standby: str) -> dict[str, Any]:
        """The part of the estate that is about it, once its logins lie in Secrets Manager of both regions."""
        logins = {
            "smtpy-database": {"username": "postgres", "password": self.server.superuser_password},
            "smtpy-database-staging": {"username": "postgres", "password": self.staging.superuser_password},
            "smtpy-service": {"username": SERVICE, "password": self.service_password},
            "smtpy-supervisord": {"username": self.services.username, "password": self.services.password},
        }
        client = aws.client("secretsmanager", primary)
        arns = {}
        for name, login in logins.items():
            arns[name] = client.create_secret(Name=name, SecretString=json.dumps(login))["ARN"]
            client.replicate_secret_to_regions(SecretId=arns[name], AddReplicaRegions=[{"Region": standby}])
        pem = self._authority.pem
        return {
            "name": DATABASE,
            "major": MAJOR,
            "server": _server(self.server, arns["smtpy-database"], pem),
            "staging": _server(self.staging, arns["smtpy-database-staging"], pem),
            # A server to restore onto: it is another than the live one, and no database of that name lies on it.
            "fresh": _server(self.staging, arns["smtpy-database-staging"], pem),
            "service_secret": arns["smtpy-service"],
            "services": {
                "control": "supervisord",
                "names": list(NAMES),
                "address": self.services.address,
                "secret": arns["smtpy-supervisord"],
                "ca": pem,
                "health": [*self.services.health_urls, self.services.smtp_url],
            },
            "checks": [
                {"name": "every domain has an organization", "sql": _ORPHANS, "expect": "0"},
                {"name": "the schema is migrated", "sql": "select count(*) from alembic_version", "expect": "1"},
            ],
        }


_ORPHANS = "select count(*) from domains where organization_id is null"


def _server(server: PostgresServer, secret: str, ca: str) -> dict[str, Any]:
    return {"host": server.host, "port": server.port, "secret": secret, "ca": ca}
