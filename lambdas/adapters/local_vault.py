"""An OpenBao on this machine that serves one backup: its folder, its configuration, its process.

The seal key is in the environment of that process alone, and never on a disk. It listens on loopback without TLS, so
nothing but this machine reaches it.
"""

import base64
import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import requests

from lambdas.adapters.vault import NodeState, await_restored, node_state
from lambdas.domain.estate import Seal, StagingVault, Vault
from lambdas.domain.refusal import Refused
from lambdas.domain.vault_configuration import SEAL_VARIABLE
from lambdas.domain.vault_errors import VaultUnreachable

_PROGRAM = "bao"
_LOOPBACK = "127.0.0.1"
"""Where break glass serves the opened Vault, on the operator's own machine: nobody else may reach it."""
_CONNECT_SECONDS = 3.05
_START_SECONDS = 60.0
_RESTORE_SECONDS = 600.0
_STOP_SECONDS = 10.0


class LocalVault:
    """One node in `folder`. Started again, it serves what was restored into it before."""

    def __init__(self, folder: Path, port: int, key_id: str, backup_id: str) -> None:
        """`key_id` names the static seal key; `port` and the one after it must be free."""
        self.address = f"http://{_LOOPBACK}:{port}"
        self._folder, self._port, self._key_id, self._backup_id = folder, port, key_id, backup_id
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        return self._folder / "server.log"

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    @property
    def _mark(self) -> Path:
        """Written when a restore has ended, and names the backup."""
        return self._folder / "restored"

    def prepare(self) -> bool:
        """Look whether it can start, and make its folder; whether the backup is in it already. Raises `Refused`."""
        if shutil.which(_PROGRAM) is None:
            raise Refused(
                f"There is no `{_PROGRAM}` on the PATH.", "Install OpenBao (openbao.org), and run this again."
            )
        for port in (self._port, self._port + 1):
            if not _is_free(port):
                raise Refused(f"Port {port} is taken.", "Stop what listens on it, or name another with --port.")
        folder = self._folder
        if self._mark.exists():
            if (found := self._mark.read_text().strip()) != self._backup_id:
                fact = f"{folder} holds an OpenBao that serves another backup, {found}."
                raise Refused(fact, "Name another folder with --folder, or delete this one if nobody needs it.")
            return True
        if self._data.exists():
            fact = f"{folder} holds an attempt that did not end."
            raise Refused(fact, "Delete it, or name another folder with --folder; then run this again.")
        folder.mkdir(parents=True, exist_ok=True)
        return False

    @contextlib.contextmanager
    def running(self, seal_key: bytes) -> Iterator[None]:
        """Let the server run while the block runs; `prepare` comes first."""
        program = shutil.which(_PROGRAM)
        assert program is not None
        self._data.mkdir(exist_ok=True)
        configuration = self._folder / "server.hcl"
        configuration.write_text(self._configuration())
        environment = {
            SEAL_VARIABLE: base64.b64encode(seal_key).decode(),
            "HOME": str(self._folder.resolve()),
            "PATH": os.defpath,
        }
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603  # the program is the operator's own
                [program, "server", f"-config={configuration.resolve()}"],
                env=environment,
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        try:
            yield
        finally:
            self._process.terminate()
            try:
                self._process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            if not self._mark.exists():
                shutil.rmtree(self._data)  # an attempt that did not end; it never held more than the backup

    def restore(self, snapshot: Path) -> None:
        """Make a new Vault and restore a snapshot into it; returns at the true end. Raises `Refused`.

        The token that makes it ends with the restore, as does the recovery key; neither is shown or kept.
        """
        self._await(lambda _: True)
        made = self._request("PUT", "sys/init", json={"recovery_shares": 1, "recovery_threshold": 1})
        token = made.json()["root_token"]
        before = self._await(lambda state: state.is_leader)
        with snapshot.open("rb") as stream:
            self._request("POST", "sys/storage/raft/snapshot", data=stream, headers={"X-Vault-Token": token})
        await_restored(self._vault, self.address, before.active_time, _RESTORE_SECONDS)
        self._mark.write_text(self._backup_id + "\n")

    def await_serving(self) -> None:
        """Wait until it is unsealed and leads. Raises `Refused`."""
        self._await(lambda state: state.is_leader)

    def wait(self) -> None:
        """Wait until the server ends by itself. Raises `Refused` then."""
        assert self._process is not None
        self._process.wait()
        raise self._ended()

    @property
    def _vault(self) -> Vault:
        return Vault(self.address, StagingVault(self.address), Seal("static", self._key_id), [])

    def _await(self, wanted: Callable[[NodeState], bool]) -> NodeState:
        assert self._process is not None
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise self._ended()
            with contextlib.suppress(VaultUnreachable):
                state = node_state(self.address, "")
                if wanted(state):
                    return state
            time.sleep(0.1)
        fact = f"OpenBao was not ready after {_START_SECONDS:.0f} s."
        raise Refused(fact, f"Read the end of {self.log}, which says what it waits for; then run this again.")

    def _request(self, method: str, path: str, **arguments: Any) -> requests.Response:
        answer = _send(method, self.address, path, **arguments)
        if "could not verify hash file" in answer.text:
            fact = f"OpenBao cannot open the snapshot with the seal key {self._key_id} of this backup."
            cure = 'The Vault ran under another key of that name: read "The seal key" in docs/operating.md.'
            raise Refused(fact, cure)
        if not answer.ok:
            fact = f"OpenBao answered {answer.status_code} to {path}."
            raise Refused(fact, f"Read the end of {self.log}; then run this again.")
        return answer

    def _ended(self) -> Refused:
        lines = [line for line in self.log.read_text(errors="replace").splitlines() if line.strip()]
        said = lines[-1].strip() if lines else "it said nothing"
        return Refused(f"OpenBao has ended: {said}", f"Read the end of {self.log}; then run this again.")

    def _configuration(self) -> str:
        return f"""# Written by `python -m lambdas.break_glass`. Holds no secret.
seal "static" {{
  current_key_id = "{self._key_id}"
  current_key    = "env://{SEAL_VARIABLE}"
}}
storage "raft" {{
  path    = "{self._data.resolve()}"
  node_id = "break-glass"
}}
listener "tcp" {{
  address           = "{_LOOPBACK}:{self._port}"
  tls_disable       = true
  http_read_timeout = "600s"
  # Who holds a recovery key of the backup's time may make a root token.
  disable_unauthed_generate_root_endpoints = false
}}
api_addr     = "{self.address}"
cluster_addr = "https://{_LOOPBACK}:{self._port + 1}"
"""


