"""What each failure around a database says, word for word; `test_errors.py` holds it."""

from lambdas.domain.database_errors import (
    BackupRefuted,
    DatabaseAnswersAgain,
    DatabaseCertificateRefused,
    DatabaseCheckFailed,
    DatabaseClientMissing,
    DatabaseDiskFull,
    DatabaseLocked,
    DatabaseLoginRefused,
    DatabaseMissing,
    DatabaseNotInEstate,
    DatabaseNotProved,
    DatabaseRequestFailed,
    DatabaseSound,
    DatabaseStagingIsLive,
    DatabaseUnreachable,
    DatabaseVersionDiffers,
    DumpDamaged,
    DumpFailed,
    DumpLooksLost,
    DumpTooLong,
    FreshServerNotInEstate,
    LoadFailed,
    NoBackupBefore,
    OnlyIndexesDamaged,
    SecondStoreRefused,
    ServicesNotInEstate,
    TargetLacks,
)
from lambdas.domain.mailark_error import MailarkError

HOST, BACKUP = "db.example.org", "smtpy_20261122_030000.sql.gz"

DATABASE_TEXTS: list[tuple[MailarkError, str]] = [
    (
        DatabaseNotInEstate(),
        "database-not-in-estate: The estate names no database.\n"
        "Next: Add the key database to the estate (docs/operating.md), and deploy it; until then there is none to "
        "protect.",
    ),
    (
        DatabaseUnreachable(host=HOST, port=5432, problem="Connection refused"),
        "database-unreachable: PostgreSQL at db.example.org:5432 does not answer (Connection refused).\n"
        "Next: Check that the server runs, and that the estate names its host, port and network.",
    ),
    (
        DatabaseAnswersAgain(host=HOST, database="smtpy"),
        "database-answers-again: PostgreSQL at db.example.org was away when smtpy was assessed, and is there "
        "again.\n"
        "Next: Nothing was stopped or changed: start this again, and what the database holds is looked at first. To "
        'restore in any case, add "even_if_sound": true to the input.',
    ),
    (
        DatabaseCertificateRefused(host=HOST, problem="SSL error: certificate verify failed"),
        "database-certificate-refused: The certificate of PostgreSQL at db.example.org does not verify (SSL error: "
        "certificate verify failed).\n"
        "Next: Put the CA of its certificate into database of the estate, and use the host name that the certificate "
        "is for. If neither has changed, somebody may stand between: tell the security team.",
    ),
    (
        DatabaseLoginRefused(host=HOST, user="backup", problem='password authentication failed for user "backup"'),
        "database-login-refused: PostgreSQL at db.example.org refuses the login of backup (password authentication "
        'failed for user "backup").\n'
        "Next: Put the role's current password into its secret, which the estate names; pg_hba.conf must allow "
        "hostssl.",
    ),
    (
        DatabaseMissing(host=HOST, database="smtpy"),
        "database-missing: PostgreSQL at db.example.org has no database smtpy.\n"
        "Next: Check database.name in the estate. If the database is lost, start database_corruption: it restores a "
        "backup.",
    ),
    (
        DatabaseLocked(host=HOST, database="smtpy", blocker="psql of grace (pid 4711) holds public.users"),
        "database-locked: A lock in smtpy at db.example.org was not free in time: psql of grace (pid 4711) holds "
        "public.users.\n"
        "Next: Wait for that session or end it (pg_terminate_backend), and start this again; nothing was changed.",
    ),
    (
        DatabaseRequestFailed(host=HOST, database="smtpy", state="42501", problem="InsufficientPrivilege"),
        "database-request-failed: PostgreSQL at db.example.org refused a statement in smtpy (42501, "
        "InsufficientPrivilege).\n"
        "Next: Read the server's log at that time; the role in the estate's secret may lack a right.",
    ),
    (
        DumpDamaged(problem="its gzip ends early"),
        "dump-damaged: The dump is not whole: its gzip ends early.\n"
        "Next: Nothing was stored as good. Start database_backup again; if it repeats, read the server's log and its "
        "disk.",
    ),
    (
        DatabaseClientMissing(major=18),
        "database-client-missing: The client programs of PostgreSQL 18 are not deployed.\n"
        "Next: Set database.major in the estate to the server's own major version, and deploy: the layer then has "
        "them.",
    ),
    (
        DatabaseVersionDiffers(host=HOST, found=18, wanted=17),
        "database-version-differs: PostgreSQL at db.example.org is of the major version 18, and the estate says 17.\n"
        "Next: Set database.major in the estate to 18 and deploy; live and staging server must both be of it.",
    ),
    (
        DumpFailed(program="pg_dump", problem="query failed"),
        "dump-failed: pg_dump did not end well: query failed.\n"
        "Next: Nothing was stored as good. Read the server's log at that time, cure what it says, and start this "
        "again.",
    ),
    (
        LoadFailed(database="mailark_test_smtpy", problem="23505, UniqueViolation"),
        "load-failed: The dump could not be loaded into mailark_test_smtpy: 23505, UniqueViolation.\n"
        "Next: Nothing live was touched. Read the server's log at that time, cure what it says, and start this again.",
    ),
    (
        DatabaseDiskFull(host=HOST),
        "database-disk-full: The disk of PostgreSQL at db.example.org is full.\n"
        "Next: What was restored is removed, and nothing live was touched. Make room, or name another server in "
        "database.fresh of the estate, and start this again.",
    ),
    (
        TargetLacks(host=HOST, what="roles", names="app, owner", backup_id=BACKUP),
        "target-lacks: PostgreSQL at db.example.org lacks roles that smtpy_20261122_030000.sql.gz needs: app, owner.\n"
        "Next: Nothing was changed. Install the extensions or locales, or make the roles (`python -m "
        "lambdas.break_glass open` writes them as SQL), and start this again.",
    ),
    (
        DumpTooLong(what="A dump", minutes=31, limit=12, size="120 GB"),
        "dump-too-long: A dump would take some 31 minutes, and a function has 12: nothing was started.\n"
        "Next: Let a host make and load its dumps (pg_dump by cron, as before) until Mailark does it through the "
        "host; or make the database smaller: 120 GB are too much for a Lambda function.",
    ),
    (
        DumpLooksLost(backup_id=BACKUP, problem="it has no tables"),
        "dump-looks-lost: smtpy_20261122_030000.sql.gz is stored, and does not count as good: it has no tables.\n"
        "Next: If tables or rows were lost, start database_corruption or data_deletion. If this is meant, start "
        'database_backup with {"reason": "...", "accept_loss": true}: its backup is then the newest.',
    ),
    (
        DatabaseNotProved(backup_id=BACKUP, problem="the table public.users is missing"),
        "database-not-proved: The restored database does not equal smtpy_20261122_030000.sql.gz: the table "
        "public.users is missing.\n"
        "Next: Nothing live was touched, and the backup still counts as good: a server with a bad disk refutes any. "
        "Start this again onto another server (on_fresh of database_corruption), or with an older backup by its "
        "backup_id; database_restore_test tells whether the backup itself is bad.",
    ),
    (
        BackupRefuted(backup_id=BACKUP, problem="the table public.users is missing"),
        "backup-refuted: smtpy_20261122_030000.sql.gz, restored onto the staging server, does not equal what was "
        "recorded: the table public.users is missing.\n"
        "Next: Nothing live was touched, and recoveries take the next older one from now on: look into it, and start "
        "database_backup for a new one. If the staging server's own disk is bad, give it another.",
    ),
    (
        DatabaseCheckFailed(name="has users", database="smtpy"),
        "database-check-failed: The check 'has users' on smtpy did not get the answer that the estate expects.\n"
        "Next: Run its SQL by hand there. If the data is as it should be, correct database.checks in the estate.",
    ),
    (
        DatabaseStagingIsLive(staging="b.example.org:5432", live="db.example.org:5432"),
        "database-staging-is-live: The staging server b.example.org:5432 is the live server db.example.org:5432 under "
        "another name.\n"
        "Next: Nothing was changed. Name another server in database.staging of the estate: restore tests fill its "
        "disk.",
    ),
    (
        SecondStoreRefused(endpoint="https://s3.example.net", problem="AccessDenied"),
        "second-store-refused: The second store https://s3.example.net did not take the copy: AccessDenied.\n"
        "Next: The backup itself is good. Check database.second_store in the estate, its secret and its bucket, and "
        "start database_backup again.",
    ),
    (
        FreshServerNotInEstate(),
        "fresh-server-not-in-estate: The estate names no fresh server to restore onto.\n"
        "Next: Name one in database.fresh of the estate, or start this again without on_fresh.",
    ),
    (
        DatabaseSound(database="smtpy", read=42, unread=0),
        "database-sound: No damage was found in smtpy: 42 relations are sound, and 0 could not be read in time.\n"
        "Next: Nothing was changed. For deleted rows start data_deletion; to restore a backup all the same, start "
        'database_corruption with {"reason": "...", "even_if_sound": true}.',
    ),
    (
        ServicesNotInEstate(),
        "services-not-in-estate: The estate does not say how the services that use the database are stopped and "
        "started.\n"
        "Next: Nothing was changed. Add the key database.services to the estate (docs/operating.md), and start this "
        "again.",
    ),
    (
        OnlyIndexesDamaged(database="smtpy", indexes="public.users_pkey"),
        "only-indexes-damaged: In smtpy nothing is damaged but indexes, which are built anew from sound tables: "
        "public.users_pkey.\n"
        "Next: Run REINDEX INDEX CONCURRENTLY for each: no row is lost so. To restore a backup all the same, start "
        'database_corruption with {"reason": "...", "even_if_sound": true}.',
    ),
    (
        NoBackupBefore(kind="database", before="2026-11-20T00:00:00+00:00", oldest="2026-11-22T03:00:00+00:00"),
        "no-backup-before: No good database backup was finished before 2026-11-20T00:00:00+00:00; the oldest there "
        "is was finished at 2026-11-22T03:00:00+00:00.\n"
        "Next: Look in the other region, where copies stay longer; rows that no backup has are lost.",
    ),
]
