"""What every failure says, word for word, and that a program can read it back."""

import re
from collections import Counter
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.domain.backup import Series
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
    CanaryPathTaken,
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
    RestoreNotProved,
    SealKeyMismatch,
    SealKeyMissing,
    SealMismatch,
    SnapshotDamaged,
    StagingIsLive,
    StagingNotEmpty,
    StepFailed,
    StepTimedOut,
    StorageRefused,
    TargetBusy,
    TargetSettling,
    Unexpected,
    UnsealKeysNeeded,
    VaultChangedDuringBackup,
    VaultLeaderless,
    VaultLoginRefused,
    VaultLooksLost,
    VaultNodeBehind,
    VaultRequestFailed,
    VaultRestoreUnfinished,
    VaultSealed,
    VaultUninitialized,
    VaultUnreachable,
    all_errors,
    is_tampering,
)
from lambdas.domain.mailark_error import Failure, MailarkError
from lambdas.domain.service_errors import (
    ServiceControlRefused,
    ServiceControlUnreachable,
    ServicesNotStarted,
    ServicesNotStopped,
    ServicesUnhealthy,
    ServiceUnknown,
)
from tests.domain.approval_texts import APPROVAL_TEXTS
from tests.domain.database_texts import DATABASE_TEXTS
from tests.domain.recovery_texts import RECOVERY_TEXTS
from tests.domain.swap_texts import SWAP_TEXTS

