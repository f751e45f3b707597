"""Whether a server can take a dump: all that can be known before anything is stopped or made."""

from lambdas.adapters.database_space import space_for
from lambdas.adapters.postgres import MAINTENANCE, Login
from lambdas.adapters.throwaway_database import require_what_it_needs
from lambdas.domain.database_manifest import DatabaseManifest
from lambdas.domain.database_space import check_space
from lambdas.domain.database_time import refuse_too_long, seconds_of_load


def require_restorable(login: Login, manifest: DatabaseManifest) -> None:
    """Ask the server of `login` whether it takes that dump; nothing is changed, and it takes about 120 s at most.

    Raises `DumpTooLong`, `TargetLacks`, `DiskTooSmall`, and as `connected` does.
    """
    sql_size = manifest.contents.sql.size
    refuse_too_long(f"A restore of {manifest.backup_id}", seconds_of_load(sql_size), sql_size)
    require_what_it_needs(login, manifest)
    check_space(login.host, space_for(login.to(MAINTENANCE), manifest.contents.size))
