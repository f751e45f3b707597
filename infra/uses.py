"""What a function may use: each kind of permission, as IAM statements and as the settings that name it."""

from collections.abc import Sequence
from dataclasses import dataclass

from aws_cdk import Aws
from aws_cdk import aws_iam as iam

from infra.names import Names
from lambdas.adapters.metrics import NAMESPACE
from lambdas.adapters.suspicion_alarms import ALARM_PREFIX
from lambdas.domain.mailu import domain_of


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
        found: list[iam.PolicyStatement] = []
        if crypto:
            found.append(iam.PolicyStatement(actions=crypto, resources=[names.key_arn(self.key)], conditions=condition))
        if "kms:DescribeKey" in self.operations:
            found.append(iam.PolicyStatement(actions=["kms:DescribeKey"], resources=[names.key_arn(self.key)]))
        return found

    def environment(self, region: Region) -> dict[str, str]:
        names, prefix = (region.other, "OTHER_") if self.other else (region.here, "")
        return {f"{prefix}{self.key.upper().replace('-', '_')}_KEY": names.key_arn(self.key)}


@dataclass(frozen=True)
class TableUse:
    """Use of a table, or of one `index` of it. `in_transaction` allows the operations only inside a transaction."""

    table: str
    operations: Sequence[str]
    in_transaction: bool = False
    other: bool = False
    index: str | None = None

    def statements(self, region: Region) -> list[iam.PolicyStatement]:
        names = region.other if self.other else region.here
        condition = (
            {"ForAnyValue:StringEquals": {"dynamodb:EnclosingOperation": ["TransactWriteItems"]}}
            if self.in_transaction
            else {}
        )
        resource = names.table_arn(self.table) + (f"/index/{self.index}" if self.index else "")
        return [iam.PolicyStatement(actions=list(self.operations), resources=[resource], conditions=condition)]

    def environment(self, region: Region) -> dict[str, str]:
        return {f"{self.table.upper().replace('-', '_')}_TABLE": region.here.table(self.table)}


@dataclass(frozen=True)
class ObjectUse:
    """Use of objects by a pattern of keys. `missing` lets S3 say that one is missing instead of refusing: the role may
    then list the keys under what stands before the first `*`, and all of them where a request names no prefix."""

    bucket: str
    operations: Sequence[str]
    pattern: str
    reason: str
    missing: bool = False
    other: bool = False

    def statements(self, region: Region) -> list[iam.PolicyStatement]:
        names = region.other if self.other else region.here
        objects = f"{names.bucket_arn(self.bucket)}/{self.pattern}"
        found = [iam.PolicyStatement(actions=list(self.operations), resources=[objects])] if self.operations else []
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
        name = {"backups": "BACKUP_BUCKET", "work": "WORK_BUCKET", "audit": "AUDIT_BUCKET"}[self.bucket]
        return {f"{prefix}{name}": names.bucket(self.bucket)}


@dataclass(frozen=True)
class BucketUse:
    """Listing of a whole bucket."""

    bucket: str
    operations: Sequence[str]
    other: bool = False

    def statements(self, region: Region) -> list[iam.PolicyStatement]:
        names = region.other if self.other else region.here
        return [iam.PolicyStatement(actions=list(self.operations), resources=[names.bucket_arn(self.bucket)])]

    def environment(self, region: Region) -> dict[str, str]:
        del region
        return {}


@dataclass(frozen=True)
class ParameterUse:
    """Reading of SSM parameters under a path."""

    path: str
    reason: str = ""
    operations: Sequence[str] = ("ssm:GetParameter",)

    def statements(self, region: Region) -> list[iam.PolicyStatement]:
        return [iam.PolicyStatement(actions=list(self.operations), resources=[region.here.parameter_arn(self.path)])]

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
class WakingUse:
    """Waking a task of a state machine that waits for it."""

    machine: str

    def statements(self, region: Region) -> list[iam.PolicyStatement]:
        return [
            iam.PolicyStatement(actions=["states:SendTaskSuccess"], resources=[region.here.machine_arn(self.machine)])
        ]

    def environment(self, region: Region) -> dict[str, str]:
        del region
        return {}


