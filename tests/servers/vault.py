"""Real Vaults (OpenBao) for the tests of adapters and actions, set up by the configuration that Mailark generates."""

import base64
import contextlib
import json
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import hvac
from hvac.exceptions import VaultError

from lab.certificates import CertificateAuthority
from lab.processes import free_port
from lab.vault import VaultNode
from lambdas.adapters.signing import SigningKey
from lambdas.domain.estate import Seal, StagingVault, Vault
from lambdas.domain.vault_configuration import server_configuration
from lambdas.domain.vault_duties import DUTIES, DutyName

MOUNTS = ["smtp", "vps"]
CANARY = "smtp/test-tenant-id/admin"
STATIC = Seal("static", "k1")
STAGING = StagingVault("https://vault-staging.example.org")
HOST = "arn:aws:iam::111122223333:role/vault-host"
ADMIN_PASSWORD = secrets.token_urlsafe(24)
_ADMIN_RULE = 'path "*" { capabilities = ["create", "read", "update", "patch", "delete", "list", "sudo"] }'
_ADMIN = f"""
initialize "admin" {{
  request "login" {{
    operation = "update"
    path      = "sys/auth/userpass"
    data      = {{ type = "userpass" }}
  }}
  request "policy" {{
    operation = "update"
    path      = "sys/policies/acl/admin"
    data      = {{ policy = {json.dumps(_ADMIN_RULE)} }}
  }}
  request "user" {{
    operation = "update"
    path      = "auth/userpass/users/admin"
    data      = {{ password = "{ADMIN_PASSWORD}", token_policies = ["admin"], token_ttl = "2h" }}
  }}
}}
"""


