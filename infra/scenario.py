"""One scenario: its state machine, made of the file in `statemachines/`, and a role that may call its actions only."""

from collections.abc import Mapping
from pathlib import Path

import yaml
from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from infra.action import Action, construct_name
from infra.nag import acknowledge
from lambdas.domain.operation import machine_name

STATE_MACHINES = Path(__file__).resolve().parent.parent / "statemachines"
_SUFFIX = ".asl.yaml"


def scenario_names() -> list[str]:
    """Every scenario that has a state machine."""
    return sorted(path.name.removesuffix(_SUFFIX) for path in STATE_MACHINES.glob(f"*{_SUFFIX}"))


def definition(scenario: str) -> dict[str, object]:
    """The state machine of a scenario as plain data."""
    loaded: dict[str, object] = yaml.safe_load((STATE_MACHINES / f"{scenario}{_SUFFIX}").read_text())
    return loaded


class Scenario(Construct):
    """The construct of `vault_restore` is called `VaultRestore`."""

    def __init__(self, scope: Construct, scenario: str, actions: Mapping[str, Action]) -> None:
        super().__init__(scope, construct_name(scenario))
        asl = definition(scenario)
        text = Stack.of(self).to_json_string(asl)
        used = {name: action for name, action in actions.items() if f"${{{name}}}" in yaml.safe_dump(asl)}
        log_group = logs.LogGroup(
            self,
            "Logs",
            log_group_name=f"/aws/vendedlogs/states/{machine_name(scenario)}",
            retention=logs.RetentionDays.THREE_MONTHS,
            removal_policy=RemovalPolicy.DESTROY,
        )
        role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("states.amazonaws.com"))
        role.add_to_policy(
            iam.PolicyStatement(
                actions=["lambda:InvokeFunction"],
                resources=[action.function.function_arn for action in used.values()],
            )
        )
        self.machine = sfn.StateMachine(
            self,
            "Machine",
            state_machine_name=machine_name(scenario),
            definition_body=sfn.DefinitionBody.from_string(text),
            definition_substitutions={name: action.function.function_arn for name, action in used.items()},
            role=role,
            tracing_enabled=True,
            logs=sfn.LogOptions(destination=log_group, level=sfn.LogLevel.ALL, include_execution_data=True),
        )
        acknowledge(
            role,
            "AwsSolutions-IAM5[Resource::*]",
            "X-Ray and the log delivery of Step Functions take no resource (Step Functions guide, CloudWatch Logs).",
        )
