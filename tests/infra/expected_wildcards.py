"""Where a wildcard may stand, and why: every resource with one that any role is granted anything on."""

from dataclasses import dataclass


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
        "/mailark/approvals/*",
        frozenset({"ssm:GetParameterHistory"}),
        "Each decision is a parameter of its own, named after its approval and the person who decides.",
    ),
    Wildcard(
        "/mailark/sealed-keys/*",
        frozenset({"ssm:GetParameter"}),
        "Old seal keys are kept as long as a snapshot needs them, and each is sealed by KMS.",
    ),
    Wildcard(
        "backups/vault/*.enc",
        frozenset(
            {
                "s3:AbortMultipartUpload",
                "s3:DeleteObjectVersion",
                "s3:GetObject",
                "s3:GetObjectRetention",
                "s3:GetObjectVersion",
                "s3:PutObject",
                "s3:PutObjectRetention",
            }
        ),
        "A backup's key is made of its date; the pattern matches the objects of Vault's backups only.",
    ),
    Wildcard(
        "backups/vault/*.manifest.json",
        frozenset(
            {
                "s3:AbortMultipartUpload",
                "s3:DeleteObjectVersion",
                "s3:GetObject",
                "s3:GetObjectRetention",
                "s3:GetObjectVersion",
                "s3:GetObjectVersionTagging",
                "s3:PutObject",
                "s3:PutObjectRetention",
                "s3:PutObjectVersionTagging",
            }
        ),
        "A backup's key is made of its date; the pattern matches the manifests of Vault's backups only.",
    ),
    Wildcard(
        "backups/database/*.enc",
        frozenset(
            {
                "s3:AbortMultipartUpload",
                "s3:DeleteObjectVersion",
                "s3:GetObject",
                "s3:GetObjectRetention",
                "s3:GetObjectVersion",
                "s3:PutObject",
                "s3:PutObjectRetention",
            }
        ),
        "A backup's key is made of its date; the pattern matches the dumps of the database only.",
    ),
    Wildcard(
        "backups/database/*.manifest.json",
        frozenset(
            {
                "s3:AbortMultipartUpload",
                "s3:DeleteObjectVersion",
                "s3:GetObject",
                "s3:GetObjectRetention",
                "s3:GetObjectVersion",
                "s3:GetObjectVersionTagging",
                "s3:PutObject",
                "s3:PutObjectRetention",
                "s3:PutObjectVersionTagging",
            }
        ),
        "A backup's key is made of its date; the pattern matches the manifests of dumps only.",
    ),
    Wildcard(
        "mailark-approval:*",
        frozenset({"states:DescribeExecution", "states:StopExecution"}),
        "An execution of the machine that asks for approvals gets its name when it starts.",
    ),
    Wildcard(
        "audit/events/*",
        frozenset({"s3:GetObject", "s3:PutObject"}),
        "Each event of the audit trail has a key of its own, made of its chain and its number.",
    ),
    Wildcard(
        "audit/heads/*",
        frozenset({"s3:GetObjectVersion", "s3:PutObject"}),
        "Each hour's signed heads have a key of their own, made of their time.",
    ),
    Wildcard(
        "audit/spool/*",
        frozenset({"s3:GetObjectVersion", "s3:PutObject"}),
        "Each event that could not be chained has a key of its own, made of its id.",
    ),
    Wildcard(
        "audit/chained/*",
        frozenset({"s3:PutObject"}),
        "Each spooled event has a mark of its own, made of its id.",
    ),
    Wildcard(
        "audit-events/stream/*",
        frozenset(
            {"dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:ListStreams"}
        ),
        "The ARN of a stream ends with the time at which it was turned on; a table has one stream.",
    ),
    Wildcard(
        "escrow/stream/*",
        frozenset(
            {"dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:ListStreams"}
        ),
        "The ARN of a stream ends with the time at which it was turned on; a table has one stream.",
    ),
    Wildcard(
        "work/*",
        frozenset({"s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"}),
        "Each operation has a folder of its own, named after its execution; rows are exported in parts.",
    ),
    Wildcard(
        "alarms mailark-compromise/*",
        frozenset({"cloudwatch:DeleteAlarms", "cloudwatch:PutMetricAlarm"}),
        "An alarm is made for each tenant that is suspected, and named after it.",
    ),
    Wildcard(
        "*",
        frozenset(
            {
                "cloudtrail:LookupEvents",
                "cloudwatch:PutMetricData",
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
        "A state machine's log delivery and its tracing take no resource (Step Functions guide, CloudWatch Logs), and "
        "neither does PutMetricData, which is bound to a namespace, nor LookupEvents.",
    ),
]
