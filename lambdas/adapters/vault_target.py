"""The Vault that an operation may touch: the live one in a recovery, and in a rehearsal the staging one alone."""

import contextlib
from dataclasses import dataclass

from lambdas.adapters.estate_parameter import read_estate
from lambdas.adapters.vault import NodeState, find_leader
from lambdas.domain.estate import Estate, Vault
from lambdas.domain.mailark_error import MailarkError
from lambdas.domain.operation import Operation
from lambdas.domain.vault_errors import StagingIsLive


@dataclass(frozen=True)
class VaultTarget:
    """`vault` as the estate describes it, and the node that leads it; `live` leads the live Vault, where it answers."""

    estate: Estate
    vault: Vault
    leader: NodeState
    live: NodeState | None


def vault_target(region: str, operation: Operation) -> VaultTarget:
    """The target of an operation by its mode, and its leader.

    Raises `StagingIsLive` when the staging Vault turns out to be the live one, and as `find_leader` does.
    """
    estate = read_estate(region)
    if operation.mode == "recover":
        leader = find_leader(estate.vault)
        return VaultTarget(estate, estate.vault, leader, leader)
    vault = estate.vault.stand_in
    leader = find_leader(vault)
    live: NodeState | None = None
    with contextlib.suppress(MailarkError):
        live = find_leader(estate.vault)
    if _is_live(estate.vault, leader, live):
        raise StagingIsLive(address=vault.address, live=estate.vault.address)
    return VaultTarget(estate, vault, leader, live)


def _is_live(live_vault: Vault, leader: NodeState, live: NodeState | None) -> bool:
    """Whether two names lead to one server: by what a server says of itself that no restore changes."""
    if live is None:
        return leader.leader_address in {live_vault.address, *live_vault.nodes}
    return (leader.leader_address, leader.active_time) == (live.leader_address, live.active_time)
