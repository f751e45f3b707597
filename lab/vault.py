"""A real Vault (OpenBao): started by the scripts and the configuration that Mailark generates for its users."""

import os
import shutil
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path

from lab.aws import ROOT, Aws
from lab.certificates import CertificateAuthority
from lab.processes import LOOPBACK, Server

_TOOLS = (ROOT / ".venv-emulator" / "bin", ROOT / ".venv" / "bin")
_SERVING = (200, 429, 473)
"""Vault's API, /sys/health: active, standby, performance standby."""


AUDIT_FILE = "audit.log"
AUDIT = f"""
audit "file" "main" {{
  options {{
    file_path            = "{AUDIT_FILE}"
    elide_list_responses = "true"
  }}
}}
"""
"""For the configuration of every node of a cluster, and of whatever takes its snapshots.

OpenBao compares it with the snapshot as text, and a node without it that comes to lead takes the device away. So the
path is relative: the same text, and another file in the folder of each node.
"""


class VaultNode:
    """One node. Its disk outlives its process; `lose_disk` does not care."""

    def __init__(
        self,
        name: str,
        port: int,
        folder: Path,
        authority: CertificateAuthority,
        join: Sequence[str] = (),
        own_configuration: str = "",
    ) -> None:
        self.name, self.port = name, port
        self.address = f"https://{LOOPBACK}:{port}"
        self._authority = authority
        self._join = join
        self._own = own_configuration
        self._folder = folder / name
        self._server: Server | None = None

    def start(self, configuration: Path, aws: Aws, host_key: tuple[str, str], cluster_port: int, endpoint: str) -> None:
        """Start the server with the generated configuration, as the host's systemd unit would."""
        self._prepare(cluster_port)
        environment = aws.environment(host_key) | {
            "AWS_ENDPOINT_URL": endpoint,
            "PATH": os.pathsep.join([*(str(tools) for tools in _TOOLS), os.environ["PATH"]]),
            "HOME": str(self._folder),
        }
        command = [str(configuration / "start-vault.sh"), f"-config={self._folder / 'server.hcl'}"]
        self._server = Server(self.name, command, environment, self._folder, self._folder / "vault.log")

    def start_plain(self, cluster_port: int, seal_key: str = "") -> None:
        """Start the server with its own configuration alone: no generated block, and no AWS."""
        self._prepare(cluster_port)
        bao = str(ROOT / ".venv" / "bin" / "bao")
        environment = {"PATH": os.environ["PATH"], "HOME": str(self._folder), "BAO_SEAL_KEY": seal_key}
        command = [bao, "server", f"-config={self._folder / 'server.hcl'}"]
        self._server = Server(self.name, command, environment, self._folder, self._folder / "vault.log")

    def _prepare(self, cluster_port: int) -> None:
        (self._folder / "data").mkdir(parents=True, exist_ok=True)
        issued = self._authority.issue(f"{self.name}-{self.port}")
        joins = "\n".join(
            f'  retry_join {{\n    leader_api_addr = "{leader}"\n'
            f'    leader_ca_cert_file = "{self._authority.file}"\n  }}'
            for leader in self._join
        )
        (self._folder / "server.hcl").write_text(f"""
storage "raft" {{
  path                   = "{self._folder / "data"}"
  node_id                = "{self.name}"
  performance_multiplier = 1
{joins}
}}
listener "tcp" {{
  address           = "{LOOPBACK}:{self.port}"
  cluster_address   = "{LOOPBACK}:{cluster_port}"
  tls_cert_file     = "{issued.certificate}"
  tls_key_file      = "{issued.key}"
  http_read_timeout = "600s"
}}
api_addr     = "{self.address}"
cluster_addr = "https://{LOOPBACK}:{cluster_port}"
{self._own}
""")

    def wait_until_serving(self, seconds: float = 60.0) -> None:
        """Wait until the node is unsealed, and leads or follows."""
        self.wait_until(lambda: self.health() in _SERVING, seconds)

    def wait_until_answering(self, seconds: float = 60.0) -> None:
        """Wait until the node answers at all, sealed or not."""
        self.wait_until(lambda: self.health() is not None, seconds)

    def wait_until(self, ready: Callable[[], bool], seconds: float = 60.0) -> None:
        """Wait for a condition while the node runs. Raises `LabError` when it does not come."""
        assert self._server is not None
        self._server.wait_until(ready, seconds)

    def health(self) -> int | None:
        """The status of /sys/health, or None while nothing answers."""
        context = ssl.create_default_context(cafile=str(self._authority.file))
        try:
            with urllib.request.urlopen(  # noqa: S310  # our own address
                f"{self.address}/v1/sys/health", timeout=2, context=context
            ) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return None

    @property
    def audit_file(self) -> Path:
        """What a node that declares `AUDIT` writes; it outlives `lose_disk`."""
        return self._folder / AUDIT_FILE

    @property
    def log(self) -> str:
        return (self._folder / "vault.log").read_text(errors="replace")

    @property
    def pid(self) -> int:
        """The process, and its process group."""
        assert self._server is not None
        return self._server.pid

    def stop(self) -> None:
        if self._server is not None:
            self._server.stop()
            self._server = None

    def kill(self) -> None:
        """SIGKILL, as a power cut would."""
        if self._server is not None:
            self._server.kill()
            self._server = None

    def lose_disk(self) -> None:
        """Delete everything that the node has stored."""
        shutil.rmtree(self._folder / "data")
