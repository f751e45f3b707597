"""How a Vault describes itself to somebody who has not logged in, against real servers in every state."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from lab.certificates import CertificateAuthority
from lab.processes import free_port
from lambdas.adapters.vault import find_leader, node_state
from lambdas.domain.estate import Seal
from lambdas.domain.vault_errors import VaultSealed, VaultUninitialized, VaultUnreachable
from tests.servers.vault import Vaults, VaultServer


@dataclass
class _Untouched:
    """A Vault with a Shamir seal that nobody has initialised; `keys` once somebody has."""

    server: VaultServer
    keys: list[str]


@pytest.fixture(scope="module")
def untouched(vaults: Vaults) -> Iterator[_Untouched]:
    server = vaults.prepare()
    server.start()
    server.node.wait_until_answering()
    yield _Untouched(server, [])
    server.node.stop()


def test_a_serving_node_names_itself_as_the_leader_with_its_seal_and_version(
    vaults: Vaults, vault: VaultServer
) -> None:
    state = find_leader(vaults.estate(vault))
    assert state.address == vault.address
    assert (state.is_leader, state.sealed, state.initialized) == (True, False, True)
    assert (state.seal_type, state.version) == ("static", "2.7.2")
    assert state.leader_address == vault.address
    assert state.cluster_id
    assert state.cluster_name
    assert state.active_time.startswith("20")


def test_an_address_where_nothing_listens_is_unreachable(vaults: Vaults) -> None:
    address = f"https://127.0.0.1:{free_port()}"
    with pytest.raises(VaultUnreachable) as failure:
        node_state(address, vaults.authority.pem)
    assert f"Vault at {address} does not answer (no connection)." in str(failure.value)


def test_a_certificate_of_another_ca_is_refused_and_said_so(vault: VaultServer, tmp_path_factory: object) -> None:
    assert isinstance(tmp_path_factory, pytest.TempPathFactory)
    stranger = CertificateAuthority(tmp_path_factory.mktemp("stranger"))
    with pytest.raises(VaultUnreachable, match="its certificate is not signed by the CA in the estate"):
        node_state(vault.address, stranger.pem)


def test_a_private_certificate_is_refused_when_the_estate_names_no_ca(vault: VaultServer) -> None:
    with pytest.raises(VaultUnreachable, match="its certificate is not signed by the CA in the estate"):
        node_state(vault.address, "")


def test_a_vault_that_was_never_initialised_is_told_apart(vaults: Vaults, untouched: _Untouched) -> None:
    state = node_state(untouched.server.address, vaults.authority.pem)
    assert (state.initialized, state.sealed, state.is_leader) == (False, True, False)
    with pytest.raises(VaultUninitialized, match=untouched.server.address):
        find_leader(vaults.estate(untouched.server, seal=Seal("shamir")))


def test_a_sealed_vault_is_told_apart(vaults: Vaults, untouched: _Untouched) -> None:
    untouched.keys += untouched.server.client().sys.initialize(1, 1)["keys_base64"]
    state = node_state(untouched.server.address, vaults.authority.pem)
    assert (state.initialized, state.sealed, state.seal_type) == (True, True, "shamir")
    with pytest.raises(VaultSealed, match=untouched.server.address):
        find_leader(vaults.estate(untouched.server, seal=Seal("shamir")))


def test_a_node_that_answers_is_found_although_the_first_one_is_gone(vaults: Vaults, vault: VaultServer) -> None:
    gone = vaults.prepare()
    assert find_leader(vaults.estate(gone, vault)).address == vault.address


def test_when_no_node_answers_the_first_one_is_named(vaults: Vaults) -> None:
    first, second = vaults.prepare(), vaults.prepare()
    with pytest.raises(VaultUnreachable, match=first.address):
        find_leader(vaults.estate(first, second))
