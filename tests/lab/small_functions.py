"""Tiny functions, layers and state machines for the emulator, made from text."""

import io
import json
import uuid
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

from lab.aws import ACCOUNT, Aws, interpreter

REGION = "eu-central-1"
_TRUST = {"Effect": "Allow", "Principal": {"Service": ["lambda.amazonaws.com", "states.amazonaws.com"]}}


def unique(name: str) -> str:
    """A name that no other test has taken."""
    return f"{name}-{uuid.uuid4().hex[:8]}"


def document(*statements: Mapping[str, Any]) -> str:
    """A policy document."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def zipped(files: Mapping[str, str]) -> bytes:
    """A zip archive of text files, each of which may be run."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in files.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = 0o755 << 16
            archive.writestr(entry, text)
    return buffer.getvalue()


def role(aws: Aws) -> str:
    """The ARN of a role that may do nothing, or only what a state machine needs: invoke functions."""
    name = unique("role")
    iam = aws.client("iam", REGION)
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=document(_TRUST | {"Action": "sts:AssumeRole"}))
    invoke = {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": "*"}
    iam.put_role_policy(RoleName=name, PolicyName="invoke", PolicyDocument=document(invoke))
    return f"arn:aws:iam::{ACCOUNT}:role/{name}"


def function(aws: Aws, code: str, layers: Sequence[str] = ()) -> str:
    """The ARN of a function whose module is `code`, with a `handler(event, context)` in it."""
    made = aws.client("lambda", REGION).create_function(
        FunctionName=unique("function"),
        Runtime=f"python{interpreter()}",
        Role=role(aws),
        Handler="code_of_test.handler",
        Code={"ZipFile": zipped({"code_of_test.py": code})},
        Layers=list(layers),
        Timeout=20,
    )
    return str(made["FunctionArn"])


def layer(aws: Aws, files: Mapping[str, str]) -> str:
    """The ARN of a layer with these modules and programs."""
    made = aws.client("lambda", REGION).publish_layer_version(
        LayerName=unique("layer"),
        Content={"ZipFile": zipped({f"python/{name}": text for name, text in files.items()})},
        CompatibleRuntimes=[f"python{interpreter()}"],
    )
    return str(made["LayerVersionArn"])


def invoke(aws: Aws, arn: str, event: Any = None) -> Any:
    """What a function returns, or what AWS says of its error."""
    answer = aws.client("lambda", REGION).invoke(FunctionName=arn, Payload=json.dumps(event))
    return json.loads(answer["Payload"].read())


def machine(aws: Aws, definition: Mapping[str, Any]) -> str:
    """The ARN of a state machine in JSONata."""
    made = aws.client("stepfunctions", REGION).create_state_machine(
        name=unique("machine"),
        definition=json.dumps({"QueryLanguage": "JSONata"} | dict(definition)),
        roleArn=role(aws),
    )
    return str(made["stateMachineArn"])


def task(arn: str, **more: Any) -> dict[str, Any]:
    """A state that invokes a function with the execution's input, and is the last one."""
    return {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Arguments": {"FunctionName": arn, "Payload": "{% $states.input %}"},
        "End": True,
    } | more
