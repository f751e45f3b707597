"""Who may do what: every action's memory, time limit and permissions, in one table.

From it come both sides of each grant: the role of the function (`action.py`) and, for keys, the key's own policy
(`keys.py`). An action that is not in the table does not exist.
"""

from infra.credential_permissions import CREDENTIAL_ACTIONS
from infra.database_permissions import DATABASE_ACTIONS
from infra.detection_permissions import DETECTION_ACTIONS
from infra.grants import (
    ARCHIVING,
    AUDIT,
    BACKUP_LOGIN,
    CATALOG_LIST,
    CHAINING,
    EACH_EVENT,
    ESTATE,
    EXECUTION_DESCRIBED,
    EXECUTION_HISTORY,
    FAILURE,
    FINDING,
    INVENTORY_LOGIN,
    KINDS,
    LEASE,
    LOCKING,
    MANIFESTS_CHECKED,
    OBJECT_READING,
    OPENING,
    PRUNING,
    SEALED_KEYS_PARAMETERS,
    SEALING,
    SLIP_READ,
    STORING,
    WAKING,
    WORK_READ,
    WORK_WRITE,
    ActionSpec,
    manifests,
    objects,
    reading,
    status_kept,
)
from infra.uses import (
    BucketUse,
    CloudTrailUse,
    KeyUse,
    MetricUse,
    ObjectUse,
    ParameterUse,
    QueueUse,
    StreamUse,
    TableUse,
    TopicUse,
)
from lambdas.adapters.audit_trail import BY_EVENT

