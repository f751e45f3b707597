"""Vaults of three nodes: finding the leader, restoring through it, and a cluster that has lost its quorum."""

import contextlib
import re
import time

import pytest

from lambdas.adapters.signing import SigningKey
from lambdas.adapters.vault import NodeState, VaultClient, await_restored, find_leader, node_state
from lambdas.domain.estate import Vault
from lambdas.domain.mailark_error import MailarkError
from lambdas.domain.vault_duties import Duty, DutyName
from lambdas.domain.vault_errors import VaultLeaderless
from tests.adapters.conftest import Login
from tests.servers.vault import CANARY, Vaults, VaultServer, all_vote, contents, started, until, write

Cluster = list[VaultServer]


@pytest.fixture(scope="module")
def clusters(vaults: Vaults, seal_key: str) -> tuple[Cluster, Cluster]:
    """Two clusters of three nodes under the same seal key, with barriers of their own."""
    begun = [vaults.begin(seal_key) for _ in range(2)]
    first, second = [vaults.join(started(server)) for server in begun]
    for server in first + second:
        server.node.wait_until_serving()
    return first, second


@pytest.fixture(scope="module")
def cluster(clusters: tuple[Cluster, Cluster]) -> Cluster:
    return clusters[0]


@pytest.fixture(scope="module")
def snapshot(cluster: Cluster, login: Login) -> bytes:
    admin = cluster[0].admin()
    for i in range(3):
        write(admin, f"smtp/kept-{i}/admin", {"password": f"kept-{i}"})
    login(cluster[0], "backup").plant_canary(CANARY, "vault-snapshot-1")
    return b"".join(login(cluster[0], "backup").snapshot())


@pytest.fixture(scope="module")
def under_way(vaults: Vaults, clusters: tuple[Cluster, Cluster], snapshot: bytes, login: Login) -> NodeState:
    """A restore of the snapshot in the new cluster, begun before the other one's, since it takes seconds of waiting.

    Gives the leader as it was before.
    """
    new = clusters[1]
    leader = find_leader(vaults.estate(*new))
    login(new[0], "restore").restore([snapshot], len(snapshot), "k1")
    return leader


def _serves(server: VaultServer, vaults: Vaults, logins: dict[DutyName, SigningKey]) -> str | None:
    """What a node's canary names, or None while the node does not serve."""
    try:
        return VaultClient(server.address, vaults.estate(server), Duty("inventory"), logins["inventory"]).canary(CANARY)
    except MailarkError:
        return None


def test_the_leader_is_found_through_a_standby_alone(vaults: Vaults, cluster: Cluster) -> None:
    leader, standby = cluster[0], cluster[1]
    assert not node_state(standby.address, vaults.authority.pem).is_leader
    found = find_leader(vaults.estate(standby))
    assert (found.address, found.is_leader) == (leader.address, True)


def test_the_leader_is_found_wherever_it_stands_in_the_list(vaults: Vaults, cluster: Cluster) -> None:
    assert find_leader(vaults.estate(*reversed(cluster))).address == cluster[0].address


def test_a_restore_through_the_leader_reaches_every_node(
    vaults: Vaults,
    cluster: Cluster,
    snapshot: bytes,
    login: Login,
    logins: dict[DutyName, SigningKey],
    under_way: NodeState,
) -> None:
    admin = cluster[0].admin()
    before = contents(admin)
    for path in list(before):
        mount, _, name = path.partition("/")
        admin.secrets.kv.v2.delete_metadata_and_all_versions(name, mount_point=mount)
    estate = vaults.estate(*cluster)
    leader = find_leader(estate)
    login(cluster[0], "restore").restore([snapshot], len(snapshot), "k1")
    await_restored(estate, leader.address, leader.active_time, 60)
    for server in cluster:
        until(lambda of=server: _serves(of, vaults, logins) == "vault-snapshot-1", "the node serves")  # type: ignore[misc]  # no inference
        assert contents(server.admin()) == before


def test_in_a_new_cluster_every_node_serves_once_those_that_lag_are_restarted(
    vaults: Vaults,
    clusters: tuple[Cluster, Cluster],
    logins: dict[DutyName, SigningKey],
    under_way: NodeState,
) -> None:
    """Which nodes lag is Vault's own affair: followers that may not vote yet, or a leader that has been replaced."""
    cluster, new = clusters
    restored = await_restored(vaults.estate(*new), under_way.address, under_way.active_time, 60)
    assert restored.cluster_id == find_leader(vaults.estate(*cluster)).cluster_id != under_way.cluster_id
    for _ in new:
        behind = [server for server in new if not _comes_to_serve(server, vaults, logins)]
        if not behind:
            break
        behind[0].restart()
    for server in new:
        until(server.takes_logins, f"{server.node.name} takes logins")
        assert set(contents(server.admin())) == {f"smtp/kept-{i}/admin" for i in range(3)} | {CANARY}


def _comes_to_serve(server: VaultServer, vaults: Vaults, logins: dict[DutyName, SigningKey]) -> bool:
    deadline = time.monotonic() + 6
    while time.monotonic() < deadline:
        if _serves(server, vaults, logins) == "vault-snapshot-1":
            return True
        time.sleep(0.2)
    return False


def test_another_leader_is_found_when_the_first_one_dies(vaults: Vaults, cluster: Cluster) -> None:
    estate = vaults.estate(*cluster)
    until(lambda: all_vote(cluster), "all three nodes vote")
    cluster[0].node.kill()

    def another_leads() -> bool:
        try:
            return find_leader(estate).address in (cluster[1].address, cluster[2].address)
        except VaultLeaderless:
            return False  # while they elect

    until(another_leads, "another node leads")


def _leader(nodes: Cluster, estate: Vault) -> VaultServer | None:
    """Which of these nodes leads; none does while they elect."""
    with contextlib.suppress(VaultLeaderless):
        address = find_leader(estate).address
        return next((server for server in nodes if server.address == address), None)
    return None


def test_a_cluster_without_quorum_is_said_to_have_no_leader(vaults: Vaults, cluster: Cluster) -> None:
    estate = vaults.estate(*cluster)
    until(lambda: _leader(cluster[1:], estate), "one of the two that are left leads")
    leader = _leader(cluster[1:], estate)
    assert leader is not None
    leader.node.kill()

    def leaderless() -> bool:
        try:
            find_leader(estate)
        except VaultLeaderless:
            return True
        return False

    until(leaderless, "the last node gives up")
    with pytest.raises(VaultLeaderless) as failure:
        find_leader(estate)
    assert ", ".join(server.address for server in cluster) in str(failure.value)


def test_a_node_that_has_nobody_to_pass_a_login_on_to_has_no_leader(
    vaults: Vaults, seal_key: str, logins: dict[DutyName, SigningKey]
) -> None:
    server = started(vaults.begin(seal_key))
    until(server.takes_logins, "it takes logins")
    server.admin().sys.step_down()  # it waits ten seconds before it leads again
    with pytest.raises(VaultLeaderless, match=re.escape(f"(asked: {server.address})")):
        VaultClient(server.address, vaults.estate(server), Duty("inventory"), logins["inventory"])
