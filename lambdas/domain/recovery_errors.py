"""What can go wrong when deleted rows are brought back, in the words that a person reads."""

from lambdas.domain.mailark_error import MailarkError


class RecoveryTableUnknown(MailarkError):
    code = "recovery-table-unknown"
    sentence = "There is no table {table}, or more than one."
    hint = "Name one of these, with its schema where that is not public: {known}."


class RecoveryTableMissing(MailarkError):
    code = "recovery-table-missing"
    sentence = "The table {table} is in {only} alone."
    hint = "Nothing was changed. Create it where it is missing as it is there, or leave it out; then start this again."


class RecoverySchemaDiffers(MailarkError):
    code = "recovery-schema-differs"
    sentence = "The backup's tables are not those of the live database: {differences}."
    hint = (
        "Nothing was changed; a migration ran in between. Start this with mode export, and load the CSV as the new "
        "columns want it."
    )


class RecoveryKeyDiffers(MailarkError):
    code = "recovery-key-differs"
    sentence = "Rows of the backup cannot be told from live ones: {differences}."
    hint = (
        "Nothing was changed; a migration ran in between. Give the restored backup the same primary key, or leave that "
        "table out."
    )


class RecoveryConditionInvalid(MailarkError):
    code = "recovery-condition-invalid"
    sentence = "The condition on {table} cannot be used: {problem}."
    hint = "Write one SQL expression as it would stand after WHERE, such as id = 42; nothing was changed."


class RecoverySourceForeign(MailarkError):
    code = "recovery-source-foreign"
    sentence = "{database} at {host} is not the backup that this operation has restored and proved."
    hint = (
        "Nothing was imported. Somebody has replaced it, or another operation left it: start data_deletion again; it "
        "restores the backup anew."
    )


class RecoveryConflicts(MailarkError):
    code = "recovery-conflicts"
    sentence = "Of the rows to be brought back, {count} cannot be, first {first}."
    hint = (
        "Nothing was imported. Mend what the list of conflicts names, or start this again with on_conflict skip, which "
        "leaves them out."
    )


class RecoveryPlanChanged(MailarkError):
    code = "recovery-plan-changed"
    sentence = "What would be brought back now is not what was approved (then {approved}, now {found})."
    hint = "This run imported nothing. Start this again, and look at the new preview."


class RecoveryRefused(MailarkError):
    code = "recovery-refused"
    sentence = "PostgreSQL did not take the rows of {tables} ({state}, {problem})."
    hint = (
        "Nothing was imported. The live database has a rule that the backup's rows break, perhaps since a migration: "
        "look at it, or start this with mode export."
    )


class RecoveryNotProved(MailarkError):
    code = "recovery-not-proved"
    sentence = "The rows of {table} did not arrive as they are in the backup: {problem}."
    hint = "Nothing was imported. Look for a rule or a default that changes them, or start this with mode export."


class RecoveryNotOwner(MailarkError):
    code = "recovery-not-owner"
    sentence = "{user} does not own {tables}, and so cannot keep triggers there from firing on old rows."
    hint = "Nothing was imported. Make the role a member of the owning one (GRANT), and start this again."


class RecoveryCollided(MailarkError):
    code = "recovery-collided"
    sentence = "Other sessions changed the same rows in each of {attempts} attempts."
    hint = "Nothing was imported. Stop what writes to these tables, or start this again when less is written."


class RowsInConflict(MailarkError):
    code = "rows-in-conflict"
    sentence = "Of the rows to be brought back, {count} cannot be, first {first}; all are listed in {listed}."
    hint = (
        "Nothing was imported. Mend what stands in their way, or start data_deletion again with "
        '{{"on_conflict": "skip"}} beside the rest of its input, which leaves them out.'
    )


class NoRowRecoverable(MailarkError):
    code = "no-row-recoverable"
    sentence = "Each of the {count} missing rows is in conflict, first {first}; all are listed in {listed}."
    hint = (
        "Nothing was imported. Mend what stands in their way, or start data_deletion again with "
        '{{"mode": "export"}} beside the rest of its input, which writes the rows as CSV.'
    )


class RecoveryNotApproved(MailarkError):
    code = "recovery-not-approved"
    sentence = "The request {approval_id} to bring rows back ended {outcome}, decided by {by}."
    hint = "Nothing was imported. Ask whoever decides, and start data_deletion again if the rows are still needed."
