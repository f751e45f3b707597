"""Vault (OpenBao, HashiCorp Vault) over its API: state, login, snapshots, restores, and what it holds.

Every call has a time limit. What it raises is in `domain/vault_errors.py`; a secret's content never leaves this module
except as `Secret`, which does not print it.
"""

import contextlib
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import Any

import hvac
import requests
from hvac.adapters import RawAdapter
from hvac.exceptions import Forbidden, InvalidPath, InvalidRequest, Unauthorized, VaultDown, VaultError
from requests.adapters import HTTPAdapter
from urllib3.util.retry import Retry

from lambdas.adapters.signing import SigningKey
from lambdas.adapters.streams import IteratorReader
from lambdas.domain.estate import Vault
from lambdas.domain.inventory import Secret, SecretMark, mark_of
from lambdas.domain.vault_duties import Duty, claims
from lambdas.domain.vault_errors import (
    CanaryPathTaken,
    SealKeyMismatch,
    VaultLeaderless,
    VaultLoginRefused,
    VaultRequestFailed,
    VaultRestoreUnfinished,
    VaultSealed,
    VaultUninitialized,
    VaultUnreachable,
)

_CONNECT_SECONDS = 3.05
_READ_SECONDS = 15.0
_TRANSFER_SECONDS = 600.0
_AT_ONCE = 16
_PIECE = 256 * 1024
_CANARY_FIELD = "mailark_canary"


@dataclass(frozen=True)
class NodeState:
    """A node as it describes itself, without a login. `active_time` changes when a restore has really ended."""

    address: str
    sealed: bool
    initialized: bool
    seal_type: str
    version: str
    cluster_id: str
    cluster_name: str
    is_leader: bool
    leader_address: str
    active_time: str


_NO_LEADER = "active cluster node not found"
"""What a node that follows answers with a status of 500 while there is nobody to pass a request on to."""


@cache
def _ca_file(pem: str) -> str:
    """The private CA as a file, which is how `requests` takes it. A certificate is no secret."""
    with tempfile.NamedTemporaryFile("w", suffix=".pem", delete=False) as file:
        file.write(pem)
    return file.name


def _session(ca: str) -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    session.verify = _ca_file(ca) if ca else True
    retry = Retry(connect=2, read=0, status=0, other=0, backoff_factor=0.2)
    session.mount("https://", HTTPAdapter(pool_maxsize=_AT_ONCE, max_retries=retry))
    return session


def node_state(address: str, ca: str) -> NodeState:
    """Ask a node for its state. Raises `VaultUnreachable`."""
    client = hvac.Client(url=address, session=_session(ca), timeout=(_CONNECT_SECONDS, _READ_SECONDS))
    try:
        seal = client.sys.read_seal_status()
        leader = {} if seal["sealed"] else client.sys.read_leader_status()
    except (requests.RequestException, VaultError) as error:
        raise VaultUnreachable(address=address, problem=_reason(error)) from None
    return NodeState(
        address=address,
        sealed=bool(seal["sealed"]),
        initialized=bool(seal["initialized"]),
        seal_type=str(seal["type"]),
        version=str(seal["version"]),
        cluster_id=str(seal.get("cluster_id", "")),
        cluster_name=str(seal.get("cluster_name", "")),
        is_leader=bool(leader.get("is_self", False)),
        leader_address=str(leader.get("leader_address", "")),
        active_time=str(leader.get("active_time", "")),
    )


def find_leader(vault: Vault) -> NodeState:
    """The node that leads, asked of every node that the estate names.

    Raises `VaultUnreachable` (none answers), `VaultUninitialized`, `VaultSealed` and `VaultLeaderless`.
    """
    states: list[NodeState] = []
    silent: VaultUnreachable | None = None
    for address in vault.all_nodes:
        try:
            state = node_state(address, vault.ca)
        except VaultUnreachable as error:
            silent = silent or error
            continue
        if state.is_leader:
            return state
        states.append(state)
    for state in states:
        if state.leader_address and not state.sealed:
            with contextlib.suppress(VaultUnreachable):  # a standby names a dead leader for a while
                leader = node_state(state.leader_address, vault.ca)
                if leader.is_leader:
                    return leader
    if silent and not states:
        raise silent
    if not any(state.initialized for state in states):
        raise VaultUninitialized(address=states[0].address)
    if all(state.sealed for state in states):
        raise VaultSealed(address=states[0].address)
    raise VaultLeaderless(nodes=", ".join(vault.all_nodes))


