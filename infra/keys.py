"""The multi-Region KMS keys: one purpose each, and a policy that lets only the actions of that purpose use it.

Whoever administers a key (the account, by IAM) cannot use it, and whoever uses it cannot administer it. The policy
names roles by `aws:PrincipalArn`, since they are created after the key.
"""

from collections import defaultdict
from collections.abc import Sequence

from aws_cdk import CfnOutput, RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from infra.names import SIGNING_KEYS, Names, key_alias
from infra.permissions import ACTIONS
from infra.uses import KeyUse

_ADMINISTRATION = [
    "kms:CancelKeyDeletion",
    "kms:CreateAlias",
    "kms:DeleteAlias",
    "kms:DescribeKey",
    "kms:DisableKey",
    "kms:DisableKeyRotation",
    "kms:EnableKey",
    "kms:EnableKeyRotation",
    "kms:GetKeyPolicy",
    "kms:GetKeyRotationStatus",
    "kms:GetPublicKey",
    "kms:ListGrants",
    "kms:ListKeyPolicies",
    "kms:ListResourceTags",
    "kms:PutKeyPolicy",
    "kms:ReplicateKey",
    "kms:ScheduleKeyDeletion",
    "kms:SynchronizeMultiRegionKey",
    "kms:TagResource",
    "kms:UntagResource",
    "kms:UpdateAlias",
    "kms:UpdateKeyDescription",
    "kms:UpdatePrimaryRegion",
]

_FOR_ALL = {"kms:DescribeKey", "kms:GetPublicKey"}
"""What the key's administration allows the whole account already, so that IAM alone decides."""
_SEALED_BY_OPERATORS = {"seal", "escrow"}
_DELETION_DAYS = 30


class PurposeKey(Construct):
    """One key in one region: the primary of a multi-Region key, or a replica of `primary_arn`."""

    def __init__(
        self,
        scope: Construct,
        key: str,
        here: Names,
        other: Names,
        *,
        primary_arn: str | None,
        host_principals: Sequence[str],
    ) -> None:
        super().__init__(scope, "".join(word.title() for word in key.split("-")) + "Key")
        policy = key_policy(key, here, other, host_principals)
        description = f"Mailark: {key}"
        resource: kms.CfnKey | kms.CfnReplicaKey
        if primary_arn is None:
            signing = key in SIGNING_KEYS
            resource = kms.CfnKey(
                self,
                "Resource",
                description=description,
                key_policy=policy,
                multi_region=True,
                key_usage="SIGN_VERIFY" if signing else "ENCRYPT_DECRYPT",
                key_spec="ECC_NIST_P256" if signing else "SYMMETRIC_DEFAULT",
                enable_key_rotation=None if signing else True,
                pending_window_in_days=_DELETION_DAYS,
            )
        else:
            resource = kms.CfnReplicaKey(
                self,
                "Resource",
                description=description,
                key_policy=policy,
                primary_key_arn=primary_arn,
                pending_window_in_days=_DELETION_DAYS,
            )
        resource.apply_removal_policy(RemovalPolicy.RETAIN)
        kms.CfnAlias(self, "Alias", alias_name=key_alias(key), target_key_id=resource.ref)
        self.arn = resource.attr_arn
        self.id = resource.ref
        CfnOutput(self, "Arn", value=self.arn, description=f"KMS key: {key}")


def key_policy(key: str, here: Names, other: Names, host_principals: Sequence[str]) -> iam.PolicyDocument:
    """The policy of `key` in the region of `here`."""
    account = iam.AccountRootPrincipal()
    statements = [
        iam.PolicyStatement(
            sid="AdministeredByTheAccountButNotUsed",
            principals=[account],
            actions=_ADMINISTRATION,
            resources=["*"],
        )
    ]
    for (operations, purpose), roles in sorted(_users(key, here, other).items()):
        condition: dict[str, object] = {"ArnEquals": {"aws:PrincipalArn": roles}}
        if purpose:
            condition["StringEquals"] = {"kms:EncryptionContext:purpose": purpose}
        statements.append(
            iam.PolicyStatement(principals=[account], actions=list(operations), resources=["*"], conditions=condition)
        )
    if key in _SEALED_BY_OPERATORS:
        statements.append(
            iam.PolicyStatement(
                sid="SealedByOperatorsButNotOpened",
                principals=[account],
                actions=["kms:Encrypt", "kms:GenerateDataKeyWithoutPlaintext"],
                resources=["*"],
            )
        )
    if key == "seal" and host_principals:
        statements.append(
            iam.PolicyStatement(
                sid="OpenedByTheHostsOfVault",
                principals=[account],
                actions=["kms:Decrypt"],
                resources=["*"],
                conditions={
                    "ArnEquals": {"aws:PrincipalArn": list(host_principals)},
                    "StringEquals": {"kms:EncryptionContext:purpose": "vault-seal-key"},
                },
            )
        )
    return iam.PolicyDocument(statements=statements)


def _users(key: str, here: Names, other: Names) -> dict[tuple[tuple[str, ...], str], list[str]]:
    """The roles that may use `key` in the region of `here`, by what they may do with it."""
    users: dict[tuple[tuple[str, ...], str], list[str]] = defaultdict(list)
    for action, spec in ACTIONS.items():
        for use in spec.uses:
            if isinstance(use, KeyUse) and use.key == key:
                role = (other if use.other else here).role_arn(action)
                if operations := tuple(each for each in use.operations if each not in _FOR_ALL):
                    users[operations, use.purpose or ""].append(role)
    return users