def make_root_token(address: str, next_key: Callable[[], str]) -> str:
    """A root token of a Vault that `LocalVault` runs, by as many of its recovery keys as it wants. Raises `Refused`."""
    _send("DELETE", address, "sys/generate-root/attempt")  # one that somebody has begun
    begun = _send("PUT", address, "sys/generate-root/attempt").json()
    if not begun.get("required"):
        fact = "This Vault has no recovery key, or is not one that `start` runs."
        raise Refused(fact, "Log in as an administrator of the backup's time; nothing else lets anybody in.")
    complete = False
    while not complete:
        answer = _send("PUT", address, "sys/generate-root/update", json={"key": next_key(), "nonce": begun["nonce"]})
        if not answer.ok:
            raise Refused("That is no recovery key of this Vault.", "Use those of the backup's time.")
        complete = answer.json()["complete"]
    encoded = base64.b64decode(answer.json()["encoded_token"] + "==")
    return bytes(a ^ b for a, b in zip(encoded, begun["otp"].encode(), strict=True)).decode()


def _send(method: str, address: str, path: str, **arguments: Any) -> requests.Response:
    session = requests.Session()
    session.trust_env = False
    try:
        return session.request(
            method, f"{address}/v1/{path}", timeout=(_CONNECT_SECONDS, _RESTORE_SECONDS), **arguments
        )
    except requests.RequestException as error:
        fact = f"OpenBao at {address} did not answer {path} ({type(error).__name__})."
        raise Refused(fact, "See that the window of `start` is open, and read server.log in its folder.") from None


def free_ports_from(first: int) -> int:
    """The first of two neighbouring ports that nothing listens on, at `first` or above: for the API and the cluster."""
    return next(port for port in range(first, 65535, 2) if _is_free(port) and _is_free(port + 1))


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_LOOPBACK, port))
        except OSError:
            return False
    return True
