"""What each failure of inputs, operations, backups and the house says, word for word; `test_errors.py` holds it."""

from lambdas.domain.errors import (
    AuditConflict,
    AuditTrailBroken,
    AwsUnavailable,
    BackupChoiceAmbiguous,
    BackupDamaged,
    BackupMisplaced,
    BackupMissing,
    BackupOfOtherKind,
    BackupsVanished,
    BackupUnknown,
    CatalogIncomplete,
    CopyNotProved,
    EstateInvalid,
    HeartbeatNotSent,
    InputInvalid,
    KeyUnusable,
    LeaseLost,
    LockNotSet,
    ManifestInvalid,
    ManifestMissing,
    NoBackupOnDate,
    NoUsableBackup,
    OperationStopped,
    OperationTimedOut,
    OperationUnknown,
    StepFailed,
    StepTimedOut,
    StorageRefused,
    TargetBusy,
    TargetSettling,
    Unexpected,
)
from lambdas.domain.mailark_error import MailarkError

HOUSE_TEXTS: list[tuple[MailarkError, str]] = [
    (
        InputInvalid(
            scenario="vault_restore",
            problem="reason: this key is required and missing",
            example='{"reason": "Vault lost its disk"}',
        ),
        "input-invalid: The input of vault_restore is not valid: reason: this key is required and missing.\n"
        'Next: Start the execution again with an input such as {"reason": "Vault lost its disk"}.',
    ),
    (
        EstateInvalid(file="estate.yaml", key="vault.address", problem="this key is required and missing"),
        "estate-invalid: estate.yaml, vault.address: this key is required and missing.\n"
        "Next: Correct that line; docs/operating.md describes every key of the estate.",
    ),
    (
        BackupChoiceAmbiguous(),
        "backup-choice-ambiguous: Both backup_date and backup_id were given.\n"
        "Next: Give one of them, or neither for the newest backup that is proved intact.",
    ),
    (
        NoBackupOnDate(kind="vault", date="2026-11-22", dates="2026-11-21, 2026-11-20"),
        "no-backup-on-date: There is no vault backup of 2026-11-22.\n"
        "Next: Dates with a backup that can be restored: 2026-11-21, 2026-11-20.",
    ),
    (
        NoUsableBackup(kind="vault"),
        "no-usable-backup: No vault backup is proved intact.\n"
        "Next: Run vault_backup if the vault still works; otherwise name one with backup_id, or look in the "
        "other region's catalog.",
    ),
    (
        BackupUnknown(backup_id="vault-snapshot-20261122T020000Z", known="vault-snapshot-20261121T020000Z"),
        "backup-unknown: The catalog has no backup with the id vault-snapshot-20261122T020000Z.\n"
        "Next: Newest ids of this kind: vault-snapshot-20261121T020000Z.",
    ),
    (
        BackupOfOtherKind(
            backup_id="vault-snapshot-20261122T020000Z",
            found="database",
            wanted="vault",
            known="vault-snapshot-20261121T020000Z",
        ),
        "backup-of-other-kind: vault-snapshot-20261122T020000Z is a backup of kind database, and this "
        "scenario restores vault.\n"
        "Next: Newest ids of the right kind: vault-snapshot-20261121T020000Z.",
    ),
    (
        TargetBusy(
            target="vault",
            holder="op-1",
            since="2026-11-22T02:00:00+00:00",
            execution="arn:aws:states:eu-central-1:111122223333:execution:mailark-vault-restore:op-1",
        ),
        "target-busy: vault is being changed by op-1, which started at 2026-11-22T02:00:00+00:00.\n"
        "Next: Wait for arn:aws:states:eu-central-1:111122223333:execution:mailark-vault-restore:op-1 to end, "
        "or stop it if it hangs; then start yours again. If it waits for a person, `python -m lambdas.approvals list` "
        "names the approval, and `approve` or `refuse` decides it.",
    ),
    (
        TargetSettling(holder="op-1", target="vault", until="2026-11-22T02:15:00+00:00"),
        "target-settling: A function that op-1 started may still be changing vault, until "
        "2026-11-22T02:15:00+00:00 at the latest.\n"
        "Next: Start this again after that time; nothing else has to be done.",
    ),
    (
        LeaseLost(target="vault", holder="op-2"),
        "lease-lost: This operation no longer holds vault: op-2 has taken it over.\n"
        "Next: Follow the execution that took over; this one has stopped before changing anything more.",
    ),
    (
        StepTimedOut(state="VerifyBackup"),
        "step-timed-out: The step VerifyBackup did not end within its time limit.\n"
        "Next: What it started may still be running: look at the target before anything else. Then start the "
        "scenario again; every step finds what is done already.",
    ),
    (
        StepFailed(state="VerifyBackup", error="States.TaskFailed"),
        "step-failed: The step VerifyBackup could not be run (States.TaskFailed).\n"
        "Next: Read the execution's last event and the function's log; then start the scenario again.",
    ),
    (
        OperationTimedOut(scenario="vault_restore"),
        "operation-timed-out: vault_restore did not end within the time limit of its state machine.\n"
        "Next: Look at the step it hung in, and at the target; then start the scenario again.",
    ),
    (
        OperationStopped(scenario="vault_restore"),
        "operation-stopped: vault_restore was stopped from outside before it ended.\n"
        "Next: Find out who stopped it and why, look at the target, and start the scenario again if it is "
        "still needed.",
    ),
    (
        OperationUnknown(operation_id="op-1"),
        "operation-unknown: No operation is recorded under the id op-1.\n"
        "Next: Start the scenario from its first state; single actions are not meant to be started by hand.",
    ),
    (
        ManifestMissing(
            backup_id="vault-snapshot-20261122T020000Z",
            key="vault/daily/2026-11-22/vault-snapshot-20261122T020000Z.manifest.json",
        ),
        "manifest-missing: vault-snapshot-20261122T020000Z has no manifest at "
        "vault/daily/2026-11-22/vault-snapshot-20261122T020000Z.manifest.json.\n"
        "Next: Restore another backup, or bring the manifest back from the other region's bucket.",
    ),
    (
        ManifestInvalid(backup_id="vault-snapshot-20261122T020000Z", problem="it is not signed"),
        "manifest-invalid: The manifest of vault-snapshot-20261122T020000Z is not what was signed: it is not "
        "signed.\n"
        "Next: Treat it as tampered with. Restore another backup, and tell the security team.",
    ),
    (
        BackupMissing(
            backup_id="vault-snapshot-20261122T020000Z",
            key="vault/daily/2026-11-22/vault-snapshot-20261122T020000Z.enc",
        ),
        "backup-missing: The object of vault-snapshot-20261122T020000Z is not at "
        "vault/daily/2026-11-22/vault-snapshot-20261122T020000Z.enc.\n"
        "Next: Restore another backup, or bring the object back from the other region's bucket.",
    ),
    (
        BackupMisplaced(
            key="vault/daily/2026-11-22/vault-snapshot-20261122T020000Z.manifest.json",
            found="vault-snapshot-20261121T020000Z",
            backup_id="vault-snapshot-20261122T020000Z",
        ),
        "backup-misplaced: The manifest at "
        "vault/daily/2026-11-22/vault-snapshot-20261122T020000Z.manifest.json belongs to "
        "vault-snapshot-20261121T020000Z, not to vault-snapshot-20261122T020000Z.\n"
        "Next: Treat it as tampered with. Restore another backup, and tell the security team.",
    ),
    (
        BackupDamaged(
            backup_id="vault-snapshot-20261122T020000Z",
            problem="the stored object has 10 bytes, and its manifest says 11",
        ),
        "backup-damaged: vault-snapshot-20261122T020000Z is damaged: the stored object has 10 bytes, and its "
        "manifest says 11.\n"
        "Next: Restore another backup; this one stays where it is, as evidence. The other region's copy may "
        "be whole.",
    ),
    (
        KeyUnusable(key="alias/mailark-backup", problem="it is disabled"),
        "key-unusable: KMS does not let this function use alias/mailark-backup: it is disabled.\n"
        "Next: Enable the key, or cancel its deletion, and check its policy; then start the execution again. "
        "Without KMS, docs/break-glass.md opens a backup with the offline key.",
    ),
    (
        AwsUnavailable(request="GetParameter", problem="ThrottlingException"),
        "aws-unavailable: AWS did not answer GetParameter: ThrottlingException.\n"
        "Next: It was tried again for a while. Look at health.aws.amazon.com; then start the execution again, "
        "or in the other region.",
    ),
    (
        CatalogIncomplete(count=2, added=40, first="vault/x.manifest.json: its object is gone"),
        "catalog-incomplete: Of the manifests, 40 made a row, and 2 did not, first vault/x.manifest.json: "
        "its object is gone.\n"
        "Next: The others can be restored. Somebody may have changed these: look at their versions in the bucket.",
    ),
    (
        BackupsVanished(count=2, bucket="mailark-backups", first="vault-snapshot-20261101T020000Z"),
        "backups-vanished: Of backups in the catalog, 2 are no longer whole in mailark-backups, first "
        "vault-snapshot-20261101T020000Z.\n"
        "Next: Find out in CloudTrail who deleted them, and copy back what the other region's bucket still has. "
        "Then delete their rows from the catalog and start catalog_rebuild; until then nothing is deleted there.",
    ),
    (
        LockNotSet(key="vault/daily/2026-11-22/x.enc", bucket="mailark-backups"),
        "lock-not-set: S3 accepted the lock on vault/daily/2026-11-22/x.enc in mailark-backups, and does not show "
        "it.\n"
        "Next: Look whether Object Lock is on in that bucket; the backup itself is stored. Then start the backup "
        "again.",
    ),
    (
        StorageRefused(request="PutObject", bucket="mailark-backups", problem="AccessDenied"),
        "storage-refused: S3 refused PutObject in mailark-backups: AccessDenied.\n"
        "Next: Check the bucket, its policy and the role of this function; then start the execution again. "
        "Nothing half-written counts as a backup.",
    ),
    (
        CopyNotProved(
            backup_id="vault-snapshot-20261122T020000Z",
            region="eu-west-1",
            problem="the stored object has another SHA-256 than its manifest says",
        ),
        "copy-not-proved: The copy of vault-snapshot-20261122T020000Z in eu-west-1 does not equal the "
        "original: the stored object has another SHA-256 than its manifest says.\n"
        "Next: The backup in this region is good. Start vault_backup again once the other region answers.",
    ),
    (
        AuditConflict(event="operation_started", scope="platform#vault", attempts=12),
        "audit-conflict: Event operation_started could not be appended to platform#vault after 12 attempts.\n"
        "Next: Start the execution again; if it repeats, something else writes to the audit tables.",
    ),
    (
        HeartbeatNotSent(problem="it answered 404"),
        "heartbeat-not-sent: The backup is good, but the monitor that expects a heartbeat did not take it: "
        "it answered 404.\n"
        "Next: Check heartbeat in the estate, and the monitor itself: it alerts when it hears nothing.",
    ),
    (
        AuditTrailBroken(count=2, first="platform#vault: event 5 was changed; platform#vault: event 7 was changed"),
        "audit-trail-broken: The audit trail is not what was written, found in 2 places: platform#vault: event 5 was "
        "changed; platform#vault: event 7 was changed.\n"
        'Next: Treat it as tampered with, and tell the security team. docs/operating.md, "The audit trail", says what '
        "is still certain, where the original events lie, and how to find who changed them.",
    ),
    (
        Unexpected(action="verify_backup", problem="KeyError"),
        "unexpected: verify_backup failed in a way that Mailark does not know: KeyError.\n"
        "Next: Read the function's log at that time, where the traceback is; then start the execution again.",
    ),
]
"""Every failure of `errors.py`, in its order."""
