"""One action: its function, its role, its log group. What it may do stands in `permissions.py`."""

import ast
from dataclasses import dataclass
from pathlib import Path

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra.code import Platform
from infra.grants import ActionSpec
from infra.nag import acknowledge, wildcard_finding
from infra.uses import (
    BucketUse,
    KeyUse,
    MailUse,
    NetworkUse,
    QueueUse,
    Region,
    SecretUse,
    TableUse,
    TopicUse,
    WakingUse,
)

_RUNTIME_REASON = (
    "Every library of the layer is tested on this version, which AWS supports until 2029 (Lambda runtimes page)."
)
_EXACT = BucketUse | KeyUse | MailUse | QueueUse | SecretUse | TableUse | TopicUse | WakingUse
"""Uses whose resources have no wildcard of their own: a token in their ARN may look like one."""
_LOG_RETENTION = logs.RetentionDays.THREE_MONTHS


@dataclass(frozen=True)
class Workplace:
    """Where functions run: code, layers and platform; the estate's network or None; environment for all of them.

    `postgres` holds PostgreSQL's client programs, None where the estate has no database.
    """

    code: lambda_.Code
    layer: lambda_.ILayerVersion
    postgres: lambda_.ILayerVersion | None
    platform: Platform
    network: "Network | None"
    environment: dict[str, str]


@dataclass(frozen=True)
class Network:
    """Where in the estate's VPC the functions that reach Vault and the database run."""

    vpc: ec2.IVpc
    subnets: ec2.SubnetSelection
    security_groups: list[ec2.ISecurityGroup]


class Action(Construct):
    """The construct of `lambdas/actions/verify_backup.py` is called `VerifyBackup`."""

    def __init__(self, scope: Construct, action: str, spec: ActionSpec, region: Region, workplace: Workplace) -> None:
        super().__init__(scope, construct_name(action))
        names = region.here
        log_group = logs.LogGroup(
            self,
            "Logs",
            log_group_name=f"/aws/lambda/{names.function(action)}",
            retention=_LOG_RETENTION,
            removal_policy=RemovalPolicy.DESTROY,
        )
        self.role = iam.Role(
            self,
            "Role",
            role_name=names.role(action),
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
        )
        log_group.grant_write(self.role)
        environment = dict(workplace.environment)
        network = workplace.network if spec.in_network else None
        for use in [*spec.uses, NetworkUse(action)] if network else spec.uses:
            for statement in use.statements(region):
                self.role.add_to_policy(statement)
                for resource in statement.resources:
                    if "*" in resource and not isinstance(use, _EXACT):
                        acknowledge(self.role, wildcard_finding(resource), use.reason)
            environment |= {f"MAILARK_{name}": value for name, value in use.environment(region).items()}
        self.function = lambda_.Function(
            self,
            "Function",
            function_name=names.function(action),
            description=_first_line(action),
            code=workplace.code,
            handler=f"lambdas.actions.{action}.handler",
            layers=[workplace.layer, *([workplace.postgres] if spec.reaches_database and workplace.postgres else [])],
            runtime=workplace.platform.runtime,
            architecture=workplace.platform.processor,
            memory_size=spec.memory,
            timeout=Duration.seconds(spec.seconds),
            role=self.role,
            log_group=log_group,
            environment=environment,
            vpc=network.vpc if network else None,
            vpc_subnets=network.subnets if network else None,
            security_groups=network.security_groups if network else None,
        )
        acknowledge(self.function, "AwsSolutions-L1", _RUNTIME_REASON)


def construct_name(action: str) -> str:
    """`verify_backup` becomes `VerifyBackup`."""
    return "".join(word.title() for word in action.split("_"))


def _first_line(action: str) -> str:
    """The first line of the module's docstring: one text for the console and for the code."""
    source = Path(__file__).resolve().parent.parent / "lambdas" / "actions" / f"{action}.py"
    docstring = ast.get_docstring(ast.parse(source.read_text())) or ""
    return docstring.splitlines()[0]
