"""What can go wrong with a Vault, live or staging, its seal and its snapshots; the others stand in `errors.py`."""

from lambdas.domain.mailark_error import MailarkError


class VaultUnreachable(MailarkError):
    code = "vault-unreachable"
    sentence = "Vault at {address} does not answer ({problem})."
    hint = (
        "Check that the server runs and that the estate names its address, network and CA; "
        "if it is lost, start an empty one with the generated configuration and run vault_restore."
    )
    transient = True


class VaultSealed(MailarkError):
    code = "vault-sealed"
    sentence = "Vault at {address} is sealed."
    hint = (
        "Restart it, so that it unseals with its KMS-wrapped key, and check that its host may decrypt that key; "
        "a Vault with Shamir keys needs them entered."
    )


class VaultUninitialized(MailarkError):
    code = "vault-uninitialized"
    sentence = "Vault at {address} has never been initialised."
    hint = "Start it with the generated configuration, whose initialize block sets up the login; nobody types a key."


class VaultLeaderless(MailarkError):
    code = "vault-leaderless"
    sentence = "No node of Vault leads, and none names a leader that answers (asked: {nodes})."
    hint = "Start the missing nodes, or restart all of them; a cluster of three needs two to elect a leader."
    transient = True


class VaultLoginRefused(MailarkError):
    code = "vault-login-refused"
    sentence = "Vault at {address} refuses the login for the duty {duty}."
    hint = (
        "Paste the configuration that `python -m lambdas.vault_configuration` writes into this Vault: "
        "the login method {mount}, its key or its policy is missing or differs."
    )


class VaultRequestFailed(MailarkError):
    code = "vault-request-failed"
    sentence = "Vault at {address} answered {status} to {request}."
    hint = "Read Vault's own log at that time; the policy of the duty {duty} may lack this path."


class CanaryPathTaken(MailarkError):
    code = "canary-path-taken"
    sentence = "The canary path {path} holds a secret that Mailark did not write."
    hint = "Set vault.canary in the estate to a path that nothing else uses; nothing has been overwritten."


class VaultChangedDuringBackup(MailarkError):
    code = "vault-changed-during-backup"
    sentence = "The canary written before the snapshot of {backup_id} was gone when the secrets were read."
    hint = "Vault was restored or replaced while the backup ran; start vault_backup again."


class StagingIsLive(MailarkError):
    code = "staging-is-live"
    sentence = "The staging Vault {address} is the live Vault {live} under another name."
    hint = "Nothing was changed. Name another Vault in vault.staging of the estate: a restore test overwrites it."


class StagingNotEmpty(MailarkError):
    code = "staging-not-empty"
    sentence = (
        "The staging Vault {address} holds {count} secrets, and it cannot be shown that a restore test left them."
    )
    hint = (
        "If they may go, give the staging Vault an empty disk; if not, name another Vault in vault.staging of the "
        "estate. Then start vault_restore_test again."
    )


class VaultLooksLost(MailarkError):
    code = "vault-looks-lost"
    sentence = "No backup was taken, since this Vault does not look like the one of {backup_id}: {problem}."
    hint = (
        "If Vault was emptied or replaced, start vault_restore. If this is meant, start vault_backup with "
        '{{"reason": "...", "accept_loss": true}}: its backup is then the newest.'
    )
    tampering = True


class SnapshotDamaged(MailarkError):
    code = "snapshot-damaged"
    sentence = "The snapshot stream is not a whole Vault snapshot: {problem}."
    hint = "Nothing was stored. Start vault_backup again; if it repeats, read Vault's log and its disk."
    transient = True


class SealKeyMissing(MailarkError):
    code = "seal-key-missing"
    sentence = "No sealed key is stored under the name {name}."
    hint = "Run `python -m lambdas.vault_configuration`: it makes or asks for the missing key and seals it with KMS."


class SealMismatch(MailarkError):
    code = "seal-mismatch"
    sentence = "The snapshot was taken under a {wanted} seal, and Vault at {address} runs under a {found} seal."
    hint = "Start an empty Vault with the seal configuration of that backup, and run vault_restore again."


class SealKeyMismatch(MailarkError):
    code = "seal-key-mismatch"
    sentence = "Vault at {address} cannot open the snapshot with its seal key."
    hint = "Start an empty Vault under the seal key {key_id}, which that backup was taken under, and run this again."


class UnsealKeysNeeded(MailarkError):
    code = "unseal-keys-needed"
    sentence = "The snapshot comes from another cluster with a Shamir seal, so its unseal keys are needed."
    hint = "Put them into the secret that vault.unseal_keys_secret in the estate names, and run this again."


class VaultRestoreUnfinished(MailarkError):
    code = "vault-restore-unfinished"
    sentence = "Vault at {address} accepted the snapshot but was not ready again after {seconds} s."
    hint = "Read Vault's log and restart the node; then run vault_restore again, it starts from the beginning."


class VaultNodeBehind(MailarkError):
    code = "vault-node-behind"
    sentence = "Node {node} does not serve the restored data: {problem}."
    hint = "Restart that node, so that it takes the restored state over from the leader, and run this again."


class RestoreNotProved(MailarkError):
    code = "restore-not-proved"
    sentence = "The restored Vault does not equal {backup_id}: {problem}."
    hint = "Do not use it yet. Run vault_restore with another backup_id, and keep this Vault's disk for inspection."
