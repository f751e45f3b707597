"""What things are called in AWS. Names are fixed, so that each region knows the other's without asking it."""

from dataclasses import dataclass

from aws_cdk import Aws

from lambdas.domain.operation import machine_name

PREFIX = "mailark"

KEYS = ("backup", "seal", "escrow", "vault-backup", "vault-inventory", "vault-restore", "vault-rotate", "evidence")
"""One purpose each: backups; Vault's seal keys; what opens credentials; a login a duty; signatures on evidence."""

SIGNING_KEYS = ("vault-backup", "vault-inventory", "vault-restore", "vault-rotate", "evidence")

TABLES = (
    "operations",
    "leases",
    "catalog",
    "audit-events",
    "audit-heads",
    "approvals",
    "escrow",
    "notices",
    "detection",
)
BUCKETS = ("backups", "audit", "work", "access-logs")


@dataclass(frozen=True)
class Names:
    """The names and ARNs of one region. `key_ids` are those of the multi-Region keys: the same in both regions."""

    region: str
    key_ids: dict[str, str]

    def table(self, table: str) -> str:
        return f"{PREFIX}-{table}"

    def table_arn(self, table: str) -> str:
        return f"arn:{Aws.PARTITION}:dynamodb:{self.region}:{Aws.ACCOUNT_ID}:table/{self.table(table)}"

    def bucket(self, bucket: str) -> str:
        return f"{PREFIX}-{bucket}-{Aws.ACCOUNT_ID}-{self.region}"

    def bucket_arn(self, bucket: str) -> str:
        return f"arn:{Aws.PARTITION}:s3:::{self.bucket(bucket)}"

    def key_arn(self, key: str) -> str:
        return f"arn:{Aws.PARTITION}:kms:{self.region}:{Aws.ACCOUNT_ID}:key/{self.key_ids[key]}"

    def parameter_arn(self, path: str) -> str:
        return f"arn:{Aws.PARTITION}:ssm:{self.region}:{Aws.ACCOUNT_ID}:parameter{path}"

    def topic(self, topic: str) -> str:
        return f"{PREFIX}-{topic}"

    def topic_arn(self, topic: str) -> str:
        return f"arn:{Aws.PARTITION}:sns:{self.region}:{Aws.ACCOUNT_ID}:{self.topic(topic)}"

    def queue(self, queue: str) -> str:
        return f"{PREFIX}-{queue}"

    def queue_arn(self, queue: str) -> str:
        return f"arn:{Aws.PARTITION}:sqs:{self.region}:{Aws.ACCOUNT_ID}:{self.queue(queue)}"

    def machine_arn(self, machine: str) -> str:
        return f"arn:{Aws.PARTITION}:states:{self.region}:{Aws.ACCOUNT_ID}:stateMachine:{machine_name(machine)}"

    def executions_of_arn(self, machine: str) -> str:
        return f"arn:{Aws.PARTITION}:states:{self.region}:{Aws.ACCOUNT_ID}:execution:{machine_name(machine)}:*"

    def executions_arn(self) -> str:
        return f"arn:{Aws.PARTITION}:states:{self.region}:{Aws.ACCOUNT_ID}:execution:{PREFIX}-*:*"

    def function(self, action: str) -> str:
        return f"{PREFIX}-{action.replace('_', '-')}"

    def function_arn(self, action: str) -> str:
        return f"arn:{Aws.PARTITION}:lambda:{self.region}:{Aws.ACCOUNT_ID}:function:{self.function(action)}"

    def role(self, action: str) -> str:
        """A role's name is global in an account, so it carries the region."""
        return f"{self.function(action)}-{self.region}"

    def role_arn(self, action: str) -> str:
        return f"arn:{Aws.PARTITION}:iam::{Aws.ACCOUNT_ID}:role/{self.role(action)}"


def key_alias(key: str) -> str:
    """The alias of a key, the same in both regions."""
    return f"alias/{PREFIX}-{key}"
