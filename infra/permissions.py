"""Who may do what: every action's memory, time limit and permissions, in one table.

From it come both sides of each grant: the role of the function (`action.py`) and, for keys, the key's own policy
(`keys.py`). An action that is not in the table does not exist.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from infra.uses import (
    BucketUse,
    ExecutionUse,
    KeyUse,
    MetricUse,
    ObjectUse,
    ParameterUse,
    QueueUse,
    StreamUse,
    TableUse,
    TopicUse,
    Use,
)
from lambdas.adapters.audit_trail import BY_EVENT

ESTATE_PARAMETER = "/mailark/estate"
SEALED_KEYS_PARAMETERS = "/mailark/sealed-keys/*"


@dataclass(frozen=True)
class ActionSpec:
    """One action: memory in MiB (CPU comes with it), time limit in seconds, what it may use, whom it calls.

    `reaches_vault` puts the function into the estate's network, where there is one.
    """

    memory: int
    seconds: int
    uses: Sequence[Use]
    reaches_vault: bool = False


_ESTATE = ParameterUse(ESTATE_PARAMETER)
_EACH_EVENT = "Each event of the audit trail has a key of its own, and each hour's signed heads have one."
_CHAINING: list[Use] = [
    TableUse("audit-events", ("dynamodb:PutItem",), in_transaction=True),
    TableUse("audit-heads", ("dynamodb:PutItem",), in_transaction=True),
    TableUse("audit-heads", ("dynamodb:GetItem",)),
]
_AUDIT: list[Use] = [*_CHAINING, ObjectUse("audit", ("s3:PutObject",), "spool/*", _EACH_EVENT)]
_ARCHIVING: list[Use] = [ObjectUse("audit", ("s3:GetObject", "s3:PutObject"), "events/*", _EACH_EVENT)]
_EACH_EXECUTION = "An execution gets its name when it starts; only those of Mailark's own state machines are readable."
_EXECUTION_DESCRIBED = ExecutionUse(("states:DescribeExecution",), _EACH_EXECUTION)
_EXECUTION_HISTORY = ExecutionUse(("states:GetExecutionHistory",), _EACH_EXECUTION)
_EACH_BACKUP = "Each backup has a key of its own, made of its date; the pattern matches backups of Vault only."
_EACH_OPERATION = "Each operation has a folder of its own in the work bucket, named after its execution."
_WORK_READ = ObjectUse("work", ("s3:GetObject",), "*", _EACH_OPERATION)
_WORK_WRITE = ObjectUse("work", ("s3:PutObject",), "*", _EACH_OPERATION)
_LEASE = TableUse("leases", ("dynamodb:GetItem", "dynamodb:UpdateItem"))
_BACKUP_LOGIN = KeyUse("vault-backup", ("kms:Sign",))
_INVENTORY_LOGIN = KeyUse("vault-inventory", ("kms:Sign",))
_CATALOG_LIST = TableUse("catalog", ("dynamodb:Scan",))
_CATALOG_RAISE = TableUse("catalog", ("dynamodb:GetItem", "dynamodb:UpdateItem"))
_SEALING = ("kms:GenerateDataKey", "kms:DescribeKey")
_OPENING = ("kms:Decrypt", "kms:DescribeKey")
_OBJECTS, _MANIFESTS = "vault/*.enc", "vault/*.manifest.json"
_OBJECT_READING = ("s3:GetObject", "s3:GetObjectVersion")
_FINDING = (*_OBJECT_READING, "s3:GetObjectVersionTagging")
_STORING = ("s3:PutObject", "s3:AbortMultipartUpload")
_OBJECT_READ = ObjectUse("backups", _OBJECT_READING, _OBJECTS, _EACH_BACKUP, missing=True)
_MANIFEST_READ = ObjectUse("backups", _OBJECT_READING, _MANIFESTS, _EACH_BACKUP, missing=True)
_STATUS_KEPT = ObjectUse("backups", ("s3:PutObjectVersionTagging",), _MANIFESTS, _EACH_BACKUP)
_MANIFESTS_CHECKED = KeyUse("evidence", ("kms:Verify",))
_LOCKING = ("s3:GetObjectRetention", "s3:PutObjectRetention")
_LOCKS = [ObjectUse("backups", _LOCKING, pattern, _EACH_BACKUP) for pattern in (_OBJECTS, _MANIFESTS)]
_LOCKS_THERE = [ObjectUse("backups", _LOCKING, pattern, _EACH_BACKUP, other=True) for pattern in (_OBJECTS, _MANIFESTS)]
_PRUNING = (*_LOCKING, "s3:DeleteObjectVersion", "s3:AbortMultipartUpload")
_FAILURE: list[Use] = [
    # An operation that BeginOperation could not record is put there; the catalog tells how to go back.
    TableUse("operations", ("dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem")),
    _LEASE,
    _CATALOG_LIST,
    *_AUDIT,
]

ACTIONS: dict[str, ActionSpec] = {
    "begin_operation": ActionSpec(
        512,
        60,
        [
            _ESTATE,
            TableUse("operations", ("dynamodb:GetItem", "dynamodb:PutItem")),
            # It gives the lease back where the operation was ended before it could begin.
            TableUse("leases", ("dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem")),
            *_AUDIT,
            _EXECUTION_DESCRIBED,
        ],
    ),
    "complete_operation": ActionSpec(
        512,
        60,
        [
            _ESTATE,
            TableUse("operations", ("dynamodb:GetItem", "dynamodb:UpdateItem")),
            _LEASE,
            *_AUDIT,
            _EXECUTION_HISTORY,
        ],
    ),
    "fail_operation": ActionSpec(512, 60, _FAILURE),
    "report_failed_execution": ActionSpec(
        512, 60, [*_FAILURE, _EXECUTION_DESCRIBED, TopicUse("operations"), TopicUse("security")]
    ),
    "check_vault": ActionSpec(512, 60, [_ESTATE, _BACKUP_LOGIN], reaches_vault=True),
    "check_staging_vault": ActionSpec(512, 60, [_ESTATE, _BACKUP_LOGIN, _CATALOG_LIST], reaches_vault=True),
    "plant_canary": ActionSpec(512, 60, [_ESTATE, _BACKUP_LOGIN, _LEASE], reaches_vault=True),
    "list_vault_secrets": ActionSpec(1024, 300, [_ESTATE, _BACKUP_LOGIN, _WORK_WRITE], reaches_vault=True),
    "take_vault_snapshot": ActionSpec(
        1769,
        900,
        [
            _ESTATE,
            _BACKUP_LOGIN,
            KeyUse("backup", _SEALING, purpose="backup"),
            ObjectUse("backups", _STORING, _OBJECTS, _EACH_BACKUP),
        ],
        reaches_vault=True,
    ),
    "read_vault_inventory": ActionSpec(
        1024,
        300,
        [
            _ESTATE,
            _INVENTORY_LOGIN,
            KeyUse("backup", _SEALING, purpose="digest-key"),
            _WORK_READ,
            _WORK_WRITE,
        ],
        reaches_vault=True,
    ),
    "wrap_keys": ActionSpec(
        512,
        60,
        [
            _ESTATE,
            ParameterUse(
                SEALED_KEYS_PARAMETERS, "Old seal keys stay in use as long as a snapshot needs them; all are sealed."
            ),
            KeyUse("seal", ("kms:Decrypt",), purpose="vault-seal-key"),
            KeyUse("escrow", ("kms:Decrypt",), purpose="platform-master-key"),
            KeyUse("backup", _SEALING, purpose="backup-key"),
        ],
    ),
    "write_manifest": ActionSpec(
        1024,
        60,
        [
            KeyUse("evidence", ("kms:Sign",)),
            _WORK_READ,
            ObjectUse("backups", ("s3:PutObject",), _MANIFESTS, _EACH_BACKUP),
            TableUse("catalog", ("dynamodb:PutItem",)),
        ],
    ),
    "verify_backup": ActionSpec(
        1769,
        900,
        [
            _MANIFESTS_CHECKED,
            KeyUse("backup", _OPENING, purpose="backup"),
            _MANIFEST_READ,
            _OBJECT_READ,
            _CATALOG_RAISE,
            _STATUS_KEPT,
        ],
    ),
    "copy_backup": ActionSpec(
        1769,
        900,
        [
            _ESTATE,
            _MANIFEST_READ,
            _OBJECT_READ,
            _CATALOG_RAISE,
            _STATUS_KEPT,
            ObjectUse("backups", ("s3:PutObjectVersionTagging",), _MANIFESTS, _EACH_BACKUP, other=True),
            KeyUse("evidence", ("kms:Verify",), other=True),
            KeyUse("backup", _OPENING, purpose="backup", other=True),
            ObjectUse("backups", (*_OBJECT_READING, *_STORING), _MANIFESTS, _EACH_BACKUP, missing=True, other=True),
            ObjectUse("backups", (*_OBJECT_READING, *_STORING), _OBJECTS, _EACH_BACKUP, missing=True, other=True),
            TableUse("catalog", ("dynamodb:PutItem",), other=True),
            *_LOCKS_THERE,
        ],
    ),
    "lock_backup": ActionSpec(512, 60, [_ESTATE, TableUse("catalog", ("dynamodb:GetItem",)), *_LOCKS]),
    "apply_retention": ActionSpec(
        512,
        900,
        [
            _ESTATE,
            _LEASE,
            *(
                use
                for other in (False, True)
                for use in (
                    ObjectUse("backups", _PRUNING, _OBJECTS, _EACH_BACKUP, other=other),
                    ObjectUse("backups", _PRUNING, _MANIFESTS, _EACH_BACKUP, other=other),
                    BucketUse("backups", ("s3:ListBucketVersions", "s3:ListBucketMultipartUploads"), other=other),
                    # A backup whose writer died before the row is read, verified and given one.
                    ObjectUse("backups", _OBJECT_READING, _OBJECTS, _EACH_BACKUP, missing=True, other=other),
                    ObjectUse("backups", _FINDING, _MANIFESTS, _EACH_BACKUP, missing=True, other=other),
                    KeyUse("evidence", ("kms:Verify",), other=other),
                    TableUse("catalog", ("dynamodb:Scan", "dynamodb:PutItem", "dynamodb:DeleteItem"), other=other),
                )
            ),
            TableUse("leases", ("dynamodb:GetItem",), other=True),
            *_AUDIT,
        ],
    ),
    "rebuild_catalog": ActionSpec(
        1769,
        900,
        [
            _MANIFESTS_CHECKED,
            BucketUse("backups", ("s3:ListBucketVersions",)),
            ObjectUse("backups", _FINDING, _MANIFESTS, _EACH_BACKUP, missing=True),
            _OBJECT_READ,
            TableUse("catalog", ("dynamodb:PutItem",)),
        ],
    ),
    # Outside of the estate's network, as a monitor is: nothing of that network has to work for it.
    "send_heartbeat": ActionSpec(512, 90, [_ESTATE]),
    "measure_ages": ActionSpec(
        512,
        60,
        [_ESTATE, _CATALOG_LIST, TableUse("audit-events", ("dynamodb:Query",), index=BY_EVENT), MetricUse()],
    ),
    "choose_backup": ActionSpec(512, 60, [_CATALOG_LIST]),
    "compare_with_last_backup": ActionSpec(512, 60, [_CATALOG_LIST]),
    "restore_vault_snapshot": ActionSpec(
        1769,
        900,
        [
            _ESTATE,
            _MANIFESTS_CHECKED,
            KeyUse("vault-restore", ("kms:Sign",)),
            KeyUse("backup", _OPENING, purpose="backup"),
            _MANIFEST_READ,
            _OBJECT_READ,
            _CATALOG_RAISE,
            _STATUS_KEPT,
            _LEASE,
        ],
        reaches_vault=True,
    ),
    "verify_vault": ActionSpec(
        1024,
        300,
        [
            _ESTATE,
            _MANIFESTS_CHECKED,
            _INVENTORY_LOGIN,
            KeyUse("backup", _OPENING, purpose="digest-key"),
            _MANIFEST_READ,
            _CATALOG_RAISE,
            _STATUS_KEPT,
        ],
        reaches_vault=True,
    ),
    "chain_spooled_events": ActionSpec(
        512,
        300,
        [
            *_CHAINING,
            BucketUse("audit", ("s3:ListBucketVersions",)),
            ObjectUse("audit", ("s3:GetObjectVersion",), "spool/*", _EACH_EVENT),
            ObjectUse("audit", ("s3:PutObject",), "chained/*", _EACH_EVENT, missing=True),
        ],
    ),
    "sign_audit_heads": ActionSpec(
        512,
        300,
        [
            TableUse("audit-heads", ("dynamodb:Scan",)),
            TableUse("audit-events", ("dynamodb:Query",)),
            *_ARCHIVING,
            BucketUse("audit", ("s3:ListBucketVersions",)),
            ObjectUse("audit", ("s3:GetObjectVersion", "s3:PutObject"), "heads/*", _EACH_EVENT),
            KeyUse("evidence", ("kms:GetPublicKey", "kms:Sign")),
        ],
    ),
    "archive_audit_events": ActionSpec(
        512,
        60,
        [*_ARCHIVING, StreamUse("audit-events"), QueueUse("undelivered-events"), TopicUse("security")],
    ),
    "verify_audit_trail": ActionSpec(
        1024,
        900,
        [
            TableUse("audit-heads", ("dynamodb:GetItem", "dynamodb:Scan")),
            TableUse("audit-events", ("dynamodb:GetItem", "dynamodb:Query")),
            BucketUse("audit", ("s3:ListBucketVersions",)),
            ObjectUse("audit", ("s3:GetObjectVersion",), "heads/*", _EACH_EVENT),
            ObjectUse("audit", ("s3:GetObjectVersion",), "spool/*", _EACH_EVENT),
            KeyUse("evidence", ("kms:GetPublicKey",)),
        ],
    ),
}