_HOUSE: dict[str, ActionSpec] = {
    "begin_operation": ActionSpec(
        512,
        60,
        [
            ESTATE,
            TableUse("operations", ("dynamodb:GetItem", "dynamodb:PutItem")),
            # It gives the lease back where the operation was ended before it could begin.
            TableUse("leases", ("dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem")),
            *AUDIT,
            EXECUTION_DESCRIBED,
        ],
    ),
    "complete_operation": ActionSpec(
        512,
        60,
        [
            ESTATE,
            TableUse("operations", ("dynamodb:GetItem", "dynamodb:UpdateItem")),
            LEASE,
            *AUDIT,
            EXECUTION_HISTORY,
        ],
    ),
    "fail_operation": ActionSpec(512, 60, FAILURE),
    "report_failed_execution": ActionSpec(
        512, 60, [*FAILURE, EXECUTION_DESCRIBED, TopicUse("operations"), TopicUse("security")]
    ),
    "open_approval": ActionSpec(
        512, 60, [ESTATE, TableUse("approvals", ("dynamodb:GetItem", "dynamodb:PutItem")), *AUDIT]
    ),
    "request_approval": ActionSpec(
        512,
        60,
        [
            TableUse("approvals", ("dynamodb:GetItem", "dynamodb:UpdateItem")),
            TopicUse("operations"),
            TopicUse("security"),
            WAKING,
        ],
    ),
    # Started by a person; what it is told is only where that person's own decision lies.
    "decide_approval": ActionSpec(
        512,
        60,
        [
            ESTATE,
            TableUse("approvals", ("dynamodb:GetItem", "dynamodb:UpdateItem")),
            SLIP_READ,
            CloudTrailUse(),
            EXECUTION_DESCRIBED,
            WAKING,
            *AUDIT,
        ],
    ),
    "close_approval": ActionSpec(
        512, 60, [TableUse("approvals", ("dynamodb:GetItem", "dynamodb:UpdateItem")), SLIP_READ, *AUDIT]
    ),
    "check_vault": ActionSpec(512, 60, [ESTATE, BACKUP_LOGIN], reaches_vault=True),
    "check_staging_vault": ActionSpec(512, 60, [ESTATE, BACKUP_LOGIN, CATALOG_LIST], reaches_vault=True),
    "plant_canary": ActionSpec(512, 60, [ESTATE, BACKUP_LOGIN, LEASE], reaches_vault=True),
    "list_vault_secrets": ActionSpec(1024, 300, [ESTATE, BACKUP_LOGIN, WORK_WRITE], reaches_vault=True),
    "take_vault_snapshot": ActionSpec(
        1769,
        900,
        [
            ESTATE,
            BACKUP_LOGIN,
            KeyUse("backup", SEALING, purpose="backup"),
            *objects(STORING, ["vault"]),
        ],
        reaches_vault=True,
    ),
    "read_vault_inventory": ActionSpec(
        1024,
        300,
        [
            ESTATE,
            INVENTORY_LOGIN,
            KeyUse("backup", SEALING, purpose="digest-key"),
            WORK_READ,
            WORK_WRITE,
        ],
        reaches_vault=True,
    ),
    "wrap_keys": ActionSpec(
        512,
        60,
        [
            ESTATE,
            ParameterUse(
                SEALED_KEYS_PARAMETERS, "Old seal keys stay in use as long as a snapshot needs them; all are sealed."
            ),
            KeyUse("seal", ("kms:Decrypt",), purpose="vault-seal-key"),
            KeyUse("escrow", ("kms:Decrypt",), purpose="platform-master-key"),
            KeyUse("backup", SEALING, purpose="backup-key"),
        ],
    ),
    "write_manifest": ActionSpec(
        1024,
        60,
        [
            KeyUse("evidence", ("kms:Sign",)),
            WORK_READ,
            *manifests(("s3:PutObject",), ["vault"]),
            TableUse("catalog", ("dynamodb:PutItem",)),
        ],
    ),
    "verify_backup": ActionSpec(
        1769,
        900,
        [
            *reading(*KINDS),
            *status_kept(*KINDS),
            KeyUse("backup", OPENING, purpose="backup"),
        ],
    ),
    "copy_backup": ActionSpec(
        1769,
        900,
        [
            ESTATE,
            *manifests(OBJECT_READING, missing=True),
            *objects(OBJECT_READING, missing=True),
            *status_kept(*KINDS),
            *manifests(("s3:PutObjectVersionTagging",), other=True),
            KeyUse("evidence", ("kms:Verify",), other=True),
            KeyUse("backup", OPENING, purpose="backup", other=True),
            *manifests((*OBJECT_READING, *STORING), missing=True, other=True),
            *objects((*OBJECT_READING, *STORING), missing=True, other=True),
            TableUse("catalog", ("dynamodb:PutItem",), other=True),
            *objects(LOCKING, other=True),
            *manifests(LOCKING, other=True),
        ],
    ),
    "lock_backup": ActionSpec(
        512, 60, [ESTATE, TableUse("catalog", ("dynamodb:GetItem",)), *objects(LOCKING), *manifests(LOCKING)]
    ),
    "apply_retention": ActionSpec(
        512,
        900,
        [
            ESTATE,
            LEASE,
            *(
                use
                for other in (False, True)
                for use in (
                    *objects(PRUNING, other=other),
                    *manifests(PRUNING, other=other),
                    BucketUse("backups", ("s3:ListBucketVersions", "s3:ListBucketMultipartUploads"), other=other),
                    # A backup whose writer died before the row is read, verified and given one.
                    *objects(OBJECT_READING, missing=True, other=other),
                    *manifests(FINDING, missing=True, other=other),
                    KeyUse("evidence", ("kms:Verify",), other=other),
                    TableUse("catalog", ("dynamodb:Scan", "dynamodb:PutItem", "dynamodb:DeleteItem"), other=other),
                )
            ),
            TableUse("leases", ("dynamodb:GetItem",), other=True),
            *AUDIT,
        ],
    ),
    "rebuild_catalog": ActionSpec(
        1769,
        900,
        [
            MANIFESTS_CHECKED,
            BucketUse("backups", ("s3:ListBucketVersions",)),
            *manifests(FINDING, missing=True),
            *objects(OBJECT_READING, missing=True),
            TableUse("catalog", ("dynamodb:PutItem",)),
        ],
    ),
    # Outside of the estate's network, as a monitor is: nothing of that network has to work for it.
    "send_heartbeat": ActionSpec(512, 90, [ESTATE, CATALOG_LIST]),
    "measure_ages": ActionSpec(
        512,
        60,
        [ESTATE, CATALOG_LIST, TableUse("audit-events", ("dynamodb:Query",), index=BY_EVENT), MetricUse()],
    ),
    "choose_backup": ActionSpec(512, 60, [CATALOG_LIST]),
    "compare_with_last_backup": ActionSpec(512, 60, [CATALOG_LIST]),
    "restore_vault_snapshot": ActionSpec(
        1769,
        900,
        [
            ESTATE,
            KeyUse("vault-restore", ("kms:Sign",)),
            KeyUse("backup", OPENING, purpose="backup"),
            *reading("vault"),
            *status_kept("vault"),
            LEASE,
        ],
        reaches_vault=True,
    ),
    "verify_vault": ActionSpec(
        1024,
        300,
        [
            ESTATE,
            MANIFESTS_CHECKED,
            INVENTORY_LOGIN,
            KeyUse("backup", OPENING, purpose="digest-key"),
            *manifests(OBJECT_READING, ["vault"], missing=True),
            *status_kept("vault"),
        ],
        reaches_vault=True,
    ),
    "chain_spooled_events": ActionSpec(
        512,
        300,
        [
            *CHAINING,
            BucketUse("audit", ("s3:ListBucketVersions",)),
            ObjectUse("audit", ("s3:GetObjectVersion",), "spool/*", EACH_EVENT),
            ObjectUse("audit", ("s3:PutObject",), "chained/*", EACH_EVENT, missing=True),
        ],
    ),
    "sign_audit_heads": ActionSpec(
        512,
        300,
        [
            TableUse("audit-heads", ("dynamodb:Scan",)),
            TableUse("audit-events", ("dynamodb:Query",)),
            *ARCHIVING,
            BucketUse("audit", ("s3:ListBucketVersions",)),
            ObjectUse("audit", ("s3:GetObjectVersion", "s3:PutObject"), "heads/*", EACH_EVENT),
            KeyUse("evidence", ("kms:GetPublicKey", "kms:Sign")),
        ],
    ),
    "archive_audit_events": ActionSpec(
        512,
        60,
        [*ARCHIVING, StreamUse("audit-events"), QueueUse("undelivered-events"), TopicUse("security")],
    ),
    "verify_audit_trail": ActionSpec(
        1024,
        900,
        [
            TableUse("audit-heads", ("dynamodb:GetItem", "dynamodb:Scan")),
            TableUse("audit-events", ("dynamodb:GetItem", "dynamodb:Query")),
            BucketUse("audit", ("s3:ListBucketVersions",)),
            ObjectUse("audit", ("s3:GetObjectVersion",), "heads/*", EACH_EVENT),
            ObjectUse("audit", ("s3:GetObjectVersion",), "spool/*", EACH_EVENT),
            KeyUse("evidence", ("kms:GetPublicKey",)),
        ],
    ),
}

ACTIONS: dict[str, ActionSpec] = _HOUSE | DATABASE_ACTIONS | CREDENTIAL_ACTIONS | DETECTION_ACTIONS
