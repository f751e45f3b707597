"""Who may do what: every action's memory, time limit and permissions, in one table.

From it come both sides of each grant: the role of the function (`action.py`) and, for keys, the key's own policy
(`keys.py`). An action that is not in the table does not exist.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from aws_cdk import aws_iam as iam

from infra.names import Names

ESTATE_PARAMETER = "/mailark/estate"
SEALED_KEYS_PARAMETERS = "/mailark/sealed-keys/*"


@dataclass(frozen=True)
class Region:
    """What a permission is about: this region's names, and the other's for what is copied there."""

    here: Names
    other: Names


@dataclass(frozen=True)
class KeyUse:
    """Use of a KMS key. A `purpose` binds it to one encryption context; `other` means the replica there."""

    key: str
    operations: Sequence[str]
    purpose: str | None = None
    other: bool = False

    def statements(self, region: Region) -> list[iam.PolicyStatement]:
        names = region.other if self.other else region.here
        crypto = [name for name in self.operations if name != "kms:DescribeKey"]
        condition = {"StringEquals": {"kms:EncryptionContext:purpose": self.purpose}} if self.purpose else {}
        found = [iam.PolicyStatement(actions=crypto, resources=[names.key_arn(self.key)], conditions=condition)]
        if "kms:DescribeKey" in self.operations:
            found.append(iam.PolicyStatement(actions=["kms:DescribeKey"], resources=[names.key_arn(self.key)]))
        return found

    def environment(self, region: Region) -> dict[str, str]:
        names, prefix = (region.other, "OTHER_") if self.other else (region.here, "")
        return {f"{prefix}{self.key.upper().replace('-', '_')}_KEY": names.key_arn(self.key)}


@dataclass(frozen=True)
class TableUse:
    """Use of a table. `in_transaction` allows the operations only inside a transaction."""

    table: str
    operations: Sequence[str]
    in_transaction: bool = False
    other: bool = False

    def statements(self, region: Region) -> list[iam.PolicyStatement]:
        names = region.other if self.other else region.here
        condition = (
            {"ForAnyValue:StringEquals": {"dynamodb:EnclosingOperation": ["TransactWriteItems"]}}
            if self.in_transaction
            else {}
        )
        return [
            iam.PolicyStatement(
                actions=list(self.operations), resources=[names.table_arn(self.table)], conditions=condition
            )
        ]

    def environment(self, region: Region) -> dict[str, str]:
        return {f"{self.table.upper().replace('-', '_')}_TABLE": region.here.table(self.table)}


@dataclass(frozen=True)
class ObjectUse:
    """Use of objects by a pattern of keys. `missing` lets S3 say that a key is missing instead of refusing."""

    bucket: str
    operations: Sequence[str]
    pattern: str
    reason: str
    missing: bool = False
    other: bool = False

    def statements(self, region: Region) -> list[iam.PolicyStatement]:
        names = region.other if self.other else region.here
        objects = f"{names.bucket_arn(self.bucket)}/{self.pattern}"
        found = [iam.PolicyStatement(actions=list(self.operations), resources=[objects])]
        if self.missing:
            # "IfExists": a GetObject names no prefix, and S3 asks for this permission to answer 404 instead of 403.
            listing = {"StringLikeIfExists": {"s3:prefix": self.pattern.partition("*")[0] + "*"}}
            found.append(
                iam.PolicyStatement(
                    actions=["s3:ListBucket"], resources=[names.bucket_arn(self.bucket)], conditions=listing
                )
            )
        return found

    def environment(self, region: Region) -> dict[str, str]:
        names, prefix = (region.other, "OTHER_") if self.other else (region.here, "")
        name = {"backups": "BACKUP_BUCKET", "work": "WORK_BUCKET"}[self.bucket]
        return {f"{prefix}{name}": names.bucket(self.bucket)}


@dataclass(frozen=True)
class ParameterUse:
    """Reading of SSM parameters under a path."""

    path: str
    reason: str = ""

    def statements(self, region: Region) -> list[iam.PolicyStatement]:
        return [iam.PolicyStatement(actions=["ssm:GetParameter"], resources=[region.here.parameter_arn(self.path)])]

    def environment(self, region: Region) -> dict[str, str]:
        del region
        return {}


@dataclass(frozen=True)
class ExecutionUse:
    """Reading about executions of Mailark's own state machines."""

    operations: Sequence[str]
    reason: str

    def statements(self, region: Region) -> list[iam.PolicyStatement]:
        return [iam.PolicyStatement(actions=list(self.operations), resources=[region.here.executions_arn()])]

    def environment(self, region: Region) -> dict[str, str]:
        del region
        return {}


