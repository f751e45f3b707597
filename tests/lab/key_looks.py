"""What keys and conditions allow in the emulator, seen from outside."""

import contextlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import boto3

from lab.aws import ACCOUNT, Aws
from tests.lab.small_functions import REGION, document, unique
from tests.lab.stacks import deploy

OTHER_REGION = "eu-west-1"
_ROOT_PRINCIPAL = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
OWNED = {"Effect": "Allow", "Principal": _ROOT_PRINCIPAL, "Action": "kms:*", "Resource": "*"}


def make_replica(aws: Aws) -> tuple[str, str, dict[str, str]]:
    """A stack with a multi-Region key, and one with its replica: the key's ARN, the replica's stack and outputs."""
    policy = json.loads(document(OWNED))
    key = {"Type": "AWS::KMS::Key", "Properties": {"MultiRegion": True, "KeyPolicy": policy}}
    arn = deploy(aws, REGION, unique("Keys"), key, Arn={"Fn::GetAtt": ["Only", "Arn"]})["Arn"]
    replica = {"Type": "AWS::KMS::ReplicaKey", "Properties": {"PrimaryKeyArn": arn, "KeyPolicy": policy}}
    stack = unique("Replicas")
    got = deploy(aws, OTHER_REGION, stack, replica, Arn={"Fn::GetAtt": ["Only", "Arn"]}, Id={"Ref": "Only"})
    return arn, stack, got


def what_a_replica_opens(aws: Aws, folder: Path) -> Any:
    arn, _, replica = make_replica(aws)
    assert replica == {"Arn": arn.replace(REGION, OTHER_REGION), "Id": arn.rpartition("/")[2]}
    sealed = aws.client("kms", REGION).encrypt(KeyId=arn, Plaintext=b"a seal key")["CiphertextBlob"]
    return aws.client("kms", OTHER_REGION).decrypt(KeyId=replica["Arn"], CiphertextBlob=sealed)["Plaintext"]


@contextlib.contextmanager
def _role_session(aws: Aws, *statements: Mapping[str, Any], service: str = "kms") -> Iterator[tuple[str, Any]]:
    """A role that may do what the statements say: its ARN, and a client of a service in a session of it."""
    name, iam = unique("role"), aws.client("iam", REGION)
    trust = {"Effect": "Allow", "Principal": _ROOT_PRINCIPAL, "Action": "sts:AssumeRole"}
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document(trust))["Role"]["Arn"]
    iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=document(*statements))
    taken = aws.client("sts", REGION).assume_role(RoleArn=arn, RoleSessionName="session")["Credentials"]
    client = boto3.client(  # type: ignore[call-overload]  # boto3's types want a literal
        service,
        region_name=REGION,
        endpoint_url=aws.endpoint,
        verify=str(aws.ca),
        aws_access_key_id=taken["AccessKeyId"],
        aws_secret_access_key=taken["SecretAccessKey"],
        aws_session_token=taken["SessionToken"],
    )
    with contextlib.closing(client):
        yield arn, client


def _allowed(client: Any, key: str, context: Mapping[str, str]) -> bool:
    try:
        client.generate_data_key(KeyId=key, KeySpec="AES_256", EncryptionContext=context)
    except client.exceptions.ClientError as error:
        if error.response["Error"]["Code"] != "AccessDeniedException":
            raise
        return False
    return True


def purposes_that_a_role_may_use_a_key_for(aws: Aws, folder: Path) -> Any:
    key = aws.client("kms", REGION).create_key(Policy=document(OWNED))["KeyMetadata"]["Arn"]
    bound = {"StringEquals": {"kms:EncryptionContext:purpose": "backup"}}
    use = {"Effect": "Allow", "Action": "kms:GenerateDataKey", "Resource": key, "Condition": bound}
    with _role_session(aws, use) as (_, client):
        return [_allowed(client, key, context) for context in ({"purpose": "backup"}, {"purpose": "seal"}, {})]


def roles_that_a_key_policy_lets_in(aws: Aws, folder: Path) -> Any:
    everything = {"Effect": "Allow", "Action": "kms:*", "Resource": "*"}
    with _role_session(aws, everything) as (named, of_named), _role_session(aws, everything) as (_, of_stranger):
        use = {"Action": "kms:GenerateDataKey", "Condition": {"ArnEquals": {"aws:PrincipalArn": named}}}
        policy = document(OWNED | {"Action": ["kms:DescribeKey", "kms:PutKeyPolicy"]}, OWNED | use)
        key = aws.client("kms", REGION).create_key(Policy=policy)["KeyMetadata"]["Arn"]
        return [_allowed(client, key, {}) for client in (of_named, of_stranger)]


def namespaces_that_a_role_may_publish_metrics_to(aws: Aws, folder: Path) -> Any:
    bound = {"StringEquals": {"cloudwatch:namespace": "Mailark"}}
    use = {"Effect": "Allow", "Action": "cloudwatch:PutMetricData", "Resource": "*", "Condition": bound}
    with _role_session(aws, use, service="cloudwatch") as (_, client):
        return [_may_publish(client, namespace) for namespace in ("Mailark", "Another")]


def _may_publish(client: Any, namespace: str) -> bool:
    try:
        client.put_metric_data(Namespace=namespace, MetricData=[{"MetricName": unique("metric"), "Value": 1}])
    except client.exceptions.ClientError as error:
        if not error.response["Error"]["Code"].startswith("AccessDenied"):
            raise
        return False
    return True
