"""The state that every failure leads to: record what failed, free the target, and let the execution end red.

The alert is not sent here: it must come even when this state cannot run, so `report_failed_execution` sends it.
"""

from dataclasses import dataclass, field
from typing import Any

from lambdas.adapters.lambda_handler import Run, action
from lambdas.adapters.operation_record import OperationRecord
from lambdas.domain.failure import failure_of_step, recorded_failure, with_second_failure
from lambdas.domain.scenarios import SCENARIOS


@dataclass(frozen=True)
class Caught:
    """A failure as Step Functions has caught it, and the state that it is of."""

    failed_state: str
    error: str
    cause: str


@dataclass(frozen=True)
class FailOperation:
    """`failed_state`, `error` and `cause` are what Step Functions caught; `details` is what was done all the same.

    `second` is the failure of what was to be done after the first one all the same.
    """

    scenario: str
    execution: str
    failed_state: str
    error: str
    cause: str
    details: dict[str, Any] = field(default_factory=dict)
    second: Caught | None = None


@dataclass(frozen=True)
class OperationFailed:
    """What the execution ends with: the class of the error, and the text that says what to do."""

    error: str
    cause: str


@action(FailOperation)
def handler(request: FailOperation, run: Run) -> OperationFailed:
    failure = failure_of_step(request.failed_state, request.error, request.cause)
    if (second := request.second) is not None:
        after = failure_of_step(second.failed_state, second.error, second.cause)
        failure = with_second_failure(failure, request.scenario, second.failed_state, after)
    record = OperationRecord(run)
    scenario = SCENARIOS[request.scenario]
    row = record.failed(scenario, request.execution, failure, request.failed_state, request.details)
    told = recorded_failure(row.outcome) or failure
    return OperationFailed(request.error, told.text)