TEXTS: list[tuple[MailarkError, str]] = [
    *APPROVAL_TEXTS,
    *SWAP_TEXTS,
    *DATABASE_TEXTS,
    *RECOVERY_TEXTS,
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
        VaultUnreachable(address="https://vault.example.org:8200", problem="connection refused"),
        "vault-unreachable: Vault at https://vault.example.org:8200 does not answer (connection refused).\n"
        "Next: Check that the server runs and that the estate names its address, network and CA; if it is "
        "lost, start an empty one with the generated configuration and run vault_restore.",
    ),
    (
        VaultSealed(address="https://vault.example.org:8200"),
        "vault-sealed: Vault at https://vault.example.org:8200 is sealed.\n"
        "Next: Restart it, so that it unseals with its KMS-wrapped key, and check that its host may decrypt "
        "that key; a Vault with Shamir keys needs them entered.",
    ),
    (
        VaultUninitialized(address="https://vault.example.org:8200"),
        "vault-uninitialized: Vault at https://vault.example.org:8200 has never been initialised.\n"
        "Next: Start it with the generated configuration, whose initialize block sets up the login; nobody "
        "types a key.",
    ),
    (
        VaultLeaderless(nodes="https://a:8200, https://b:8200"),
        "vault-leaderless: No node of Vault leads, and none names a leader that answers "
        "(asked: https://a:8200, https://b:8200).\n"
        "Next: Start the missing nodes, or restart all of them; a cluster of three needs two to elect a "
        "leader.",
    ),
    (
        VaultLoginRefused(address="https://vault.example.org:8200", duty="backup", mount="mailark-backup"),
        "vault-login-refused: Vault at https://vault.example.org:8200 refuses the login for the duty backup.\n"
        "Next: Paste the configuration that `python -m lambdas.vault_configuration` writes into this Vault: "
        "the login method mailark-backup, its key or its policy is missing or differs.",
    ),
    (
        VaultRequestFailed(
            address="https://vault.example.org:8200",
            status="500",
            request="GET sys/storage/raft/snapshot",
            duty="backup",
        ),
        "vault-request-failed: Vault at https://vault.example.org:8200 answered 500 to GET "
        "sys/storage/raft/snapshot.\n"
        "Next: Read Vault's own log at that time; the policy of the duty backup may lack this path.",
    ),
    (
        CanaryPathTaken(path="smtp/test-tenant-id/admin"),
        "canary-path-taken: The canary path smtp/test-tenant-id/admin holds a secret that Mailark did not "
        "write.\n"
        "Next: Set vault.canary in the estate to a path that nothing else uses; nothing has been overwritten.",
    ),
    (
        VaultChangedDuringBackup(backup_id="vault-snapshot-20261122T020000Z"),
        "vault-changed-during-backup: The canary written before the snapshot of "
        "vault-snapshot-20261122T020000Z was gone when the secrets were read.\n"
        "Next: Vault was restored or replaced while the backup ran; start vault_backup again.",
    ),
    (
        StagingIsLive(address="https://staging.example.org:8200", live="https://vault.example.org:8200"),
        "staging-is-live: The staging Vault https://staging.example.org:8200 is the live Vault "
        "https://vault.example.org:8200 under another name.\n"
        "Next: Nothing was changed. Name another Vault in vault.staging of the estate: a restore test overwrites it.",
    ),
    (
        StagingNotEmpty(address="https://staging.example.org:8200", count=1000),
        "staging-not-empty: The staging Vault https://staging.example.org:8200 holds 1000 secrets, and it cannot be "
        "shown that a restore test left them.\n"
        "Next: If they may go, give the staging Vault an empty disk; if not, name another Vault in vault.staging of "
        "the estate. Then start vault_restore_test again.",
    ),
    (
        VaultLooksLost(backup_id="vault-snapshot-20261122T020000Z", problem="3 secrets are left of 1000"),
        "vault-looks-lost: No backup was taken, since this Vault does not look like the one of "
        "vault-snapshot-20261122T020000Z: 3 secrets are left of 1000.\n"
        "Next: If Vault was emptied or replaced, start vault_restore. If this is meant, start vault_backup with "
        '{"reason": "...", "accept_loss": true}: its backup is then the newest.',
    ),
    (
        SnapshotDamaged(problem="it has no state.bin"),
        "snapshot-damaged: The snapshot stream is not a whole Vault snapshot: it has no state.bin.\n"
        "Next: Nothing was stored. Start vault_backup again; if it repeats, read Vault's log and its disk.",
    ),
    (
        SealKeyMissing(name="vault-seal-key/k1"),
        "seal-key-missing: No sealed key is stored under the name vault-seal-key/k1.\n"
        "Next: Run `python -m lambdas.vault_configuration`: it makes or asks for the missing key and seals "
        "it with KMS.",
    ),
    (
        SealMismatch(wanted="static", address="https://vault.example.org:8200", found="shamir"),
        "seal-mismatch: The snapshot was taken under a static seal, and Vault at "
        "https://vault.example.org:8200 runs under a shamir seal.\n"
        "Next: Start an empty Vault with the seal configuration of that backup, and run vault_restore again.",
    ),
    (
        SealKeyMismatch(address="https://vault.example.org:8200", key_id="k1"),
        "seal-key-mismatch: Vault at https://vault.example.org:8200 cannot open the snapshot with its seal "
        "key.\n"
        "Next: Start an empty Vault under the seal key k1, which that backup was taken under, and run this "
        "again.",
    ),
    (
        UnsealKeysNeeded(),
        "unseal-keys-needed: The snapshot comes from another cluster with a Shamir seal, so its unseal keys "
        "are needed.\n"
        "Next: Put them into the secret that vault.unseal_keys_secret in the estate names, and run this "
        "again.",
    ),
    (
        VaultRestoreUnfinished(address="https://vault.example.org:8200", seconds=300),
        "vault-restore-unfinished: Vault at https://vault.example.org:8200 accepted the snapshot but was not "
        "ready again after 300 s.\n"
        "Next: Read Vault's log and restart the node; then run vault_restore again, it starts from the "
        "beginning.",
    ),
    (
        VaultNodeBehind(node="https://b:8200", problem="it is sealed"),
        "vault-node-behind: Node https://b:8200 does not serve the restored data: it is sealed.\n"
        "Next: Restart that node, so that it takes the restored state over from the leader, and run this "
        "again.",
    ),
    (
        RestoreNotProved(
            backup_id="vault-snapshot-20261122T020000Z", problem="of 3 secrets, 1 missing (such as smtp/a/admin)"
        ),
        "restore-not-proved: The restored Vault does not equal vault-snapshot-20261122T020000Z: of 3 "
        "secrets, 1 missing (such as smtp/a/admin).\n"
        "Next: Do not use it yet. Run vault_restore with another backup_id, and keep this Vault's disk for "
        "inspection.",
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
        ServiceControlUnreachable(control="supervisord at https://app.example.org:9443", problem="no connection"),
        "service-control-unreachable: The control of the services, supervisord at https://app.example.org:9443, does "
        "not answer (no connection).\n"
        "Next: Check that it runs, and that the estate names it, its CA and its network; then start this again.",
    ),
    (
        ServiceControlRefused(
            control="supervisord at https://app.example.org:9443",
            request="stopProcess api:api",
            problem="the user name or the password is wrong",
        ),
        "service-control-refused: The control of the services, supervisord at https://app.example.org:9443, refused "
        "stopProcess api:api: the user name or the password is wrong.\n"
        "Next: For supervisord, put its current user name and password into the secret that the estate names. For "
        "SSM, check the role of this function, and Docker Compose in the host's directory.",
    ),
    (
        ServiceUnknown(control="SSM on i-0123456789abcdef0", name="smtp", known="api, db, smtp-receiver"),
        "service-unknown: The control of the services, SSM on i-0123456789abcdef0, has no service smtp.\n"
        "Next: Correct the names of the services in the estate, and deploy it; known there: api, db, smtp-receiver.",
    ),
    (
        ServicesNotStopped(services="api (stopping), given 120 s"),
        "services-not-stopped: Not all services have stopped: api (stopping), given 120 s.\n"
        "Next: Stop them on their host, by force if need be; then start this again, it finds them stopped.",
    ),
    (
        ServicesNotStarted(services="api (failed: Exited too quickly), given 300 s"),
        "services-not-started: Not all services have started: api (failed: Exited too quickly), given 300 s.\n"
        "Next: Read their logs on their host, and correct what they name; then start this again.",
    ),
    (
        ServicesUnhealthy(seconds="300", problem="https://api.example.org/health answered 503"),
        "services-unhealthy: The services run, and do not prove that they work within 300 s: "
        "https://api.example.org/health answered 503.\n"
        "Next: Read their logs: they may lack a login, a right or a table. Then start this again.",
    ),
    (
        Unexpected(action="verify_backup", problem="KeyError"),
        "unexpected: verify_backup failed in a way that Mailark does not know: KeyError.\n"
        "Next: Read the function's log at that time, where the traceback is; then start the execution again.",
    ),
]


