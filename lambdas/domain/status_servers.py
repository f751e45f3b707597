"""What the servers of the estate said, judged: both Vaults, and both of the database.

They are asked from the machine of whoever asks; the functions may reach them over a network that it need not be in.
"""

from collections.abc import Iterator

from lambdas.domain.estate_database import DatabaseServer
from lambdas.domain.status_check import SILENT, Check
from lambdas.domain.status_facts import DatabaseFacts, Facts, VaultFacts


def server_checks(facts: Facts) -> Iterator[Check]:
    """A check of each server that the estate has."""
    in_network, database = facts.estate.network is not None, facts.estate.database
    yield _vault(facts.vault, in_network)
    yield _staging(facts.staging, in_network)
    if database and facts.database:
        yield _database(facts.database, database.server, in_network)
    if database and facts.database_staging:
        yield _database_staging(facts.database_staging, database.staging, in_network)


def _vault(vault: VaultFacts, in_network: bool) -> Check:
    way = "mailark-vault-backup reaches it from the estate's network."
    lost = "If the server is lost, see docs/runbooks/vault_restore.md."
    return _asked("vault", "Vault", vault, way if in_network else None, lost)


def _staging(vault: VaultFacts, in_network: bool) -> Check:
    way = "mailark-vault-restore-test reaches it from the estate's network."
    lost = (
        "Start it; until it leads, no restore can be tested. If the server is lost, start a new one that holds "
        "nothing: docs/operating.md, The staging Vault."
    )
    return _asked("staging-vault", "The staging Vault", vault, way if in_network else None, lost)


def _asked(check: str, name: str, vault: VaultFacts, another_way: str | None, lost: str) -> Check:
    """A Vault by what it said."""
    if vault.problem:
        return Check(check, None, "not good", vault.problem, vault.hint)
    if vault.leader:
        return Check(check, None, "good", f"{name} is unsealed, and {vault.leader} leads.")
    return _unreached(check, f"{name} was not reached from this machine: {vault.unreached}.", another_way, lost)


def _unreached(check: str, said: str, another_way: str | None, lost: str) -> Check:
    if another_way:
        return Check(check, None, "skipped", said, another_way)
    return Check(check, None, "not good", said, lost)


def _database(database: DatabaseFacts, server: DatabaseServer, in_network: bool) -> Check:
    way = "mailark-database-backup reaches it from the estate's network."
    lost = "Start it. If the server is lost, see docs/runbooks/database_corruption.md."
    return _connected("database", "The database", database, server, way if in_network else None, lost)


def _database_staging(database: DatabaseFacts, server: DatabaseServer, in_network: bool) -> Check:
    way = "mailark-database-restore-test reaches it from the estate's network."
    lost = (
        "Start it; until it answers, no restore can be tested. If the server is lost, start a new one that holds "
        "nothing, and name it in database.staging of the estate."
    )
    return _connected(
        "database-staging", "The staging database server", database, server, way if in_network else None, lost
    )


def _connected(
    check: str, name: str, database: DatabaseFacts, server: DatabaseServer, another_way: str | None, lost: str
) -> Check:
    """A PostgreSQL server by what it said; what only a login can prove is never good without one."""
    at = f"{server.host}:{server.port}"
    if database.problem:
        return Check(check, None, "not good", database.problem, database.hint)
    if database.major:
        said = f"{name} at {at} lets its role in: PostgreSQL {database.major}, with a certificate that verifies."
        return Check(check, None, "good", said)
    if database.unproved:
        said = f"{name} at {at} answers with a certificate that verifies; its login was not tried: "
        if database.unproved.refused:
            hint = f"Run this with credentials that may read the secret {server.secret}."
            return Check(check, None, "skipped", f"{said}{database.unproved.why}.", hint)
        return Check(check, None, "unknown", f"{said}{database.unproved.why}.", SILENT)
    return _unreached(check, f"{name} was not reached from this machine: {database.unreached}.", another_way, lost)
