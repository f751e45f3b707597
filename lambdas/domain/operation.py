"""An operation: one execution of a scenario, and the envelope that its actions pass along."""

import re
from dataclasses import dataclass
from typing import Literal

Mode = Literal["recover", "rehearse"]
"""`recover` is the real thing; `rehearse` works against throwaway stand-ins and touches nothing live."""

SYSTEM = "system"
UNNAMED = "unnamed operator"


@dataclass(frozen=True)
class Lease:
    """The right to change `target`; `token` rises with every owner, so that a late one is told apart."""

    target: str
    token: int


@dataclass(frozen=True)
class Operation:
    """What every action is told about the execution it belongs to. Holds no secret.

    `id` is the execution's name, `execution` its ARN, `started_at` when the execution started (RFC 3339, UTC).
    `user_id` is who started it as far as the input says (`system` for a schedule), as the audit trail has it.
    """

    id: str
    scenario: str
    execution: str
    mode: Mode
    started_at: str
    lease: Lease
    reason: str
    user_id: str
    incident_id: str | None = None


_EXECUTION = re.compile(
    r"arn:(?P<partition>[^:]+):states:(?P<region>[^:]+):(?P<account>\d+):execution:(?P<machine>[^:]+):(?P<name>.+)"
)


def console_link(execution: str) -> str:
    """The page of an execution in the AWS console."""
    match = _EXECUTION.fullmatch(execution)
    if match is None:
        return execution
    region = match["region"]
    return f"https://{region}.console.aws.amazon.com/states/home?region={region}#/v2/executions/details/{execution}"


MACHINE_PREFIX = "mailark-"


def machine_name(scenario: str) -> str:
    """The name of a scenario's state machine: `mailark-vault-restore`."""
    return MACHINE_PREFIX + scenario.replace("_", "-")


def scenario_of(execution: str) -> str:
    """The scenario that an execution runs."""
    return execution.split(":")[6].removeprefix(MACHINE_PREFIX).replace("-", "_")


def execution_name(execution: str) -> str:
    """The name of an execution, which is the id of its operation."""
    return execution.rsplit(":", 1)[-1]
