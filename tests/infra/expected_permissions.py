"""Who may do what, word for word: whoever widens a permission has to widen it here too, where a reviewer sees it.

A line is an IAM action, what it is allowed on, and the condition it is bound to. What every function may do besides
is write its own log. `in the other region` is the standby for the primary, and the primary for the standby.
"""

from dataclasses import dataclass

ACTIONS: dict[str, list[str]] = {
    "begin_operation": [
        "dynamodb:GetItem audit-heads",
        "dynamodb:GetItem leases",
        "dynamodb:GetItem operations",
        "dynamodb:PutItem audit-events in a transaction",
        "dynamodb:PutItem audit-heads in a transaction",
        "dynamodb:PutItem leases",
        "dynamodb:PutItem operations",
        "ssm:GetParameter /mailark/estate",
        "states:DescribeExecution mailark-*:*",
    ],
    "complete_operation": [
        "dynamodb:GetItem audit-heads",
        "dynamodb:GetItem leases",
        "dynamodb:PutItem audit-events in a transaction",
        "dynamodb:PutItem audit-heads in a transaction",
        "dynamodb:UpdateItem leases",
        "dynamodb:UpdateItem operations",
        "ssm:GetParameter /mailark/estate",
        "states:GetExecutionHistory mailark-*:*",
    ],
    "fail_operation": [
        "dynamodb:GetItem audit-heads",
        "dynamodb:GetItem leases",
        "dynamodb:GetItem operations",
        "dynamodb:PutItem audit-events in a transaction",
        "dynamodb:PutItem audit-heads in a transaction",
        "dynamodb:PutItem operations",
        "dynamodb:Scan catalog",
        "dynamodb:UpdateItem leases",
        "dynamodb:UpdateItem operations",
    ],
    "report_failed_execution": [
        "dynamodb:GetItem audit-heads",
        "dynamodb:GetItem leases",
        "dynamodb:GetItem operations",
        "dynamodb:PutItem audit-events in a transaction",
        "dynamodb:PutItem audit-heads in a transaction",
        "dynamodb:PutItem operations",
        "dynamodb:Scan catalog",
        "dynamodb:UpdateItem leases",
        "dynamodb:UpdateItem operations",
        "sns:Publish operations",
        "sns:Publish security",
        "states:DescribeExecution mailark-*:*",
    ],
    "check_vault": [
        "kms:Sign vault-backup",
        "ssm:GetParameter /mailark/estate",
    ],
    "plant_canary": [
        "dynamodb:GetItem leases",
        "dynamodb:UpdateItem leases",
        "kms:Sign vault-backup",
        "ssm:GetParameter /mailark/estate",
    ],
    "list_vault_secrets": [
        "kms:Sign vault-backup",
        "s3:PutObject work/*",
        "ssm:GetParameter /mailark/estate",
    ],
    "take_vault_snapshot": [
        "kms:DescribeKey backup",
        "kms:GenerateDataKey backup for backup",
        "kms:Sign vault-backup",
        "s3:AbortMultipartUpload backups/vault/*.enc",
        "s3:PutObject backups/vault/*.enc",
        "ssm:GetParameter /mailark/estate",
    ],
    "read_vault_inventory": [
        "kms:DescribeKey backup",
        "kms:GenerateDataKey backup for digest-key",
        "kms:Sign vault-inventory",
        "s3:GetObject work/*",
        "s3:PutObject work/*",
        "ssm:GetParameter /mailark/estate",
    ],
    "wrap_keys": [
        "kms:Decrypt escrow for platform-master-key",
        "kms:Decrypt seal for vault-seal-key",
        "kms:DescribeKey backup",
        "kms:GenerateDataKey backup for backup-key",
        "ssm:GetParameter /mailark/estate",
        "ssm:GetParameter /mailark/sealed-keys/*",
    ],
    "write_manifest": [
        "dynamodb:PutItem catalog",
        "kms:Sign evidence",
        "s3:GetObject work/*",
        "s3:PutObject backups/vault/*.manifest.json",
    ],
    "verify_backup": [
        "dynamodb:GetItem catalog",
        "dynamodb:UpdateItem catalog",
        "kms:Decrypt backup for backup",
        "kms:DescribeKey backup",
        "kms:Verify evidence",
        "s3:GetObject backups/vault/*.enc",
        "s3:GetObject backups/vault/*.manifest.json",
        "s3:GetObjectVersion backups/vault/*.enc",
        "s3:ListBucket backups under vault/*",
    ],
    "copy_backup": [
        "dynamodb:GetItem catalog",
        "dynamodb:PutItem catalog in the other region",
        "dynamodb:UpdateItem catalog",
        "kms:Decrypt backup in the other region for backup",
        "kms:DescribeKey backup in the other region",
        "kms:Verify evidence in the other region",
        "s3:AbortMultipartUpload backups/vault/*.enc in the other region",
        "s3:AbortMultipartUpload backups/vault/*.manifest.json in the other region",
        "s3:GetObject backups/vault/*.enc",
        "s3:GetObject backups/vault/*.enc in the other region",
        "s3:GetObject backups/vault/*.manifest.json",
        "s3:GetObject backups/vault/*.manifest.json in the other region",
        "s3:GetObjectVersion backups/vault/*.enc",
        "s3:GetObjectVersion backups/vault/*.enc in the other region",
        "s3:ListBucket backups in the other region under vault/*",
        "s3:ListBucket backups under vault/*",
        "s3:PutObject backups/vault/*.enc in the other region",
        "s3:PutObject backups/vault/*.manifest.json in the other region",
        "ssm:GetParameter /mailark/estate",
    ],
    "choose_backup": [
        "dynamodb:Scan catalog",
    ],
    "compare_with_last_backup": [
        "dynamodb:Scan catalog",
    ],
    "restore_vault_snapshot": [
        "dynamodb:GetItem catalog",
        "dynamodb:GetItem leases",
        "dynamodb:UpdateItem leases",
        "kms:Decrypt backup for backup",
        "kms:DescribeKey backup",
        "kms:Sign vault-restore",
        "kms:Verify evidence",
        "s3:GetObject backups/vault/*.enc",
        "s3:GetObject backups/vault/*.manifest.json",
        "s3:GetObjectVersion backups/vault/*.enc",
        "s3:ListBucket backups under vault/*",
        "ssm:GetParameter /mailark/estate",
    ],
    "verify_vault": [
        "dynamodb:GetItem catalog",
        "dynamodb:UpdateItem catalog",
        "kms:Decrypt backup for digest-key",
        "kms:DescribeKey backup",
        "kms:Sign vault-inventory",
        "kms:Verify evidence",
        "s3:GetObject backups/vault/*.manifest.json",
        "s3:ListBucket backups under vault/*",
        "ssm:GetParameter /mailark/estate",
    ],
}


