"""Every failure that Mailark can name: a stable code, one sentence of fact, a hint that names the cure.

One class a failure: `Retry` and `Catch` match on its name, people search for its code. `tests/domain/test_errors.py`
holds every text word for word, and a test holds the transient ones against the `Retry` lists of the state machines.
"""

from lambdas.domain import (  # noqa: F401  # all count
    approval_errors,
    credential_errors,
    database_errors,
    mailu_errors,
    recovery_errors,
    service_errors,
    vault_errors,
)
from lambdas.domain.mailark_error import MailarkError

# --- what a person typed ----------------------------------------------------------------------------------


class InputInvalid(MailarkError):
    code = "input-invalid"
    sentence = "The input of {scenario} is not valid: {problem}."
    hint = "Start the execution again with an input such as {example}."


class EstateInvalid(MailarkError):
    code = "estate-invalid"
    sentence = "{file}, {key}: {problem}."
    hint = "Correct that line; docs/operating.md describes every key of the estate."


class BackupChoiceAmbiguous(MailarkError):
    code = "backup-choice-ambiguous"
    sentence = "Both backup_date and backup_id were given."
    hint = "Give one of them, or neither for the newest backup that is proved intact."


class NoBackupOnDate(MailarkError):
    code = "no-backup-on-date"
    sentence = "There is no {kind} backup of {date}."
    hint = "Dates with a backup that can be restored: {dates}."


class NoUsableBackup(MailarkError):
    code = "no-usable-backup"
    sentence = "No {kind} backup is proved intact."
    hint = (
        "Run {kind}_backup if the {kind} still works; otherwise name one with backup_id, "
        "or look in the other region's catalog."
    )


class BackupUnknown(MailarkError):
    code = "backup-unknown"
    sentence = "The catalog has no backup with the id {backup_id}."
    hint = "Newest ids of this kind: {known}."


class BackupOfOtherKind(MailarkError):
    code = "backup-of-other-kind"
    sentence = "{backup_id} is a backup of kind {found}, and this scenario restores {wanted}."
    hint = "Newest ids of the right kind: {known}."


# --- operations and leases --------------------------------------------------------------------------------


class TargetBusy(MailarkError):
    code = "target-busy"
    sentence = "{target} is being changed by {holder}, which started at {since}."
    hint = (
        "Wait for {execution} to end, or stop it if it hangs; then start yours again. If it waits for a person, "
        "`python -m lambdas.approvals list` names the approval, and `approve` or `refuse` decides it."
    )


class TargetSettling(MailarkError):
    code = "target-settling"
    sentence = "A function that {holder} started may still be changing {target}, until {until} at the latest."
    hint = "Start this again after that time; nothing else has to be done."


class LeaseLost(MailarkError):
    code = "lease-lost"
    sentence = "This operation no longer holds {target}: {holder} has taken it over."
    hint = "Follow the execution that took over; this one has stopped before changing anything more."


class StepTimedOut(MailarkError):
    code = "step-timed-out"
    sentence = "The step {state} did not end within its time limit."
    hint = (
        "What it started may still be running: look at the target before anything else. "
        "Then start the scenario again; every step finds what is done already."
    )


class StepFailed(MailarkError):
    code = "step-failed"
    sentence = "The step {state} could not be run ({error})."
    hint = "Read the execution's last event and the function's log; then start the scenario again."


class OperationTimedOut(MailarkError):
    code = "operation-timed-out"
    sentence = "{scenario} did not end within the time limit of its state machine."
    hint = "Look at the step it hung in, and at the target; then start the scenario again."


class OperationStopped(MailarkError):
    code = "operation-stopped"
    sentence = "{scenario} was stopped from outside before it ended."
    hint = "Find out who stopped it and why, look at the target, and start the scenario again if it is still needed."


class OperationUnknown(MailarkError):
    code = "operation-unknown"
    sentence = "No operation is recorded under the id {operation_id}."
    hint = "Start the scenario from its first state; single actions are not meant to be started by hand."


# --- backups and encryption -------------------------------------------------------------------------------

_NOT_COPIED = {
    "pre-restore": "Restore another backup: only nightly ones have a copy in the other region. "
    "What is left of this one is evidence.",
    "staging": "Give the staging Vault an empty disk, and start vault_restore_test again: "
    "it saves the empty state anew. What is left of this one is evidence.",
}
"""The hints for series that `copy_backup` is never run for."""


class ManifestMissing(MailarkError):
    code = "manifest-missing"
    sentence = "{backup_id} has no manifest at {key}."
    hint = "Restore another backup, or bring the manifest back from the other region's bucket."
    hints = _NOT_COPIED
    tampering = True


