"""The last state of every scenario that succeeds: measure it, record it, free the target."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec
from aws_lambda_powertools import Metrics
from aws_lambda_powertools.metrics import MetricUnit

from lambdas.adapters.aws import AWS_ERRORS
from lambdas.adapters.estate_parameter import read_estate
from lambdas.adapters.executions import Executions
from lambdas.adapters.lambda_handler import Run, action
from lambdas.adapters.operation_record import OperationRecord
from lambdas.domain.operation import Operation
from lambdas.domain.scenarios import SCENARIOS
from lambdas.domain.timeline import Passage, Reached, Step, recovery_point, recovery_time, steps_of


@dataclass(frozen=True)
class CompleteOperation:
    """`data_from` is the time of the backup that was restored, for a recovery; `details` goes into the audit trail."""

    operation: Operation
    data_from: str | None = None
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class OperationCompleted:
    """`rto` and `rpo` are set for a recovery only; `details` say what was backed up, restored or saved."""

    operation_id: str
    seconds: float
    steps: list[Step]
    details: dict[str, Any]
    rto: Reached | None = None
    rpo: Reached | None = None


@action(CompleteOperation)
def handler(request: CompleteOperation, run: Run) -> OperationCompleted:
    operation, region = request.operation, run.settings.region
    scenario = SCENARIOS[operation.scenario]
    objective = read_estate(region).objective(scenario.name, scenario.plan.objective)
    now, started = run.now(), datetime.fromisoformat(operation.started_at)
    rto = rpo = None
    if request.data_from is not None:
        rto = recovery_time(objective, started, now)
        rpo = recovery_point(objective, started, datetime.fromisoformat(request.data_from))
    finished = [step for step in steps_of(_passages(region, operation), scenario.plan) if step.seconds is not None]
    seconds = round((now - started).total_seconds(), 3)
    completed = OperationCompleted(operation.id, seconds, finished, request.details, rto, rpo)
    outcome: dict[str, Any] = msgspec.to_builtins(completed)
    details = request.details | {
        "reason": operation.reason,
        "incident_id": operation.incident_id,
        "seconds": str(completed.seconds),
    }
    OperationRecord(run).completed(operation, outcome, details)
    _publish(completed, scenario.name)
    return completed


def _passages(region: str, operation: Operation) -> list[Passage]:
    """The way of the execution; empty where Step Functions does not tell it: what was done is proved all the same."""
    try:
        return Executions(region).passages(operation.execution)
    except AWS_ERRORS:
        return []


def _publish(completed: OperationCompleted, scenario: str) -> None:
    metrics = Metrics(namespace="Mailark", service="mailark")
    metrics.add_dimension("scenario", scenario)
    metrics.add_metric("OperationSucceeded", MetricUnit.Count, 1)
    metrics.add_metric("OperationSeconds", MetricUnit.Seconds, completed.seconds)
    for name, reached in (("RecoveryTime", completed.rto), ("RecoveryPoint", completed.rpo)):
        if reached is not None:
            metrics.add_metric(f"{name}Seconds", MetricUnit.Seconds, reached.measured)
            metrics.add_metric(f"{name}Missed", MetricUnit.Count, 0 if reached.met else 1)
    metrics.flush_metrics()
