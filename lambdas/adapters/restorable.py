"""Whether a server can take a dump: all that can be known before anything is stopped or made."""

from lambdas.adapters.catalog import Catalog
from lambdas.adapters.database_space import space_for
from lambdas.adapters.postgres import MAINTENANCE, Login
from lambdas.adapters.throwaway_database import require_what_it_needs
from lambdas.domain.database_manifest import DatabaseManifest
from lambdas.domain.database_space import check_space
from lambdas.domain.database_time import refuse_too_long, seconds_of_load, seconds_of_proof, usual_rate
from lambdas.domain.operation import Operation


def require_restorable(login: Login, manifest: DatabaseManifest, catalog: Catalog, operation: Operation) -> None:
    """Ask the server of `login` whether it can load that dump in time; nothing is changed.

    The time is that of the last restores and proofs in the catalog, most of which were on the staging server.

    Raises `DumpTooLong`, `TargetLacks`, and as `connected` does.
    """
    size, rows, elsewhere = manifest.contents.sql.size, catalog.rows(), operation.mode == "recover"
    loading = seconds_of_load(size, usual_rate(rows, "load_rate"), elsewhere=elsewhere)
    refuse_too_long(f"A restore of {manifest.backup_id}", loading, size)
    # Nothing is restored only to be told that its proof would take too long.
    proving = seconds_of_proof(size, usual_rate(rows, "proof_rate"), elsewhere=elsewhere)
    refuse_too_long(f"A proof of {manifest.backup_id}", proving, size)
    require_what_it_needs(login, manifest)


def require_room(login: Login, manifest: DatabaseManifest) -> None:
    """Ask the server of `login` whether it has room for that dump; it takes about 120 s at most.

    Room is taken and given back: a disk that has too little is full for an instant. Raises `DiskTooSmall`, and as
    `connected` does.
    """
    check_space(login.host, space_for(login.to(MAINTENANCE), manifest.contents.size))