class VaultClient:
    """A login to one node for one duty."""

    def __init__(self, address: str, vault: Vault, duty: Duty, key: SigningKey) -> None:
        """Log in with a JWT signed by `key`.

        Raises `VaultLoginRefused`, `VaultSealed`, `VaultUnreachable` and, like everything here while a cluster elects,
        `VaultLeaderless`.
        """
        self._address, self._duty, self._nodes = address, duty, vault.all_nodes
        self._client = hvac.Client(url=address, session=_session(vault.ca), timeout=(_CONNECT_SECONDS, _READ_SECONDS))
        token = key.jwt(claims(duty, int(time.time())))
        with self._translated("login"):
            try:
                self._client.auth.jwt.jwt_login(role=duty.title, jwt=token, path=duty.title)
            except (Forbidden, InvalidPath, InvalidRequest, Unauthorized):
                raise VaultLoginRefused(address=address, duty=duty.name, mount=duty.title) from None

    def clock(self) -> int:
        """Vault's own time, in whole seconds since the epoch."""
        with self._translated("GET sys/health"):
            return int(self._client.sys.read_health_status(method="GET")["server_time_utc"])

    # --- snapshots ----------------------------------------------------------------------------------------

    def snapshot(self) -> Iterator[bytes]:
        """A raft snapshot as a stream. Raises `VaultRequestFailed` and `VaultUnreachable` (the stream was cut)."""
        with self._translated("GET sys/storage/raft/snapshot"):
            raw = RawAdapter.from_adapter(self._client.adapter)
            limits = (_CONNECT_SECONDS, _TRANSFER_SECONDS)
            with raw.get("/v1/sys/storage/raft/snapshot", stream=True, timeout=limits) as response:
                yield from response.iter_content(_PIECE)

    def restore(self, snapshot: Iterable[bytes], size: int, key_id: str, force: bool = False) -> None:
        """Send a snapshot of `size` bytes; returns when Vault has accepted it, which is not the end of the restore.

        If `snapshot` raises, the upload is cut short and Vault throws it away. Raises `SealKeyMismatch`.
        """
        path = "/v1/sys/storage/raft/snapshot" + ("-force" if force else "")
        with self._translated(f"POST {path.removeprefix('/v1/')}"):
            try:
                self._client.adapter.post(
                    path, data=_Sized(snapshot, size), timeout=(_CONNECT_SECONDS, _TRANSFER_SECONDS)
                )
            except InvalidRequest as error:
                if "could not verify hash file" in str(error):
                    raise SealKeyMismatch(address=self._address, key_id=key_id) from None
                raise

    # --- the canary ---------------------------------------------------------------------------------------

    def plant_canary(self, path: str, backup_id: str) -> None:
        """Write the id of the backup that is about to be taken where a restore will look for it.

        Raises `CanaryPathTaken` when something else lies there: nothing is overwritten then.
        """
        mount, _, name = path.partition("/")
        with self._translated(f"write of {path}"):
            existing = self._read(mount, name)
            if existing.data is not None and _CANARY_FIELD not in existing.data:
                raise CanaryPathTaken(path=path)
            self._client.secrets.kv.v2.create_or_update_secret(
                name, {_CANARY_FIELD: backup_id}, cas=existing.version, mount_point=mount
            )

    def canary(self, path: str) -> str | None:
        """The id of the backup that this Vault's canary names, or None."""
        mount, _, name = path.partition("/")
        with self._translated(f"read of {path}"):
            data = self._read(mount, name).data
        return None if data is None else data.get(_CANARY_FIELD)

    # --- single secrets -----------------------------------------------------------------------------------

    def read(self, path: str) -> Secret:
        """A secret with its newest version; version 0 for one that was never written."""
        mount, _, name = path.partition("/")
        with self._translated(f"read of {path}"):
            return self._read(mount, name)

    @contextlib.contextmanager
    def asked(self, request: str) -> Iterator[hvac.Client]:
        """This login, for what another module asks of Vault; what fails is told as everything here."""
        with self._translated(request):
            yield self._client

    # --- what it holds ------------------------------------------------------------------------------------

    def marks(self, mounts: Sequence[str]) -> list[SecretMark]:
        """The mark of every secret in the mounts, from metadata alone."""
        return self._of_each(mounts, self._mark)

    def secrets(self, mounts: Sequence[str], use: Callable[[Secret], Any]) -> list[Any]:
        """What `use` makes of every secret in the mounts; the secrets themselves are not kept."""

        def look(mount: str, name: str) -> Any:
            secret = self._read(mount, name)
            return use(secret) if secret.version else None

        return self._of_each(mounts, look)

    def _of_each(self, mounts: Sequence[str], use: Callable[[str, str], Any]) -> list[Any]:
        """What `use` makes of every secret; None is left out: it was removed since it was listed."""
        with self._translated("listing of secrets"), ThreadPoolExecutor(_AT_ONCE) as pool:
            found: list[Any] = []
            for mount in mounts:
                folders = [""]
                while folders:
                    listed = list(pool.map(lambda folder, of=mount: self._list(of, folder), folders))
                    names = [folder + key for folder, keys in zip(folders, listed, strict=True) for key in keys]
                    folders = [name for name in names if name.endswith("/")]
                    leaves = [name for name in names if not name.endswith("/")]
                    found += pool.map(lambda name, of=mount: use(of, name), leaves)
            return [each for each in found if each is not None]

    def _list(self, mount: str, folder: str) -> list[str]:
        try:
            answer = self._client.secrets.kv.v2.list_secrets(path=folder, mount_point=mount)
        except InvalidPath:
            return []
        return list(answer["data"]["keys"])

    def _mark(self, mount: str, name: str) -> SecretMark | None:
        try:
            data = self._client.secrets.kv.v2.read_secret_metadata(name, mount_point=mount)["data"]
        except InvalidPath:
            return None
        version = int(data["current_version"])
        if version == 0:  # it has metadata, and nothing was ever written to it
            return None
        state = data["versions"].get(str(version), {})
        return mark_of(
            f"{mount}/{name}",
            version,
            state.get("created_time", ""),
            state.get("deletion_time", ""),
            bool(state.get("destroyed", False)),
            data["custom_metadata"] or {},
        )

    def _read(self, mount: str, name: str) -> Secret:
        try:
            answer = self._client.secrets.kv.v2.read_secret_version(
                name, mount_point=mount, raise_on_deleted_version=True
            )
        except InvalidPath as error:  # for a version that is deleted or destroyed, with its metadata
            answer = error.json or {}
            if not (answer.get("data") or {}).get("metadata"):
                return Secret(f"{mount}/{name}", 0, "", "", False, {}, None)
        metadata = answer["data"]["metadata"]
        return Secret(
            path=f"{mount}/{name}",
            version=int(metadata["version"]),
            created_time=metadata["created_time"],
            deletion_time=metadata["deletion_time"],
            destroyed=bool(metadata["destroyed"]),
            custom_metadata=metadata["custom_metadata"] or {},
            data=answer["data"]["data"],
        )

    @contextlib.contextmanager
    def _translated(self, request: str) -> Iterator[None]:
        """Turn what hvac and requests raise into errors that say what to do."""
        try:
            yield
        except VaultDown:
            raise VaultSealed(address=self._address) from None
        except VaultError as error:
            if _NO_LEADER in str(error):
                raise VaultLeaderless(nodes=", ".join(self._nodes)) from None
            status = getattr(error, "status_code", None) or type(error).__name__
            raise VaultRequestFailed(
                address=self._address, status=status, request=request, duty=self._duty.name
            ) from None
        except requests.RequestException as error:
            raise VaultUnreachable(address=self._address, problem=_reason(error)) from None


