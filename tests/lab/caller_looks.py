"""How the emulator tells who has called, seen from outside."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from lab.aws import ACCOUNT, Aws
from tests.lab.small_functions import REGION, document, machine, unique


def writer_of_a_parameter(aws: Aws, folder: Path) -> Any:
    """Who wrote each version of a parameter: a user, and then the account's root."""
    del folder
    name, key = user(aws, "ssm:PutParameter")
    parameter = unique("/parameter")
    aws.client("ssm", REGION, key).put_parameter(Name=parameter, Value="one", Type="String")
    aws.client("ssm", REGION).put_parameter(Name=parameter, Value="two", Type="String", Overwrite=True)
    versions = aws.client("ssm", REGION).get_parameter_history(Name=parameter)["Parameters"]
    return [each["LastModifiedUser"].replace(name, "ada") for each in versions]


def starter_of_an_execution(aws: Aws, folder: Path) -> Any:
    """Who has started an execution, by CloudTrail's event history."""
    del folder
    name, key = user(aws, "states:StartExecution")
    arn = machine(aws, {"StartAt": "Only", "States": {"Only": {"Type": "Pass", "End": True}}})
    started = aws.client("stepfunctions", REGION, key).start_execution(stateMachineArn=arn)["executionArn"]
    now, around = datetime.now(UTC), timedelta(minutes=5)
    events = aws.client("cloudtrail", REGION).lookup_events(
        LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": "StartExecution"}],
        StartTime=now - around,
        EndTime=now + around,
    )["Events"]
    told = [json.loads(each["CloudTrailEvent"]) for each in events]
    return [
        each["userIdentity"]["arn"].replace(name, "ada")
        for each in told
        if (each["responseElements"] or {}).get("executionArn") == started
    ]


def user(aws: Aws, action: str, resource: str = "*") -> tuple[str, tuple[str, str]]:
    """The name and the access key of a user who may do one thing."""
    name, iam = unique("user"), aws.client("iam", REGION)
    iam.create_user(UserName=name)
    allowed = {"Effect": "Allow", "Action": action, "Resource": resource}
    iam.put_user_policy(UserName=name, PolicyName="one", PolicyDocument=document(allowed))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return name, (key["AccessKeyId"], key["SecretAccessKey"])


ADA = f"arn:aws:iam::{ACCOUNT}:user/ada"
ROOT_USER = f"arn:aws:iam::{ACCOUNT}:root"
