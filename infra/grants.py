"""What several actions may do: the building stones of the table of permissions, each with its reason."""

from collections.abc import Sequence
from dataclasses import dataclass

from infra.uses import (
    ExecutionUse,
    KeyUse,
    ObjectUse,
    ParameterUse,
    TableUse,
    Use,
    WakingUse,
)
from lambdas.domain.approval import SLIPS
from lambdas.domain.estate_database import LoginName

ESTATE_PARAMETER = "/mailark/estate"
SEALED_KEYS_PARAMETERS = "/mailark/sealed-keys/*"


@dataclass(frozen=True)
class ActionSpec:
    """One action: memory in MiB (CPU comes with it), time limit in seconds, what it may use, whom it calls.

    `reaches_vault` and `logins` put the function into the estate's network, where there is one; the second also gives
    it PostgreSQL's client programs, and the secrets with the logins to those servers that the estate names. So does
    `reaches_services`, and gives it what stops and starts the services. `sends_notices` lets it mail tenants from the
    address that the estate names.
    """

    memory: int
    seconds: int
    uses: Sequence[Use]
    reaches_vault: bool = False
    logins: Sequence[LoginName] = ()
    reaches_services: bool = False
    sends_notices: bool = False

    @property
    def reaches_database(self) -> bool:
        return bool(self.logins)

    @property
    def in_network(self) -> bool:
        return self.reaches_vault or self.reaches_database or self.reaches_services


ESTATE = ParameterUse(ESTATE_PARAMETER)
EACH_EVENT = "Each event of the audit trail has a key of its own, and each hour's signed heads have one."
CHAINING: list[Use] = [
    TableUse("audit-events", ("dynamodb:PutItem",), in_transaction=True),
    TableUse("audit-heads", ("dynamodb:PutItem",), in_transaction=True),
    TableUse("audit-heads", ("dynamodb:GetItem",)),
]
AUDIT: list[Use] = [*CHAINING, ObjectUse("audit", ("s3:PutObject",), "spool/*", EACH_EVENT)]
ARCHIVING: list[Use] = [ObjectUse("audit", ("s3:GetObject", "s3:PutObject"), "events/*", EACH_EVENT)]
EACH_EXECUTION = "An execution gets its name when it starts; only those of Mailark's own state machines are readable."
EXECUTION_DESCRIBED = ExecutionUse(("states:DescribeExecution",), EACH_EXECUTION)
EXECUTION_HISTORY = ExecutionUse(("states:GetExecutionHistory",), EACH_EXECUTION)
EACH_BACKUP = "Each backup has a key of its own, made of its date; the pattern matches backups of one kind."
EACH_OPERATION = "Each operation has a folder of its own in the work bucket, named after its execution."
WORK_READ = ObjectUse("work", ("s3:GetObject",), "*", EACH_OPERATION)
WORK_WRITE = ObjectUse("work", ("s3:PutObject",), "*", EACH_OPERATION)
LEASE = TableUse("leases", ("dynamodb:GetItem", "dynamodb:UpdateItem"))
BACKUP_LOGIN = KeyUse("vault-backup", ("kms:Sign",))
INVENTORY_LOGIN = KeyUse("vault-inventory", ("kms:Sign",))
CATALOG_LIST = TableUse("catalog", ("dynamodb:Scan",))
CATALOG_RAISE = TableUse("catalog", ("dynamodb:GetItem", "dynamodb:UpdateItem"))
SEALING = ("kms:GenerateDataKey", "kms:DescribeKey")
OPENING = ("kms:Decrypt", "kms:DescribeKey")
OBJECT_READING = ("s3:GetObject", "s3:GetObjectVersion")
FINDING = (*OBJECT_READING, "s3:GetObjectVersionTagging")
STORING = ("s3:PutObject", "s3:AbortMultipartUpload")
LOCKING = ("s3:GetObjectRetention", "s3:PutObjectRetention")
KINDS = ("vault", "database")


def objects(
    operations: Sequence[str], kinds: Sequence[str] = KINDS, *, missing: bool = False, other: bool = False
) -> list[Use]:
    """Use of the objects of backups of some kinds, as `ObjectUse` has it."""
    return [ObjectUse("backups", operations, f"{kind}/*.enc", EACH_BACKUP, missing, other) for kind in kinds]


def manifests(
    operations: Sequence[str], kinds: Sequence[str] = KINDS, *, missing: bool = False, other: bool = False
) -> list[Use]:
    """Use of the manifests beside them."""
    return [ObjectUse("backups", operations, f"{kind}/*.manifest.json", EACH_BACKUP, missing, other) for kind in kinds]


def reading(*kinds: str) -> list[Use]:
    """Reading of backups, their manifests verified."""
    found = [*manifests(OBJECT_READING, kinds, missing=True), *objects(OBJECT_READING, kinds, missing=True)]
    return [MANIFESTS_CHECKED, *found]


def status_kept(*kinds: str) -> list[Use]:
    """Recording how far a backup is proved: in the catalog, and in the tags of its manifest."""
    return [CATALOG_RAISE, *manifests(("s3:PutObjectVersionTagging",), kinds)]


MANIFESTS_CHECKED = KeyUse("evidence", ("kms:Verify",))
PRUNING = (*LOCKING, "s3:DeleteObjectVersion", "s3:AbortMultipartUpload")
SLIP_READ = ParameterUse(
    f"{SLIPS}/*", "Each decision is a parameter, named after its approval and a person.", ("ssm:GetParameterHistory",)
)
WAKING = WakingUse("approval")
FAILURE: list[Use] = [
    # An operation that BeginOperation could not record is put there; the catalog tells how to go back.
    TableUse("operations", ("dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem")),
    LEASE,
    CATALOG_LIST,
    *AUDIT,
]