@dataclass(frozen=True)
class SecretUse:
    """Reading of one secret that the estate names."""

    arn: str

    def statements(self, region: Region) -> list[iam.PolicyStatement]:
        del region
        return [iam.PolicyStatement(actions=["secretsmanager:GetSecretValue"], resources=[self.arn])]

    def environment(self, region: Region) -> dict[str, str]:
        del region
        return {}


@dataclass(frozen=True)
class TopicUse:
    """Publishing to a topic."""

    topic: str

    def statements(self, region: Region) -> list[iam.PolicyStatement]:
        return [iam.PolicyStatement(actions=["sns:Publish"], resources=[region.here.topic_arn(self.topic)])]

    def environment(self, region: Region) -> dict[str, str]:
        return {f"{self.topic.upper()}_TOPIC": region.here.topic_arn(self.topic)}


@dataclass(frozen=True)
class NetworkUse:
    """What Lambda does, with the function's role, to put the function into a VPC; the function's own code may not."""

    action: str
    reason: str = "Lambda makes network interfaces before they have a name, and lists them (Lambda guide, VPC)."

    def statements(self, region: Region) -> list[iam.PolicyStatement]:
        by_own_code = {"ArnEquals": {"lambda:SourceFunctionArn": region.here.function_arn(self.action)}}
        return [
            iam.PolicyStatement(actions=_INTERFACES, resources=["*"]),
            iam.PolicyStatement(effect=iam.Effect.DENY, actions=_INTERFACES, resources=["*"], conditions=by_own_code),
        ]

    def environment(self, region: Region) -> dict[str, str]:
        del region
        return {}


_INTERFACES = [
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
]

Use = KeyUse | TableUse | ObjectUse | ParameterUse | ExecutionUse | SecretUse | TopicUse | NetworkUse


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
_AUDIT: list[Use] = [
    TableUse("audit-events", ("dynamodb:PutItem",), in_transaction=True),
    TableUse("audit-heads", ("dynamodb:PutItem",), in_transaction=True),
    TableUse("audit-heads", ("dynamodb:GetItem",)),
]
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
_STORING = ("s3:PutObject", "s3:AbortMultipartUpload")
_OBJECT_READ = ObjectUse("backups", _OBJECT_READING, _OBJECTS, _EACH_BACKUP, missing=True)
_MANIFEST_READ = ObjectUse("backups", ("s3:GetObject",), _MANIFESTS, _EACH_BACKUP, missing=True)
_MANIFESTS_CHECKED = KeyUse("evidence", ("kms:Verify",))
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
            TableUse("leases", ("dynamodb:GetItem", "dynamodb:PutItem")),
            *_AUDIT,
            _EXECUTION_DESCRIBED,
        ],
    ),
    "complete_operation": ActionSpec(
        512,
        60,
        [_ESTATE, TableUse("operations", ("dynamodb:UpdateItem",)), _LEASE, *_AUDIT, _EXECUTION_HISTORY],
    ),
    "fail_operation": ActionSpec(512, 60, _FAILURE),
    "report_failed_execution": ActionSpec(
        512, 60, [*_FAILURE, _EXECUTION_DESCRIBED, TopicUse("operations"), TopicUse("security")]
    ),
    "check_vault": ActionSpec(512, 60, [_ESTATE, _BACKUP_LOGIN], reaches_vault=True),
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
            KeyUse("evidence", ("kms:Verify",), other=True),
            KeyUse("backup", _OPENING, purpose="backup", other=True),
            ObjectUse("backups", ("s3:GetObject", *_STORING), _MANIFESTS, _EACH_BACKUP, missing=True, other=True),
            ObjectUse("backups", (*_OBJECT_READING, *_STORING), _OBJECTS, _EACH_BACKUP, missing=True, other=True),
            TableUse("catalog", ("dynamodb:PutItem",), other=True),
        ],
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
            TableUse("catalog", ("dynamodb:GetItem",)),
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
        ],
        reaches_vault=True,
    ),
}
