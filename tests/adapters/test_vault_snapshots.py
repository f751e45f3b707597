"""Snapshots as streams, and restores in a Vault of one node: what comes back, and what a failure leaves alone."""

import secrets
from collections.abc import Iterator

import pytest

from lambdas.adapters.vault import NodeState, await_restored, find_leader
from lambdas.domain.errors import BackupDamaged
from lambdas.domain.snapshot import SnapshotVerifier
from lambdas.domain.vault_errors import SealKeyMismatch, VaultRequestFailed, VaultRestoreUnfinished, VaultUnreachable
from tests.adapters.conftest import Login
from tests.servers.vault import CANARY, Vaults, VaultServer, contents, make_seal_key, started, write

PIECE = 1024 * 1024
LARGE = 12 * PIECE
_ACCEPTED = "shutting down prior to restoring snapshot"
"""What Vault writes to its log when it begins a restore."""


@pytest.fixture(scope="module")
def others(vaults: Vaults, seal_key: str) -> dict[str, VaultServer]:
    """More Vaults, started side by side: empty under the same seal key, empty under another, and a large one."""
    begun = {
        "empty": vaults.begin(seal_key),
        "other key": vaults.begin(make_seal_key()),
        "large": vaults.begin(make_seal_key()),
    }
    large = started(begun["large"]).admin()
    for i in range(LARGE // (PIECE // 2)):
        write(large, f"smtp/tenant-{i}/admin", {"password": secrets.token_hex(PIECE // 4)})
    return {name: started(server) for name, server in begun.items()}


@pytest.fixture(scope="module")
def large(others: dict[str, VaultServer]) -> VaultServer:
    return others["large"]


@pytest.fixture(scope="module")
def small_snapshot(vault: VaultServer, login: Login) -> bytes:
    """A snapshot of the shared Vault with three secrets and a canary in it."""
    admin = vault.admin()
    for i in range(3):
        write(admin, f"smtp/kept-{i}/admin", {"password": f"kept-{i}"})
    login(vault, "backup").plant_canary(CANARY, "vault-snapshot-1")
    return b"".join(login(vault, "backup").snapshot())


@pytest.fixture(scope="module")
def under_way(vaults: Vaults, others: dict[str, VaultServer], small_snapshot: bytes, login: Login) -> NodeState:
    """A restore of the small snapshot in the empty Vault, begun before another, since it takes seconds of waiting.

    Gives the Vault as it was before.
    """
    empty = others["empty"]
    assert contents(empty.admin()) == {}
    before = find_leader(vaults.estate(empty))
    login(empty, "restore").restore([small_snapshot], len(small_snapshot), "k1")
    return before


@pytest.fixture(scope="module")
def large_snapshot(large: VaultServer, login: Login) -> bytes:
    return b"".join(login(large, "backup").snapshot())


def test_a_snapshot_streams_and_is_whole(small_snapshot: bytes) -> None:
    verifier = SnapshotVerifier()
    verifier.update(small_snapshot)
    facts = verifier.finish()
    assert facts.index > 0
    assert facts.term > 0
    assert facts.state_bytes > 0


def test_a_large_snapshot_comes_in_pieces_and_is_whole(large: VaultServer, login: Login) -> None:
    verifier, sizes = SnapshotVerifier(), []
    for piece in login(large, "backup").snapshot():
        verifier.update(piece)
        sizes.append(len(piece))
    assert verifier.finish().state_bytes > LARGE
    assert max(sizes) <= PIECE
    assert len(sizes) > LARGE // PIECE // 2


# --- restores that succeed --------------------------------------------------------------------------------


def test_destroyed_secrets_come_back_as_they_were(
    vaults: Vaults, vault: VaultServer, small_snapshot: bytes, login: Login, under_way: NodeState
) -> None:
    admin = vault.admin()
    before = contents(admin)
    admin.secrets.kv.v2.delete_metadata_and_all_versions("kept-0/admin", mount_point="smtp")
    admin.secrets.kv.v2.destroy_secret_versions("kept-1/admin", [1], mount_point="smtp")
    write(admin, "smtp/kept-2/admin", {"password": "changed"})
    write(admin, "smtp/new/admin", {"password": "new"})
    leader = find_leader(vaults.estate(vault))
    login(vault, "restore").restore([small_snapshot], len(small_snapshot), "k1")
    restored = await_restored(vaults.estate(vault), vault.address, leader.active_time, 60)
    assert contents(vault.admin()) == before
    assert restored.active_time > leader.active_time
    assert login(vault, "inventory").canary(CANARY) == "vault-snapshot-1"


def test_a_lost_vault_comes_back_in_an_empty_one_under_the_same_seal_key(
    vaults: Vaults, vault: VaultServer, others: dict[str, VaultServer], under_way: NodeState, login: Login
) -> None:
    empty = others["empty"]
    after = await_restored(vaults.estate(empty), empty.address, under_way.active_time, 60)
    assert contents(empty.admin()) == contents(vault.admin())  # which the test above has brought back from it too
    assert after.cluster_id == find_leader(vaults.estate(vault)).cluster_id != under_way.cluster_id
    assert login(empty, "inventory").canary(CANARY) == "vault-snapshot-1"


# --- restores that are refused ----------------------------------------------------------------------------


def test_another_seal_key_is_named_as_the_reason_and_nothing_changes(
    others: dict[str, VaultServer], small_snapshot: bytes, login: Login
) -> None:
    server = others["other key"]
    write(server.admin(), "smtp/own/admin", {"password": "own"})
    with pytest.raises(SealKeyMismatch) as failure:
        login(server, "restore").restore([small_snapshot], len(small_snapshot), "k7")
    assert f"Vault at {server.address} cannot open the snapshot with its seal key." in str(failure.value)
    assert "under the seal key k7," in str(failure.value)
    assert contents(server.admin()) == {"smtp/own/admin": (1, {"password": "own"})}
    assert _ACCEPTED not in server.node.log


@pytest.mark.parametrize("damage", ["empty", "no gzip", "cut in half", "a changed byte"])
def test_what_is_no_whole_snapshot_is_refused_and_not_blamed_on_the_seal_key(
    damage: str, others: dict[str, VaultServer], small_snapshot: bytes, login: Login
) -> None:
    server, half = others["empty"], len(small_snapshot) // 2
    accepted = server.node.log.count(_ACCEPTED)
    changed = small_snapshot[:half] + bytes([small_snapshot[half] ^ 1]) + small_snapshot[half + 1 :]
    sent = {"empty": b"", "no gzip": b"no gzip", "cut in half": small_snapshot[:half], "a changed byte": changed}
    with pytest.raises(VaultRequestFailed, match="to POST sys/storage/raft/snapshot"):
        login(server, "restore").restore([sent[damage]], len(sent[damage]), "k1")
    assert server.node.log.count(_ACCEPTED) == accepted


# --- transfers that are cut -------------------------------------------------------------------------------


def _pieces(snapshot: bytes) -> list[bytes]:
    return [snapshot[i : i + PIECE] for i in range(0, len(snapshot), PIECE)]


@pytest.mark.parametrize("sent", ["nothing", "the first piece", "half", "all but the last piece"])
def test_an_upload_that_is_cut_leaves_the_live_vault_unchanged_and_serving(
    sent: str, vaults: Vaults, large: VaultServer, large_snapshot: bytes, login: Login
) -> None:
    admin, pieces = large.admin(), _pieces(large_snapshot)
    write(admin, "smtp/live/admin", {"password": sent})
    before, state = contents(admin), find_leader(vaults.estate(large))
    count = {"nothing": 0, "the first piece": 1, "half": len(pieces) // 2, "all but the last piece": -1}[sent]

    def damaged() -> Iterator[bytes]:
        yield from pieces[:count]
        raise BackupDamaged(backup_id="vault-snapshot-1", problem="it does not verify")

    with pytest.raises(BackupDamaged):
        login(large, "restore").restore(damaged(), len(large_snapshot), "k1")
    assert contents(admin) == before
    write(admin, "smtp/live/admin", {"password": "still written"})
    assert find_leader(vaults.estate(large)) == state
    assert _ACCEPTED not in large.node.log


def test_a_snapshot_that_is_cut_by_the_death_of_the_server_is_an_error_and_not_an_end(
    large: VaultServer, login: Login
) -> None:
    stream = login(large, "backup").snapshot()
    next(stream)
    large.node.kill()
    with pytest.raises(VaultUnreachable, match=large.address):
        for _ in stream:
            pass


def test_a_restore_that_is_cut_by_the_death_of_the_server_is_an_error(
    large: VaultServer, large_snapshot: bytes, login: Login
) -> None:
    large.start()
    started(large)
    pieces = _pieces(large_snapshot)

    def dying() -> Iterator[bytes]:
        yield from pieces[:2]
        large.node.kill()
        yield from pieces[2:]

    with pytest.raises(VaultUnreachable, match=large.address):
        login(large, "restore").restore(dying(), len(large_snapshot), "k1")


def test_waiting_for_a_vault_that_never_comes_back_ends(vaults: Vaults, large: VaultServer) -> None:
    with pytest.raises(VaultRestoreUnfinished) as failure:
        await_restored(vaults.estate(large), large.address, "2026-11-22T02:00:00Z", 1.0)
    assert f"Vault at {large.address} accepted the snapshot but was not ready again after 1 s." in str(failure.value)
