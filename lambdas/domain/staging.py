"""What the staging Vault may hold before a restore test: nothing, or what an earlier test could not take away again."""

from collections.abc import Sequence

from lambdas.domain.backup import CatalogRow, reaches
from lambdas.domain.vault_errors import StagingNotEmpty


def empty_state(
    rows: Sequence[CatalogRow], *, address: str, secrets: int, cluster_id: str, live_answers: bool
) -> str | None:
    """The saved empty state of a staging Vault that holds `secrets` secrets; None for one that is empty now.

    `rows` is the catalog, newest first. What an earlier test left is known by its `cluster_id`, which a restore brings
    along. Without the live Vault to compare with, nobody can tell a full staging Vault from the live one.
    Raises `StagingNotEmpty` for secrets that no restore test left.
    """
    if not secrets:
        return None
    left_by_a_test = cluster_id in {row.cluster_id for row in rows if row.series != "staging"}
    saved = next((row.id for row in rows if row.series == "staging" and reaches(row.proof, "intact")), None)
    if not left_by_a_test or saved is None or not live_answers:
        raise StagingNotEmpty(address=address, count=secrets)
    return saved