class ManifestInvalid(MailarkError):
    code = "manifest-invalid"
    sentence = "The manifest of {backup_id} is not what was signed: {problem}."
    hint = "Treat it as tampered with. Restore another backup, and tell the security team."
    tampering = True


class BackupMissing(MailarkError):
    code = "backup-missing"
    sentence = "The object of {backup_id} is not at {key}."
    hint = "Restore another backup, or bring the object back from the other region's bucket."
    hints = _NOT_COPIED
    tampering = True


class BackupMisplaced(MailarkError):
    code = "backup-misplaced"
    sentence = "The manifest at {key} belongs to {found}, not to {backup_id}."
    hint = "Treat it as tampered with. Restore another backup, and tell the security team."
    tampering = True


class BackupDamaged(MailarkError):
    code = "backup-damaged"
    sentence = "{backup_id} is damaged: {problem}."
    hint = "Restore another backup; this one stays where it is, as evidence. The other region's copy may be whole."
    hints = _NOT_COPIED
    tampering = True


class KeyUnusable(MailarkError):
    code = "key-unusable"
    sentence = "KMS does not let this function use {key}: {problem}."
    hint = (
        "Enable the key, or cancel its deletion, and check its policy; then start the execution again. "
        "Without KMS, docs/break-glass.md opens a backup with the offline key."
    )


class AwsUnavailable(MailarkError):
    code = "aws-unavailable"
    sentence = "AWS did not answer {request}: {problem}."
    hint = (
        "It was tried again for a while. Look at health.aws.amazon.com; then start the execution again, "
        "or in the other region."
    )
    transient = True


class CatalogIncomplete(MailarkError):
    code = "catalog-incomplete"
    sentence = "Of the manifests, {added} made a row, and {count} did not, first {first}."
    hint = "The others can be restored. Somebody may have changed these: look at their versions in the bucket."
    tampering = True


class BackupsVanished(MailarkError):
    code = "backups-vanished"
    sentence = "Of backups in the catalog, {count} are no longer whole in {bucket}, first {first}."
    hint = (
        "Find out in CloudTrail who deleted them, and copy back what the other region's bucket still has. "
        "Then delete their rows from the catalog and start catalog_rebuild; until then nothing is deleted there."
    )
    tampering = True


class LockNotSet(MailarkError):
    code = "lock-not-set"
    sentence = "S3 accepted the lock on {key} in {bucket}, and does not show it."
    hint = "Look whether Object Lock is on in that bucket; the backup itself is stored. Then start the backup again."


class StorageRefused(MailarkError):
    code = "storage-refused"
    sentence = "S3 refused {request} in {bucket}: {problem}."
    hint = (
        "Check the bucket, its policy and the role of this function; then start the execution again. "
        "Nothing half-written counts as a backup."
    )
    transient = True


class CopyNotProved(MailarkError):
    code = "copy-not-proved"
    sentence = "The copy of {backup_id} in {region} does not equal the original: {problem}."
    hint = "The backup in this region is good. Start vault_backup again once the other region answers."
    tampering = True


# --- the house itself -------------------------------------------------------------------------------------


class AuditConflict(MailarkError):
    code = "audit-conflict"
    sentence = "Event {event} could not be appended to {scope} after {attempts} attempts."
    hint = "Start the execution again; if it repeats, something else writes to the audit tables."
    transient = True


class HeartbeatNotSent(MailarkError):
    code = "heartbeat-not-sent"
    sentence = "The backup is good, but the monitor that expects a heartbeat did not take it: {problem}."
    hint = "Check heartbeat in the estate, and the monitor itself: it alerts when it hears nothing."


class AuditTrailBroken(MailarkError):
    code = "audit-trail-broken"
    sentence = "The audit trail is not what was written, found in {count} places: {first}."
    hint = (
        'Treat it as tampered with, and tell the security team. docs/operating.md, "The audit trail", says what is '
        "still certain, where the original events lie, and how to find who changed them."
    )
    tampering = True


class Unexpected(MailarkError):
    code = "unexpected"
    sentence = "{action} failed in a way that Mailark does not know: {problem}."
    hint = "Read the function's log at that time, where the traceback is; then start the execution again."


def all_errors() -> list[type[MailarkError]]:
    """Every class of failure, those of the database first."""
    return list(MailarkError.__subclasses__())


def is_tampering(code: str) -> bool:
    """Whether the failure with this code may be somebody's deed."""
    return any(error.code == code and error.tampering for error in all_errors())