def await_restored(
    vault: Vault, address: str, active_before: str, seconds: float, unseal_keys: Sequence[str] = ()
) -> NodeState:
    """Wait for the true end of a restore: the node leads again, unsealed, and since another moment than before.

    `unseal_keys` are entered whenever the node has sealed itself, which a forced restore makes it do some time after
    it was accepted. Raises `VaultRestoreUnfinished` after `seconds`.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(VaultUnreachable):
            state = node_state(address, vault.ca)
            if state.is_leader and not state.sealed and state.active_time != active_before:
                return state
            if state.sealed and unseal_keys:
                submit_unseal_keys(vault, address, unseal_keys)
        time.sleep(0.25)
    raise VaultRestoreUnfinished(address=address, seconds=round(seconds))


def submit_unseal_keys(vault: Vault, address: str, keys: Sequence[str]) -> None:
    """Enter Shamir keys at a node that a restore has sealed. Raises `VaultUnreachable`."""
    client = hvac.Client(url=address, session=_session(vault.ca), timeout=(_CONNECT_SECONDS, _READ_SECONDS))
    try:
        for key in keys:
            if not client.sys.submit_unseal_key(key)["sealed"]:
                return
    except (requests.RequestException, VaultError) as error:
        raise VaultUnreachable(address=address, problem=_reason(error)) from None


class _Sized(IteratorReader):
    """A stream with a known length, so that a cut upload is seen as cut."""

    def __init__(self, pieces: Iterable[bytes], size: int) -> None:
        super().__init__(pieces)
        self._size = size

    def __len__(self) -> int:
        return self._size


def _reason(error: Exception) -> str:
    """Why a request failed, without its URL's details."""
    if isinstance(error, requests.exceptions.SSLError):
        return "its certificate is not signed by the CA in the estate"
    if isinstance(error, requests.ConnectTimeout):
        return "connecting took too long"
    if isinstance(error, requests.Timeout):
        return "answering took too long"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "the connection was cut"
    if isinstance(error, requests.ConnectionError):
        return "no connection"
    return type(error).__name__
