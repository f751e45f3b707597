"""A real Vault as the lab has it for the platform: its mounts, its login and its audit log, and nothing of Mailark."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import requests

from lab.certificates import CertificateAuthority
from lab.platform_login import platform_login
from lab.processes import free_port
from lab.tenants import Platform
from lab.vault import AUDIT, VaultNode
from tests.servers.vault import ADMIN_PASSWORD, VaultServer, all_vote, make_seal_key, started, until

MASTER_KEY = bytes(range(32))
_PASSWORD = "password of the platform"
_SEAL = """
seal "static" {
  current_key_id = "k1"
  current_key    = "env://BAO_SEAL_KEY"
}
disable_standby_reads = true
"""
_REQUESTS = "".join(
    f"""
  request "{mount}" {{
    operation = "update"
    path      = "sys/mounts/{mount}"
    data      = {{ type = "kv", options = {{ version = "2" }} }}
  }}
"""
    for mount in ("smtp", "api_keys")
)
_MOUNTS = f"""
initialize "mounts" {{{_REQUESTS}}}
"""
_RULE = 'path "*" { capabilities = ["create", "read", "update", "patch", "delete", "list", "sudo"] }'
_ADMIN = f"""
initialize "admin" {{
  request "policy" {{
    operation = "update"
    path      = "sys/policies/acl/admin"
    data      = {{ policy = {json.dumps(_RULE)} }}
  }}
  request "user" {{
    operation = "update"
    path      = "auth/userpass/users/admin"
    data      = {{ password = "{ADMIN_PASSWORD}", token_policies = ["admin"], token_ttl = "2h" }}
  }}
}}
"""
"""An administrator, beside the platform's login."""


@dataclass
class PlatformVaults:
    """Vaults of one seal key, so that each takes the snapshots of another."""

    folder: Path
    authority: CertificateAuthority

    def __post_init__(self) -> None:
        self._seal_key = make_seal_key()
        self._servers: list[VaultServer] = []

    def start(self) -> VaultServer:
        """One more, which leads."""
        return started(self._begin(_SEAL + _MOUNTS + AUDIT + platform_login(_PASSWORD) + _ADMIN))

    def join(self, first: VaultServer) -> VaultServer:
        """A node that follows a first one, and votes."""
        autopilot = {"server_stabilization_time": "500ms"}  # 10 s before a new node may vote, otherwise
        first.admin().write_data("sys/storage/raft/autopilot/configuration", data=autopilot)
        second = self._begin(_SEAL + AUDIT, [first.address])
        until(lambda: all_vote([first, second]), "both vote")
        return second

    def _begin(self, own: str, join: Sequence[str] = ()) -> VaultServer:
        port = free_port()
        node = VaultNode(f"vault-{port}", port, self.folder, self.authority, join, own)
        server = VaultServer(node, self.authority, self._seal_key)
        self._servers.append(server)
        server.start()
        return server

    def stop(self) -> None:
        for server in self._servers:
            server.node.kill()


def platform_of(vault: VaultServer) -> Platform:
    """The platform, logged in."""
    client = vault.client()
    client.auth.userpass.login("platform", _PASSWORD)
    return Platform(client, MASTER_KEY)


def restore(source: VaultServer, target: VaultServer) -> None:
    """Put a snapshot of one Vault into another, and wait until that serves again."""
    snapshot = source.admin().sys.take_raft_snapshot().content
    before = _active_time(target)
    answer = requests.post(
        f"{target.address}/v1/sys/storage/raft/snapshot",
        data=snapshot,
        headers={"X-Vault-Token": target.admin().token},
        verify=str(target.authority.file),
        timeout=60,
    )
    assert answer.status_code == 204
    until(lambda: target.leads() and _active_time(target) != before, "the restored Vault leads")


def _active_time(server: VaultServer) -> str:
    """Of a term of leadership; another once a restore is done."""
    return str(server.client().sys.read_leader_status().get("active_time", ""))
