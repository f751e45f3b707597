"""What Step Functions says of a failure, turned into a code, a sentence and a hint."""

import json

from lambdas.domain.errors import (
    Failure,
    MailarkError,
    OperationStopped,
    OperationTimedOut,
    StepFailed,
    StepTimedOut,
)


def failure_of_step(state: str, error: str, cause: str) -> Failure:
    """The failure of a step, from the `Error` and `Cause` that its `Catch` received.

    A Lambda function's cause is a JSON text with its `errorMessage`; whatever else it holds is left out.
    """
    try:
        message = str(json.loads(cause)["errorMessage"])
    except (ValueError, KeyError, TypeError):
        message = cause
    if known := Failure.parse(message):
        return known
    if error in ("States.Timeout", "Sandbox.Timedout"):
        return as_failure(StepTimedOut(state=state))
    return as_failure(StepFailed(state=state, error=error))


def failure_of_execution(scenario: str, status: str, error: str, cause: str) -> Failure:
    """The failure of a whole execution: FAILED, TIMED_OUT or ABORTED."""
    if status == "TIMED_OUT":
        return as_failure(OperationTimedOut(scenario=scenario))
    if status == "ABORTED":
        return as_failure(OperationStopped(scenario=scenario))
    return failure_of_step(scenario, error, cause)


def as_failure(error: MailarkError) -> Failure:
    """An error as data."""
    failure = Failure.parse(str(error))
    assert failure is not None  # every MailarkError's text has this form
    return failure
