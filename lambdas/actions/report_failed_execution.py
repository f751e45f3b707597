"""Alert on every execution that failed, timed out or was stopped, whatever ended it; and close what it left open.

Started by EventBridge, not by a state machine: a stopped or timed-out execution runs no `Catch`.
"""

from dataclasses import dataclass

from lambdas.adapters.executions import Executions
from lambdas.adapters.lambda_handler import Run, action
from lambdas.adapters.notifications import Topic
from lambdas.adapters.operation_record import OperationRecord
from lambdas.domain.alert import FailedOperation, failure_message
from lambdas.domain.errors import is_tampering
from lambdas.domain.failure import failure_of_execution, recorded_failure
from lambdas.domain.operation import scenario_of
from lambdas.domain.scenarios import SCENARIOS


@dataclass(frozen=True)
class ReportFailedExecution:
    """The part of the event `Step Functions Execution Status Change` that is used."""

    execution: str


@dataclass(frozen=True)
class FailedExecutionReported:
    subject: str


@action(ReportFailedExecution)
def handler(request: ReportFailedExecution, run: Run) -> FailedExecutionReported:
    settings = run.settings
    scenario = scenario_of(request.execution)
    ended = Executions(settings.region).ended(request.execution)
    failure = failure_of_execution(scenario, ended.status, ended.error, ended.cause)
    row = OperationRecord(run).failed(SCENARIOS[scenario], request.execution, failure, None)
    operation, recorded = row.operation, row.outcome
    told = recorded_failure(recorded) or failure
    message = failure_message(
        FailedOperation(
            estate=settings["ESTATE_NAME"],
            region=settings.region,
            scenario=scenario,
            target=operation.lease.target,
            status=ended.status,
            started_at=ended.started_at,
            ended_at=ended.ended_at,
            execution=request.execution,
            reason=operation.reason,
            started_by=operation.user_id,
            failure=told,
            failed_state=recorded.get("state"),
        )
    )
    Topic(settings["OPERATIONS_TOPIC"]).publish(message)
    if is_tampering(told.code) or SCENARIOS[scenario].severity == "critical":
        Topic(settings["SECURITY_TOPIC"]).publish(message)
    return FailedExecutionReported(message.subject)
