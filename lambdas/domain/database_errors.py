"""What can go wrong with a database, in the words that a person reads; the others stand in `errors.py`."""

from lambdas.domain.mailark_error import MailarkError


class DatabaseNotInEstate(MailarkError):
    code = "database-not-in-estate"
    sentence = "The estate names no database."
    hint = "Add the key database to the estate (docs/operating.md), and deploy it; until then there is none to protect."


class DatabaseUnreachable(MailarkError):
    code = "database-unreachable"
    sentence = "PostgreSQL at {host}:{port} does not answer ({problem})."
    hint = "Check that the server runs, and that the estate names its host, port and network."
    transient = True


class DatabaseCertificateRefused(MailarkError):
    code = "database-certificate-refused"
    sentence = "The certificate of PostgreSQL at {host} does not verify ({problem})."
    hint = (
        "Put the CA of its certificate into database of the estate, and use the host name that the certificate is for. "
        "If neither has changed, somebody may stand between: tell the security team."
    )


class DatabaseLoginRefused(MailarkError):
    code = "database-login-refused"
    sentence = "PostgreSQL at {host} refuses the login of {user} ({problem})."
    hint = "Put the role's current password into its secret, which the estate names; pg_hba.conf must allow hostssl."


class DatabaseMissing(MailarkError):
    code = "database-missing"
    sentence = "PostgreSQL at {host} has no database {database}."
    hint = (
        "Check database.name in the estate. If the database is lost, start database_corruption: it restores a backup."
    )


class DatabaseLocked(MailarkError):
    code = "database-locked"
    sentence = "A lock in {database} at {host} was not free in time: {blocker}."
    hint = "Wait for that session or end it (pg_terminate_backend), and start this again; nothing was changed."


class DatabaseRequestFailed(MailarkError):
    code = "database-request-failed"
    sentence = "PostgreSQL at {host} refused a statement in {database} ({state}, {problem})."
    hint = "Read the server's log at that time; the role in the estate's secret may lack a right."


class DumpDamaged(MailarkError):
    code = "dump-damaged"
    sentence = "The dump is not whole: {problem}."
    hint = "Nothing was stored as good. Start database_backup again; if it repeats, read the server's log and its disk."
    transient = True


class SwapRefused(MailarkError):
    code = "swap-refused"
    sentence = "{database} was not swapped: {problem}."
    hint = (
        "Nothing was renamed. Start database_corruption again: it restores and verifies a copy under a name of its own."
    )


class NothingToUndo(MailarkError):
    code = "nothing-to-undo"
    sentence = "There is no swap of {database} to undo: {problem}."
    hint = "Nothing was renamed. Read on the server which databases there are, and what their comments say."


class SwapTooOld(MailarkError):
    code = "swap-too-old"
    sentence = "The swap of {database} that would be undone is of {at}, more than {hours} hours ago."
    hint = (
        "Nothing was stopped or renamed: what was written since then would be in the database that goes out. If that "
        'is meant, start database_swap_undo with {{"reason": "...", "kept_as": "{kept_as}"}}.'
    )


class DatabaseInUse(MailarkError):
    code = "database-in-use"
    sentence = "Sessions in {database} at {host} did not end: {sessions}."
    hint = (
        "Nothing was renamed. End them as a superuser (pg_terminate_backend), stop what opens them again, "
        "and start this again."
    )


class DiskTooSmall(MailarkError):
    code = "disk-too-small"
    sentence = "The disk of PostgreSQL at {host} has no room for {wanted} bytes more: it took {taken}."
    hint = "Nothing live was touched. Make room, or name a fresh server under database.fresh in the estate."


class DatabaseClientMissing(MailarkError):
    code = "database-client-missing"
    sentence = "The client programs of PostgreSQL {major} are not deployed."
    hint = "Set database.major in the estate to the server's own major version, and deploy: the layer then has them."


class DatabaseVersionDiffers(MailarkError):
    code = "database-version-differs"
    sentence = "PostgreSQL at {host} is of the major version {found}, and the estate says {wanted}."
    hint = "Set database.major in the estate to {found} and deploy; live and staging server must both be of it."


class DumpFailed(MailarkError):
    code = "dump-failed"
    sentence = "{program} did not end well: {problem}."
    hint = "Nothing was stored as good. Read the server's log at that time, cure what it says, and start this again."


class LoadFailed(MailarkError):
    code = "load-failed"
    sentence = "The dump could not be loaded into {database}: {problem}."
    hint = "Nothing live was touched. Read the server's log at that time, cure what it says, and start this again."