@dataclass(frozen=True)
class Wildcard:
    """A resource with a wildcard that may stand, for these IAM actions only."""

    resource: str
    actions: frozenset[str]
    reason: str


WILDCARDS = [
    Wildcard(
        "mailark-*:*",
        frozenset({"states:DescribeExecution", "states:GetExecutionHistory"}),
        "An execution gets its name when it starts; the prefix holds those of Mailark's own machines only.",
    ),
    Wildcard(
        "/mailark/sealed-keys/*",
        frozenset({"ssm:GetParameter"}),
        "Old seal keys are kept as long as a snapshot needs them, and each is sealed by KMS.",
    ),
    Wildcard(
        "backups/vault/*.enc",
        frozenset({"s3:GetObject", "s3:GetObjectVersion", "s3:PutObject", "s3:AbortMultipartUpload"}),
        "A backup's key is made of its date; the pattern matches the objects of Vault's backups only.",
    ),
    Wildcard(
        "backups/vault/*.manifest.json",
        frozenset({"s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"}),
        "A backup's key is made of its date; the pattern matches the manifests of Vault's backups only.",
    ),
    Wildcard(
        "work/*",
        frozenset({"s3:GetObject", "s3:PutObject"}),
        "Each operation has a folder of its own, named after its execution.",
    ),
    Wildcard(
        "*",
        frozenset(
            {
                "logs:CreateLogDelivery",
                "logs:DeleteLogDelivery",
                "logs:DescribeLogGroups",
                "logs:DescribeResourcePolicies",
                "logs:GetLogDelivery",
                "logs:ListLogDeliveries",
                "logs:PutResourcePolicy",
                "logs:UpdateLogDelivery",
                "xray:GetSamplingRules",
                "xray:GetSamplingTargets",
                "xray:PutTelemetryRecords",
                "xray:PutTraceSegments",
            }
        ),
        "A state machine's log delivery and its tracing take no resource (Step Functions guide, CloudWatch Logs).",
    ),
]
"""Every resource with a wildcard that any role is granted anything on."""