def test_the_table_holds_every_failure_once() -> None:
    assert Counter(type(error) for error, _ in TEXTS) == Counter(all_errors())


@pytest.mark.parametrize(("error", "text"), TEXTS, ids=[error.code for error, _ in TEXTS])
def test_a_failure_says_what_happened_and_what_to_do_next(error: MailarkError, text: str) -> None:
    assert str(error) == text


@pytest.mark.parametrize(("error", "text"), TEXTS, ids=[error.code for error, _ in TEXTS])
def test_the_text_of_a_failure_can_be_read_back(error: MailarkError, text: str) -> None:
    first, second = text.split("\nNext: ")
    assert Failure.parse(text) == Failure(error.code, first.removeprefix(f"{error.code}: "), second)


BROKEN = (ManifestMissing, BackupMissing, BackupDamaged)
CURES: dict[Series, str] = {
    "pre-restore": "Restore another backup: only nightly ones have a copy in the other region. What is left of this "
    "one is evidence.",
    "staging": "Give the staging Vault an empty disk, and start vault_restore_test again: it saves the empty state "
    "anew. What is left of this one is evidence.",
}


@pytest.mark.parametrize("kind", BROKEN)
@pytest.mark.parametrize("series", CURES)
def test_what_has_no_copy_is_not_looked_for_in_the_other_region(kind: type[MailarkError], series: Series) -> None:
    failure = Failure.parse(str(kind(backup_id="b", key="k", problem="p", series=series)))
    assert failure is not None
    assert (failure.code, failure.hint) == (kind.code, CURES[series])