class DatabaseDiskFull(MailarkError):
    code = "database-disk-full"
    sentence = "The disk of PostgreSQL at {host} is full."
    hint = (
        "What was restored is removed, and nothing live was touched. Make room, or name another server in "
        "database.fresh of the estate, and start this again."
    )


class TargetLacks(MailarkError):
    code = "target-lacks"
    sentence = "PostgreSQL at {host} lacks {what} that {backup_id} needs: {names}."
    hint = (
        "Nothing was changed. Install the extensions or locales, or make the roles (`python -m lambdas.break_glass "
        "open` writes them as SQL), and start this again."
    )


class DumpTooLong(MailarkError):
    code = "dump-too-long"
    sentence = "{what} would take some {minutes} minutes, and a function has {limit}: nothing was started."
    hint = (
        "Let a host make and load its dumps (pg_dump by cron, as before) until Mailark does it through the host; "
        "or make the database smaller: {size} are too much for a Lambda function."
    )


class DumpLooksLost(MailarkError):
    code = "dump-looks-lost"
    sentence = "{backup_id} is stored, and does not count as good: {problem}."
    hint = (
        "If tables or rows were lost, start database_corruption or data_deletion. If this is meant, start "
        'database_backup with {{"reason": "...", "accept_loss": true}}: its backup is then the newest.'
    )
    tampering = True


class DatabaseNotProved(MailarkError):
    code = "database-not-proved"
    sentence = "The restored database does not equal {backup_id}: {problem}."
    hint = (
        "Nothing live was touched, and the backup still counts as good: a server with a bad disk refutes any. Start "
        "this again onto another server (on_fresh of database_corruption), or with an older backup by its backup_id; "
        "database_restore_test tells whether the backup itself is bad."
    )
    tampering = True


class BackupRefuted(MailarkError):
    code = "backup-refuted"
    sentence = "{backup_id}, restored onto the staging server, does not equal what was recorded: {problem}."
    hint = (
        "Nothing live was touched, and recoveries take the next older one from now on: look into it, and start "
        "database_backup for a new one. If the staging server's own disk is bad, give it another."
    )
    tampering = True


class DatabaseCheckFailed(MailarkError):
    code = "database-check-failed"
    sentence = "The check '{name}' on {database} did not get the answer that the estate expects."
    hint = "Run its SQL by hand there. If the data is as it should be, correct database.checks in the estate."


class DatabaseStagingIsLive(MailarkError):
    code = "database-staging-is-live"
    sentence = "The staging server {staging} is the live server {live} under another name."
    hint = "Nothing was changed. Name another server in database.staging of the estate: restore tests fill its disk."


class SecondStoreRefused(MailarkError):
    code = "second-store-refused"
    sentence = "The second store {endpoint} did not take the copy: {problem}."
    hint = (
        "The backup itself is good. Check database.second_store in the estate, its secret and its bucket, and start "
        "database_backup again."
    )


class FreshServerNotInEstate(MailarkError):
    code = "fresh-server-not-in-estate"
    sentence = "The estate names no fresh server to restore onto."
    hint = "Name one in database.fresh of the estate, or start this again without on_fresh."


class DatabaseAnswersAgain(MailarkError):
    code = "database-answers-again"
    sentence = "PostgreSQL at {host} was away when {database} was assessed, and is there again."
    hint = (
        "Nothing was stopped or changed: start this again, and what the database holds is looked at first. To restore "
        'in any case, add "even_if_sound": true to the input.'
    )


class DatabaseSound(MailarkError):
    code = "database-sound"
    sentence = "No damage was found in {database}: {read} relations are sound, and {unread} could not be read in time."
    hint = (
        "Nothing was changed. For deleted rows start data_deletion; to restore a backup all the same, start "
        'database_corruption with {{"reason": "...", "even_if_sound": true}}.'
    )


class OnlyIndexesDamaged(MailarkError):
    code = "only-indexes-damaged"
    sentence = "In {database} nothing is damaged but indexes, which are built anew from sound tables: {indexes}."
    hint = (
        "Run REINDEX INDEX CONCURRENTLY for each: no row is lost so. To restore a backup all the same, start "
        'database_corruption with {{"reason": "...", "even_if_sound": true}}.'
    )


class ServicesNotInEstate(MailarkError):
    code = "services-not-in-estate"
    sentence = "The estate does not say how the services that use the database are stopped and started."
    hint = "Nothing was changed. Add the key database.services to the estate (docs/operating.md), and start this again."


class NoBackupBefore(MailarkError):
    code = "no-backup-before"
    sentence = "No good {kind} backup was finished before {before}; the oldest there is was finished at {oldest}."
    hint = "Look in the other region, where copies stay longer; rows that no backup has are lost."
