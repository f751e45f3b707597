"""What every role may do: exactly what the table says, and no more."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from aws_cdk import aws_iam as iam

from infra.names import KEYS, Names
from infra.permissions import ACTIONS
from infra.scenario import child_names
from infra.uses import Region
from lambdas.domain.operation import machine_name
from tests.infra import expected_permissions as expected
from tests.infra.expected_wildcards import WILDCARDS
from tests.infra.templates import APP_STACKS, STACKS, Grant, House, as_list, line

_KEY_IDS = {key: key for key in KEYS}


def _own_log(grant: Grant, action: str) -> bool:
    return grant.resource.endswith(f":log-group:/aws/lambda/mailark-{action.replace('_', '-')}")


@pytest.mark.parametrize("stack", APP_STACKS)
@pytest.mark.parametrize("action", ACTIONS)
def test_an_action_may_do_exactly_what_is_written_down_for_it(house: House, stack: str, action: str) -> None:
    role = house.stacks[stack].role_of(action)
    granted = sorted(line(grant, role.stack) for grant in role.grants if not _own_log(grant, action))
    assert granted == expected.ACTIONS.get(action, "nothing is written down for it")


def test_nothing_is_written_down_for_an_action_that_does_not_exist() -> None:
    assert set(expected.ACTIONS) == set(ACTIONS)


@pytest.mark.parametrize("stack", APP_STACKS)
@pytest.mark.parametrize("action", ACTIONS)
def test_a_role_holds_what_the_table_of_permissions_grants_and_its_own_log(
    house: House, stack: str, action: str
) -> None:
    role = house.stacks[stack].role_of(action)
    here, other = (Names(region, _KEY_IDS) for region in (role.stack.region, role.stack.other_region))
    granted = {
        name
        for use in ACTIONS[action].uses
        for statement in use.statements(Region(here, other))
        for name in _actions(statement)
    }
    spec = ACTIONS[action]
    if (
        set(spec.logins) - {"fresh"} or spec.reaches_services
    ):  # the logins that the estate names: it has no fresh server
        granted.add("secretsmanager:GetSecretValue")
    if spec.sends_notices:
        granted.add("ses:SendEmail")
    assert {grant.action for grant in role.grants} == granted | {"logs:CreateLogStream", "logs:PutLogEvents"}


def _actions(statement: iam.PolicyStatement) -> list[str]:
    return list(statement.actions)


@pytest.mark.parametrize("stack", APP_STACKS)
def test_a_function_writes_to_no_log_but_its_own(house: House, stack: str) -> None:
    for role in house.stacks[stack].roles().values():
        if role.action:
            logs = [grant for grant in role.grants if grant.action.startswith("logs:")]
            assert logs
            assert all(_own_log(grant, role.action) for grant in logs), f"{role.name}: {logs}"


@pytest.mark.parametrize("stack", APP_STACKS)
def test_a_role_has_no_policy_beside_those_of_the_table(house: House, stack: str) -> None:
    for role in house.stacks[stack].roles().values():
        assert role.attached == [], f"{role.name} has managed or inline policies"
        assert role.denials == frozenset()


@pytest.mark.parametrize("stack", APP_STACKS)
def test_a_role_is_taken_by_the_service_that_runs_its_work_alone(house: House, stack: str) -> None:
    trusts = {name: role.trusts for name, role in house.stacks[stack].roles().items()}
    functions = {name for name, role in house.stacks[stack].roles().items() if role.action}
    assert all(trusts[name] == ["lambda.amazonaws.com"] for name in functions)
    assert all(trusts[name] in (["states.amazonaws.com"], ["events.amazonaws.com"]) for name in set(trusts) - functions)


@pytest.mark.parametrize("stack", APP_STACKS)
def test_a_state_machine_may_invoke_the_actions_of_its_own_file_alone(house: House, stack: str) -> None:
    template = house.stacks[stack]
    machines = list(template.resources("AWS::StepFunctions::StateMachine"))
    assert machines
    for logical_id, machine in machines:
        role = template.roles()[machine["Properties"]["RoleArn"]["Fn::GetAtt"][0]]
        used = set(re.findall(r"\$\{(\w+)\}", template.properties(machine["Type"])[logical_id]["DefinitionString"]))
        children = used & {*child_names()}
        invoked = {line(grant, template) for grant in role.grants if grant.action.startswith("lambda:")}
        assert invoked == {f"lambda:InvokeFunction {action.replace('_', '-')}" for action in used - children}
        started = {line(grant, template) for grant in role.grants if grant.action == "states:StartExecution"}
        assert started == {f"states:StartExecution {machine_name(child)}" for child in children}
        other = {grant.action.split(":")[0] for grant in role.grants} - {"lambda"}
        assert other == {"logs", "xray"} | ({"states", "events"} if children else set())


@pytest.mark.parametrize("stack", APP_STACKS)
def test_a_schedule_may_start_its_own_machine_alone(house: House, stack: str) -> None:
    template = house.stacks[stack]
    roles = [role for role in template.roles().values() if role.trusts == ["events.amazonaws.com"]]
    assert roles
    for role in roles:
        (grant,) = role.grants
        assert grant.action == "states:StartExecution"
        assert "*" not in grant.resource


@pytest.mark.parametrize("stack", STACKS)
def test_no_policy_allows_an_action_with_a_wildcard(house: House, stack: str) -> None:
    statements = list(_statements(house.stacks[stack].plain(house.stacks[stack].template["Resources"])))
    assert statements
    for statement in statements:
        assert "NotAction" not in statement
        assert "NotResource" not in statement
        assert "NotPrincipal" not in statement
        if statement["Effect"] == "Allow":
            assert not [action for action in as_list(statement["Action"]) if "*" in action], statement


def _statements(value: Any) -> Iterator[dict[str, Any]]:
    """Every statement of every policy document: of roles, keys, buckets, queues and topics."""
    if isinstance(value, dict):
        if "Effect" in value:
            yield value
        for each in value.values():
            yield from _statements(each)
    elif isinstance(value, list):
        for each in value:
            yield from _statements(each)


def test_a_resource_with_a_wildcard_is_granted_only_where_a_reason_is_written_down(house: House) -> None:
    used: dict[str, set[str]] = {}
    for stack in APP_STACKS:
        for role in house.stacks[stack].roles().values():
            for grant in role.grants:
                if "*" in grant.resource:
                    short = line(Grant("", grant.resource), role.stack).removesuffix(" in the other region").strip()
                    used.setdefault(short, set()).add(grant.action)
    assert used == {wildcard.resource: set(wildcard.actions) for wildcard in WILDCARDS}
    assert all(wildcard.reason.endswith(".") for wildcard in WILDCARDS)
