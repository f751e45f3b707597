"""Whether a Vault looks as if it had lost what it held: its backup must not take the place of the last good one.

A backup of an emptied Vault is as sound as any, and would be the newest: the next recovery would restore the emptiness,
and prove it.
"""

from collections.abc import Sequence

from lambdas.domain.backup import CatalogRow
from lambdas.domain.vault_errors import VaultLooksLost

_LOST_SHARE = 2
"""Fewer than one in two are left: tenants leave one by one, and are lost together."""


def refuse_what_looks_lost(rows: Sequence[CatalogRow], cluster_id: str, live_count: int) -> str | None:
    """Hold a Vault against its newest good nightly backup, among the rows of a catalog given newest first.

    Gives the id of that backup, or None where there is none yet. Raises `VaultLooksLost` when the Vault is another
    cluster, or when fewer than half of the secrets are left that can be read.
    """
    good = (row for row in rows if row.kind == "vault" and row.is_good)
    last = next(good, None)
    if last is None:
        return None
    if cluster_id != last.cluster_id:
        raise VaultLooksLost(backup_id=last.id, problem="it is another cluster")
    if live_count * _LOST_SHARE < last.live_count:
        problem = f"{live_count} secrets are left of {last.live_count}"
        raise VaultLooksLost(backup_id=last.id, problem=problem)
    return last.id
