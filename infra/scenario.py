"""The state machines, made of the files in `statemachines/`: each with a role that may call its own actions only.

A file there is a scenario, which somebody or something starts. A file in `children/` is a part of scenarios: they start
it (`${approval}` stands for its ARN, as `${verify_backup}` does for a function's) and wait for its end.
"""

from collections.abc import Mapping
from pathlib import Path

import yaml
from aws_cdk import Aws, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from infra.action import Action, construct_name
from infra.nag import acknowledge, wildcard_finding
from infra.names import Names
from lambdas.domain.operation import machine_name

STATE_MACHINES = Path(__file__).resolve().parent.parent / "statemachines"
CHILDREN = STATE_MACHINES / "children"
_SUFFIX = ".asl.yaml"
_SYNC_RULE = "StepFunctionsGetEventsForStepFunctionsExecutionRule"
"""The rule by which Step Functions hears that a child has ended (Step Functions guide, "Call other executions")."""


def scenario_names() -> list[str]:
    """Every scenario that has a state machine."""
    return _names(STATE_MACHINES)


def child_names() -> list[str]:
    """Every state machine that scenarios start."""
    return _names(CHILDREN)


def _names(folder: Path) -> list[str]:
    return sorted(path.name.removesuffix(_SUFFIX) for path in folder.glob(f"*{_SUFFIX}"))


def definition(machine: str) -> dict[str, object]:
    """The state machine of a scenario, or of a part of scenarios, as plain data."""
    folder = CHILDREN if machine in child_names() else STATE_MACHINES
    loaded: dict[str, object] = yaml.safe_load((folder / f"{machine}{_SUFFIX}").read_text())
    return loaded


class Machine(Construct):
    """The construct of `vault_restore` is called `VaultRestore`.

    What passes through a machine is in its log, but for a child: the token of a task that waits is no log's business.
    """

    def __init__(self, scope: Construct, scenario: str, actions: Mapping[str, Action], names: Names) -> None:
        super().__init__(scope, construct_name(scenario))
        asl = definition(scenario)
        text = Stack.of(self).to_json_string(asl)
        plain = yaml.safe_dump(asl)
        used = {name: action for name, action in actions.items() if f"${{{name}}}" in plain}
        children = [name for name in child_names() if f"${{{name}}}" in plain]
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
        for child in children:
            _let_start(role, child, names)
        arns = {name: action.function.function_arn for name, action in used.items()}
        self.machine = sfn.StateMachine(
            self,
            "Machine",
            state_machine_name=machine_name(scenario),
            definition_body=sfn.DefinitionBody.from_string(text),
            definition_substitutions=arns | {child: names.machine_arn(child) for child in children},
            role=role,
            tracing_enabled=True,
            logs=sfn.LogOptions(
                destination=log_group,
                level=sfn.LogLevel.ALL,
                include_execution_data=scenario not in child_names(),
            ),
        )
        acknowledge(
            role,
            "AwsSolutions-IAM5[Resource::*]",
            "X-Ray and the log delivery of Step Functions take no resource (Step Functions guide, CloudWatch Logs).",
        )


def _let_start(role: iam.Role, child: str, names: Names) -> None:
    """Let a machine start a child, wait for its end, and stop it where it is stopped itself."""
    executions = names.executions_of_arn(child)
    rule = f"arn:{Aws.PARTITION}:events:{names.region}:{Aws.ACCOUNT_ID}:rule/{_SYNC_RULE}"
    for actions, resource in (
        (["states:StartExecution"], names.machine_arn(child)),
        (["states:DescribeExecution", "states:StopExecution"], executions),
        (["events:DescribeRule", "events:PutRule", "events:PutTargets"], rule),
    ):
        role.add_to_policy(iam.PolicyStatement(actions=actions, resources=[resource]))
    acknowledge(role, wildcard_finding(executions), "An execution gets its name when it starts.")
