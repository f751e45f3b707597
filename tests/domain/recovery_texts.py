"""What the failures of bringing deleted rows back say, word for word."""

from lambdas.domain.mailark_error import MailarkError
from lambdas.domain.recovery_errors import (
    NoRowRecoverable,
    RecoveryCollided,
    RecoveryConditionInvalid,
    RecoveryConflicts,
    RecoveryKeyDiffers,
    RecoveryNotApproved,
    RecoveryNotOwner,
    RecoveryNotProved,
    RecoveryPlanChanged,
    RecoveryRefused,
    RecoverySchemaDiffers,
    RecoverySourceForeign,
    RecoveryTableMissing,
    RecoveryTableUnknown,
    RowsInConflict,
)

RECOVERY_TEXTS: list[tuple[MailarkError, str]] = [
    (
        RecoveryTableUnknown(table="user", known="public.organizations, public.users"),
        "recovery-table-unknown: There is no table user, or more than one.\n"
        "Next: Name one of these, with its schema where that is not public: public.organizations, public.users.",
    ),
    (
        RecoveryTableMissing(table="public.notes", only="the backup"),
        "recovery-table-missing: The table public.notes is in the backup alone.\n"
        "Next: Nothing was changed. Create it where it is missing as it is there, or leave it out; then start this "
        "again.",
    ),
    (
        RecoverySchemaDiffers(differences="public.messages has no column spam in the backup"),
        "recovery-schema-differs: The backup's tables are not those of the live database: public.messages has no "
        "column spam in the backup.\n"
        "Next: Nothing was changed; a migration ran in between. Start this with mode export, and load the CSV as the "
        "new columns want it.",
    ),
    (
        RecoveryKeyDiffers(
            differences="the primary key of public.users is id in the backup and email in the live database"
        ),
        "recovery-key-differs: Rows of the backup cannot be told from live ones: the primary key of public.users is id "
        "in the backup and email in the live database.\n"
        "Next: Nothing was changed; a migration ran in between. Give the restored backup the same primary key, or "
        "leave that table out.",
    ),
    (
        RecoveryConditionInvalid(table="public.users", problem='column "idd" does not exist'),
        'recovery-condition-invalid: The condition on public.users cannot be used: column "idd" does not exist.\n'
        "Next: Write one SQL expression as it would stand after WHERE, such as id = 42; nothing was changed.",
    ),
    (
        RecoverySourceForeign(database="mailark_before_smtpy", host="staging.internal"),
        "recovery-source-foreign: mailark_before_smtpy at staging.internal is not the backup that this operation has "
        "restored and proved.\n"
        "Next: Nothing was imported. Somebody has replaced it, or another operation left it: start data_deletion "
        "again; it restores the backup anew.",
    ),
    (
        RecoveryConflicts(count="1,204", first="public.users (taken: users_email_key)"),
        "recovery-conflicts: Of the rows to be brought back, 1,204 cannot be, first public.users (taken: "
        "users_email_key).\n"
        "Next: Nothing was imported. Mend what the list of conflicts names, or start this again with on_conflict skip, "
        "which leaves them out.",
    ),
    (
        RecoveryPlanChanged(approved="0f1e2d3c4b5a", found="a1b2c3d4e5f6"),
        "recovery-plan-changed: What would be brought back now is not what was approved (then 0f1e2d3c4b5a, now "
        "a1b2c3d4e5f6).\n"
        "Next: This run imported nothing. Start this again, and look at the new preview.",
    ),
    (
        RecoveryRefused(tables="public.users", state="23514", problem="positive"),
        "recovery-refused: PostgreSQL did not take the rows of public.users (23514, positive).\n"
        "Next: Nothing was imported. The live database has a rule that the backup's rows break, perhaps since a "
        "migration: look at it, or start this with mode export.",
    ),
    (
        RecoveryNotProved(table="public.users", problem="their checksum is another"),
        "recovery-not-proved: The rows of public.users did not arrive as they are in the backup: their checksum is "
        "another.\n"
        "Next: Nothing was imported. Look for a rule or a default that changes them, or start this with mode export.",
    ),
    (
        RecoveryNotOwner(user="mailark", tables="public.users"),
        "recovery-not-owner: mailark does not own public.users, and so cannot keep triggers there from firing on old "
        "rows.\n"
        "Next: Nothing was imported. Make the role a member of the owning one (GRANT), and start this again.",
    ),
    (
        RecoveryCollided(attempts=3),
        "recovery-collided: Other sessions changed the same rows in each of 3 attempts.\n"
        "Next: Nothing was imported. Stop what writes to these tables, or start this again when less is written.",
    ),
    (
        RowsInConflict(count=2, first="public.domains (taken: domains_name_key)", listed="s3://work/op/conflicts.csv"),
        "rows-in-conflict: Of the rows to be brought back, 2 cannot be, first public.domains (taken: "
        "domains_name_key); all are listed in s3://work/op/conflicts.csv.\n"
        "Next: Nothing was imported. Mend what stands in their way, or start data_deletion again with "
        '{"on_conflict": "skip"} beside the rest of its input, which leaves them out.',
    ),
    (
        NoRowRecoverable(count=2, first="public.users (taken: users_email_key)", listed="s3://work/op/conflicts.csv"),
        "no-row-recoverable: Each of the 2 missing rows is in conflict, first public.users (taken: users_email_key); "
        "all are listed in s3://work/op/conflicts.csv.\n"
        "Next: Nothing was imported. Mend what stands in their way, or start data_deletion again with "
        '{"mode": "export"} beside the rest of its input, which writes the rows as CSV.',
    ),
    (
        RecoveryNotApproved(approval_id="apr-1", outcome="refused", by="arn:aws:iam::111122223333:user/dave"),
        "recovery-not-approved: The request apr-1 to bring rows back ended refused, decided by "
        "arn:aws:iam::111122223333:user/dave.\n"
        "Next: Nothing was imported. Ask whoever decides, and start data_deletion again if the rows are still needed.",
    ),
]
