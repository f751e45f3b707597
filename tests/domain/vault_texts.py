"""What each failure of a Vault says, word for word; `test_errors.py` holds it."""

from lambdas.domain.mailark_error import MailarkError
from lambdas.domain.vault_errors import (
    CanaryPathTaken,
    RestoreNotProved,
    SealKeyMismatch,
    SealKeyMissing,
    SealMismatch,
    SnapshotDamaged,
    StagingIsLive,
    StagingNotEmpty,
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
)

VAULT_TEXTS: list[tuple[MailarkError, str]] = [
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
]
"""Every failure of `vault_errors.py`, in its order."""
