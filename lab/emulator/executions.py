"""A stopped execution stays ABORTED and starts nothing more; a machine's `TimeoutSeconds` ends it as TIMED_OUT.

In MiniStack a stopped execution goes on with its next retry and may end as FAILED, and a machine never times out.
"""

import contextvars
import json
import threading
import time
from typing import Any

from ministack.services import stepfunctions

_current: contextvars.ContextVar[dict[str, Any] | None] = contextvars.ContextVar("execution", default=None)


def apply() -> None:
    _keep_the_first_end()
    _stop_between_steps()
    _time_out()


def _keep_the_first_end() -> None:
    fail = stepfunctions._fail_execution

    def fail_unless_ended(execution: dict[str, Any], error: str, cause: str) -> None:
        if execution["status"] == "RUNNING":
            fail(execution, error, cause)

    stepfunctions._fail_execution = fail_unless_ended


def _stop_between_steps() -> None:
    task = stepfunctions._execute_task
    find_retrier = stepfunctions._find_matching_retrier
    find_catcher = stepfunctions._find_matching_catcher

    def execute_task(state: Any, given: Any, execution: dict[str, Any], context: Any) -> Any:
        _current.set(execution)
        return task(state, given, execution, context)

    def find_retrier_if_running(*arguments: Any) -> Any:
        return (None, None) if _ended() else find_retrier(*arguments)

    def find_catcher_if_running(*arguments: Any) -> Any:
        return None if _ended() else find_catcher(*arguments)

    def sleep_while_running(seconds: float) -> None:
        deadline = time.monotonic() + seconds * stepfunctions._SFN_WAIT_SCALE
        while not _ended() and (left := deadline - time.monotonic()) > 0:
            time.sleep(min(left, 0.2))
        if _ended():  # else what slept goes on with its next attempt
            raise stepfunctions._ExecutionError("States.Aborted", "It was stopped.")

    stepfunctions._execute_task = execute_task
    stepfunctions._find_matching_retrier = find_retrier_if_running
    stepfunctions._find_matching_catcher = find_catcher_if_running
    stepfunctions._scaled_sleep = sleep_while_running


def _ended() -> bool:
    execution = _current.get()
    return execution is not None and execution["status"] != "RUNNING"


def _time_out() -> None:
    run = stepfunctions._run_execution

    def run_with_limit(arn: str) -> None:
        execution = stepfunctions._executions.get(arn)
        machine = stepfunctions._state_machines.get(execution["stateMachineArn"]) if execution else None
        limit = json.loads(machine["definition"]).get("TimeoutSeconds") if machine else None
        if not limit:
            run(arn)
            return
        scope = contextvars.copy_context()
        timer = threading.Timer(float(limit), lambda: scope.run(_end_as_timed_out, execution))
        timer.daemon = True
        timer.start()
        try:
            run(arn)
        finally:
            timer.cancel()

    stepfunctions._run_execution = run_with_limit


def _end_as_timed_out(execution: dict[str, Any]) -> None:
    if execution["status"] != "RUNNING":
        return
    execution.update(status="TIMED_OUT", stopDate=stepfunctions.now_iso(), error="States.Timeout", cause="")
    details = {"executionTimedOutEventDetails": {"error": "States.Timeout", "cause": ""}}
    stepfunctions._add_event(execution, "ExecutionTimedOut", details)
    stepfunctions._emit_execution_status_event(execution)
