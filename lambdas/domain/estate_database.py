"""The part of the estate that is a database: its servers, what uses it, and what is asked of a restored one."""

from collections.abc import Iterable
from typing import Annotated, Literal

from msgspec import Meta, Struct

from lambdas.domain.estate_services import SERVICES_PATTERNS, Services, check_services
from lambdas.domain.parsing import Problem
from lambdas.domain.pem import check_certificates

_HOST = r"^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?\Z"
_DATABASE = r"^[A-Za-z_][A-Za-z0-9_]{0,37}\Z"
"""PostgreSQL cuts names at 63 bytes; `_corrupt_20261122_030000` has 24, and fits."""
_BUCKET = r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]\Z"
_HTTPS = r"^https://[^/\s]+\Z"
_ARN = r"^arn:aws[a-z-]*:.+\Z"

DATABASE_PATTERNS = {
    _HOST: "a host name or an address such as db.example.org, without a port",
    _DATABASE: "the name of a database such as smtpy: letters, digits and _, at most 38",
    _BUCKET: "the name of a bucket",
    **SERVICES_PATTERNS,
}

LoginName = Literal["live", "staging", "fresh", "service"]
"""Whose login: that of one of the three servers, or on the live one that of the service's own role."""


class DatabaseServer(Struct, frozen=True, forbid_unknown_fields=True):
    """A PostgreSQL server, reached by TLS with its name verified.

    `secret` is the ARN of a secret in Secrets Manager: JSON with the `username` and `password` of a role that may dump
    and restore. `ca` is left out for the public ones.
    """

    host: Annotated[str, Meta(pattern=_HOST)]
    secret: Annotated[str, Meta(pattern=_ARN)]
    port: Annotated[int, Meta(ge=1, le=65535)] = 5432
    ca: str = ""


class DatabaseCheck(Struct, frozen=True, forbid_unknown_fields=True):
    """A question to a restored database: `sql` must answer one value, which as text is `expect`."""

    name: Annotated[str, Meta(min_length=1, max_length=80)]
    sql: Annotated[str, Meta(min_length=1, max_length=2000)]
    expect: str


class SecondStore(Struct, frozen=True, forbid_unknown_fields=True):
    """An S3-compatible store of somebody else (Backblaze B2, Wasabi, MinIO) that gets a copy of every dump.

    `secret` is the ARN of a secret in Secrets Manager: JSON with `access_key_id` and `secret_access_key`.
    """

    endpoint: Annotated[str, Meta(pattern=_HTTPS)]
    region: Annotated[str, Meta(min_length=1, max_length=40)]
    bucket: Annotated[str, Meta(pattern=_BUCKET)]
    secret: Annotated[str, Meta(pattern=_ARN)]
    ca: str = ""


class Database(Struct, frozen=True, forbid_unknown_fields=True):
    """The forwarding service's database, the server that its backups are tested on, and what uses it.

    `major` is the major version of both servers, whose client programs are deployed. `service_secret` names the login
    of the service's own role, through which it is proved that the service would work. `fresh` is a server that a
    recovery may restore onto, where the live one cannot be trusted any more. `role_passwords` puts the hashes of
    passwords into the backup's roles.
    """

    name: Annotated[str, Meta(pattern=_DATABASE)]
    major: Annotated[int, Meta(ge=14, le=18)]
    server: DatabaseServer
    staging: DatabaseServer
    service_secret: Annotated[str, Meta(pattern=_ARN)]
    services: Services | None = None
    checks: list[DatabaseCheck] = []
    fresh: DatabaseServer | None = None
    role_passwords: bool = False
    second_store: SecondStore | None = None

    def secrets(self, logins: Iterable[LoginName]) -> list[str]:
        """The ARNs of the secrets with these logins; a server that the estate does not name has none."""
        servers = {"live": self.server, "staging": self.staging, "fresh": self.fresh}
        found = {name: server.secret for name, server in servers.items() if server} | {"service": self.service_secret}
        return sorted({found[name] for name in logins if name in found})


def secret_in(region: str, arn: str) -> str:
    """The ARN of a secret's replica in a region: the same but for the region (Secrets Manager guide, "Replicate").

    What works in a region must not need another one.
    """
    parts = arn.split(":")
    return ":".join([*parts[:3], region, *parts[4:]])


def check_database(database: Database) -> None:
    """What one key alone cannot show. Raises `Problem`."""
    live = database.server
    servers = [("server", live), ("staging", database.staging)]
    servers += [("fresh", database.fresh)] if database.fresh else []
    for key, server in servers:
        if key != "server" and (server.host.lower(), server.port) == (live.host.lower(), live.port):
            raise Problem(f"database.{key}", "expected another server than database.server")
        if server.ca:
            check_certificates(f"database.{key}.ca", server.ca)
    if database.services:
        check_services(database.services, "database.services")
    if database.second_store and database.second_store.ca:
        check_certificates("database.second_store.ca", database.second_store.ca)