@pytest.mark.parametrize("kind", BROKEN)
def test_a_nightly_backup_has_a_copy_in_the_other_region(kind: type[MailarkError]) -> None:
    text = str(kind(backup_id="b", key="k", problem="p", series="daily"))
    assert text == str(kind(backup_id="b", key="k", problem="p"))
    assert "the other region's" in text.lower()


def test_another_hint_is_for_each_series_that_is_not_copied_and_for_these_failures_alone() -> None:
    assert {kind for kind in all_errors() if kind.hints} == set(BROKEN)
    assert all(set(kind.hints) == set(get_args(Series)) - {"daily"} for kind in BROKEN)


def test_a_code_names_one_failure_only() -> None:
    codes = [kind.code for kind in all_errors()]
    assert sorted(codes) == sorted(set(codes))


@pytest.mark.parametrize("kind", all_errors())
def test_a_code_is_words_in_lower_case_with_hyphens(kind: type[MailarkError]) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", kind.code)


@pytest.mark.parametrize("kind", all_errors())
def test_a_code_is_the_name_of_its_class(kind: type[MailarkError]) -> None:
    assert "".join(word.capitalize() for word in kind.code.split("-")) == kind.__name__


@pytest.mark.parametrize("kind", all_errors())
def test_what_happened_is_one_sentence(kind: type[MailarkError]) -> None:
    assert _sentences(kind.sentence) == 1
    assert kind.sentence.endswith(".")


@pytest.mark.parametrize("kind", all_errors())
def test_a_hint_is_one_sentence_or_two_and_ends_with_a_stop_or_a_fact(kind: type[MailarkError]) -> None:
    for hint in (kind.hint, *kind.hints.values()):
        assert _sentences(hint) in (1, 2)
        assert hint.endswith((".", "}"))


def test_the_security_contacts_hear_of_what_may_be_somebodys_deed() -> None:
    tampering = {kind.__name__ for kind in all_errors() if is_tampering(kind.code)}
    assert tampering == {
        *("ManifestMissing", "ManifestInvalid", "BackupMissing", "BackupMisplaced", "BackupDamaged", "CopyNotProved"),
        "AuditTrailBroken",
        "VaultLooksLost",
        "CatalogIncomplete",
        "BackupsVanished",
        "ApprovalNotDecided",
        *("DumpLooksLost", "DatabaseNotProved"),
    }
    assert not is_tampering("no-such-code")


def test_only_what_may_pass_by_itself_is_transient() -> None:
    transient = {kind.__name__ for kind in all_errors() if kind.transient}
    assert transient == {
        "VaultUnreachable",
        "VaultLeaderless",
        "SnapshotDamaged",
        "StorageRefused",
        "AuditConflict",
        "AwsUnavailable",
        "ServiceControlUnreachable",
        *("DatabaseUnreachable", "DumpDamaged"),
    }


@given(st.text(), st.text())
def test_a_fact_is_shown_as_it_is_whatever_it_holds(address: str, problem: str) -> None:
    text = str(VaultUnreachable(address=address, problem=problem))
    assert text.startswith(f"vault-unreachable: Vault at {address} does not answer ({problem}).\nNext: Check ")


def test_a_fact_of_several_lines_is_read_back_whole() -> None:
    error = VaultUnreachable(address="a", problem="one\ntwo: three")
    failure = Failure.parse(str(error))
    assert failure is not None
    assert failure.sentence == "Vault at a does not answer (one\ntwo: three)."


@pytest.mark.parametrize(
    "text",
    ["", "boom", "vault-sealed: Vault is sealed.", "Next: do it", "Traceback: a\nb", "Vault Sealed: x\nNext: y"],
)
def test_any_other_text_is_no_failure(text: str) -> None:
    assert Failure.parse(text) is None


def _sentences(text: str) -> int:
    """How many sentences a text has: a stop inside a path or a name ends none."""
    return len(re.findall(r"[.?!](?= |$)|(?<=})$", text))