@dataclass(frozen=True)
class CloudTrailUse:
    """Reading of CloudTrail's event history."""

    reason: str = "LookupEvents takes no resource (Service Authorization Reference, AWS CloudTrail)."

    def statements(self, region: Region) -> list[iam.PolicyStatement]:
        del region
        return [iam.PolicyStatement(actions=["cloudtrail:LookupEvents"], resources=["*"])]

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
class CommandUse:
    """Running Mailark's fixed script on one host by SSM Run Command, and asking for its end."""

    instance: str
    reason: str = "A command gets its id when it is sent; asking for it and cancelling it take no resource (SSM, IAM)."

    def statements(self, region: Region) -> list[iam.PolicyStatement]:
        place = f"{region.here.region}:{Aws.ACCOUNT_ID}"
        kind = "ssm" if self.instance.startswith("mi-") else "ec2"
        host = f"arn:{Aws.PARTITION}:{kind}:{place}:{'managed-' if kind == 'ssm' else ''}instance/{self.instance}"
        document = f"arn:{Aws.PARTITION}:ssm:{region.here.region}::document/AWS-RunShellScript"
        return [
            iam.PolicyStatement(actions=["ssm:SendCommand"], resources=[document, host]),
            iam.PolicyStatement(actions=["ssm:CancelCommand", "ssm:GetCommandInvocation"], resources=["*"]),
        ]

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
class MetricUse:
    """Publishing of metrics in Mailark's namespace."""

    reason: str = "PutMetricData takes no resource; a condition holds the namespace (CloudWatch guide, condition keys)."

    def statements(self, region: Region) -> list[iam.PolicyStatement]:
        del region
        in_namespace = {"StringEquals": {"cloudwatch:namespace": NAMESPACE}}
        return [iam.PolicyStatement(actions=["cloudwatch:PutMetricData"], resources=["*"], conditions=in_namespace)]

    def environment(self, region: Region) -> dict[str, str]:
        del region
        return {}


@dataclass(frozen=True)
class AlarmUse:
    """Making and removing the alarms on tenants that are suspected."""

    reason: str = "An alarm is named after its tenant, whom nobody knows before; only those of a suspicion match."

    def statements(self, region: Region) -> list[iam.PolicyStatement]:
        place = f"{region.here.region}:{Aws.ACCOUNT_ID}"
        alarms = f"arn:{Aws.PARTITION}:cloudwatch:{place}:alarm:{ALARM_PREFIX}*"
        operations = ["cloudwatch:DeleteAlarms", "cloudwatch:PutMetricAlarm"]
        return [iam.PolicyStatement(actions=operations, resources=[alarms])]

    def environment(self, region: Region) -> dict[str, str]:
        del region
        return {}


@dataclass(frozen=True)
class StreamUse:
    """Reading of a table's stream, which Lambda does with the function's role."""

    table: str
    reason: str = "The ARN of a stream ends with the time at which it was turned on; a table has one stream."

    def statements(self, region: Region) -> list[iam.PolicyStatement]:
        stream = f"{region.here.table_arn(self.table)}/stream/*"
        reading = ["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"]
        return [iam.PolicyStatement(actions=[*reading, "dynamodb:ListStreams"], resources=[stream])]

    def environment(self, region: Region) -> dict[str, str]:
        del region
        return {}


@dataclass(frozen=True)
class QueueUse:
    """Sending to a queue what could not be worked off, which Lambda does with the function's role."""

    queue: str

    def statements(self, region: Region) -> list[iam.PolicyStatement]:
        return [iam.PolicyStatement(actions=["sqs:SendMessage"], resources=[region.here.queue_arn(self.queue)])]

    def environment(self, region: Region) -> dict[str, str]:
        del region
        return {}


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


@dataclass(frozen=True)
class MailUse:
    """Sending mail from `sender`, in the function's own region.

    What SES has verified is that address, its domain or one above it, and the right is asked for on the identity that
    there is (SES guide, "Verified identities"): so all are allowed, and the condition holds the address.
    """

    sender: str

    def statements(self, region: Region) -> list[iam.PolicyStatement]:
        identities = f"arn:{Aws.PARTITION}:ses:{region.here.region}:{Aws.ACCOUNT_ID}:identity"
        return [
            iam.PolicyStatement(
                actions=["ses:SendEmail"],
                resources=[f"{identities}/{name}" for name in (self.sender, *_domains(self.sender))],
                conditions={"StringEquals": {"ses:FromAddress": self.sender}},
            )
        ]

    def environment(self, region: Region) -> dict[str, str]:
        del region
        return {}


def _domains(sender: str) -> list[str]:
    """The domain of an address and those above it, without the top-level one."""
    labels = domain_of(sender).split(".")
    return [".".join(labels[i:]) for i in range(len(labels) - 1)]


_INTERFACES = [
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
]

Use = (
    KeyUse
    | TableUse
    | ObjectUse
    | BucketUse
    | ParameterUse
    | ExecutionUse
    | WakingUse
    | CloudTrailUse
    | SecretUse
    | CommandUse
    | TopicUse
    | MetricUse
    | AlarmUse
    | StreamUse
    | QueueUse
    | NetworkUse
    | MailUse
)