def until(condition: Callable[[], object], what: str, seconds: float = 60.0) -> None:
    """Wait for a condition, with a limit."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.05)


def make_seal_key() -> str:
    """A static seal key, as the server takes it."""
    return base64.b64encode(secrets.token_bytes(32)).decode()


@dataclass
class VaultServer:
    """One node, with what it takes to start it again as it was."""

    node: VaultNode
    authority: CertificateAuthority
    seal_key: str = ""
    cluster_port: int = field(default_factory=free_port)
    _admin: hvac.Client | None = None

    @property
    def address(self) -> str:
        return self.node.address

    def start(self) -> None:
        self.node.start_plain(self.cluster_port, self.seal_key)

    def restart(self) -> None:
        """Stop and start; returns when it serves again."""
        self.node.stop()
        self.start()
        self.node.wait_until_serving()

    def client(self, token: str | None = None) -> hvac.Client:
        return hvac.Client(url=self.address, token=token, verify=str(self.authority.file), timeout=20)

    def admin(self) -> hvac.Client:
        """A client that may do everything. A restore ends its login, so ask for it again then."""
        if self._admin is None or not self._admin.is_authenticated():
            self._admin = self.client()
            self._admin.auth.userpass.login("admin", ADMIN_PASSWORD)
        return self._admin

    def takes_logins(self) -> bool:
        """Whether an administrator is let in; not so while a cluster elects its leader."""
        with contextlib.suppress(VaultError, OSError):
            return bool(self.admin().is_authenticated())
        return False

    def leads(self) -> bool:
        """Whether it answers an administrator: its own setup has ended then."""
        with contextlib.suppress(VaultError, OSError):
            return bool(self.admin().sys.read_leader_status()["is_self"])
        return False


@dataclass
class Vaults:
    """Starts Vaults that trust the same login keys, and stops all of them at the end."""

    folder: Path
    logins: Mapping[DutyName, SigningKey]
    authority: CertificateAuthority = field(init=False)
    _servers: list[VaultServer] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.authority = CertificateAuthority(self.folder)

    @property
    def public_keys(self) -> dict[DutyName, str]:
        return {duty: self.logins[duty].public_pem() for duty in DUTIES}

    def estate(self, *servers: VaultServer, seal: Seal = STATIC, staging: VaultServer | None = None) -> Vault:
        """The Vault of these nodes, as an estate describes it, and its staging Vault."""
        addresses = [server.address for server in servers] or ["https://vault.example.org"]
        return Vault(
            addresses[0],
            StagingVault(staging.address) if staging else STAGING,
            seal,
            MOUNTS,
            addresses,
            self.authority.pem,
            CANARY,
            HOST,
        )

    def prepare(self, seal_key: str = "", joins: VaultServer | None = None, own: str = "") -> VaultServer:
        """A node that has not been started."""
        port = free_port()
        join = (joins.address,) if joins else ()
        node = VaultNode(f"vault-{port}", port, self.folder, self.authority, join, own)
        server = VaultServer(node, self.authority, seal_key)
        self._servers.append(server)
        return server

    def begin(self, seal_key: str, more: str = "") -> VaultServer:
        """An empty Vault of one node, as the generated configuration and `more` set it up; it may not serve yet."""
        own = server_configuration(self.estate(), self.public_keys) + _ADMIN + more
        server = self.prepare(seal_key, own=own)
        server.start()
        return server

    def join(self, first: VaultServer) -> list[VaultServer]:
        """Add two nodes to a first one. Only that one sets itself up: a node that does so does not join another."""
        autopilot = {"server_stabilization_time": "500ms"}  # 10 s before a new node may vote, otherwise
        first.admin().write_data("sys/storage/raft/autopilot/configuration", data=autopilot)
        seal_alone = server_configuration(self.estate(), self.public_keys).partition("# Runs once")[0]
        others = [self.prepare(first.seal_key, joins=first, own=seal_alone) for _ in range(2)]
        for server in others:
            server.start()
        return [first, *others]

    def stop(self) -> None:
        for server in self._servers:
            server.node.kill()


def started(server: VaultServer) -> VaultServer:
    """Wait until a single node, or the first one of a cluster, serves."""
    until(server.leads, f"{server.node.name} leads")
    return server


def all_vote(cluster: list[VaultServer]) -> bool:
    """Whether every node of a cluster is unsealed and may vote for a leader."""
    raft = cluster[0].admin().read("sys/storage/raft/configuration")["data"]["config"]["servers"]
    voters = [server for server in raft if server["voter"]]
    return len(voters) == len(cluster) and all(server.node.health() in (200, 429) for server in cluster)


def contents(admin: hvac.Client) -> dict[str, tuple[int, Any]]:
    """Every secret that an administrator finds: its current version and its data (None: deleted)."""
    found: dict[str, tuple[int, Any]] = {}
    for mount in MOUNTS:
        folders = [""]
        while folders:
            folder = folders.pop()
            try:
                names = admin.secrets.kv.v2.list_secrets(folder, mount_point=mount)["data"]["keys"]
            except hvac.exceptions.InvalidPath:
                continue
            for name in names:
                path = folder + name
                if name.endswith("/"):
                    folders.append(path)
                    continue
                metadata = admin.secrets.kv.v2.read_secret_metadata(path, mount_point=mount)["data"]
                answer = admin.read(f"{mount}/data/{path}")
                data = answer["data"]["data"] if answer else None
                found[f"{mount}/{path}"] = (metadata["current_version"], data)
    return found


def write(admin: hvac.Client, path: str, data: Mapping[str, object]) -> None:
    """Write a secret, given its path with the mount."""
    mount, _, name = path.partition("/")
    admin.secrets.kv.v2.create_or_update_secret(name, dict(data), mount_point=mount)


def empty(admin: hvac.Client) -> None:
    """Remove every secret, without a trace in the metadata."""
    for each in MOUNTS:
        admin.sys.disable_secrets_engine(each)
        mount(admin, each)


def mount(admin: hvac.Client, name: str) -> None:
    """Make an empty KV v2 mount, and wait until it can be used."""
    admin.sys.enable_secrets_engine("kv", name, options={"version": "2"})
    until(lambda: _is_ready(admin, name), f"{name} is ready")


def _is_ready(admin: hvac.Client, mount: str) -> bool:
    """A new KV v2 mount sets itself up for a moment."""
    with contextlib.suppress(VaultError):
        return bool(admin.secrets.kv.v2.read_configuration(mount))
    return False
