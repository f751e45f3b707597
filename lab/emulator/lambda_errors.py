"""AWS reports a failed function with the class of its exception, and keeps the process for the next call.

MiniStack reports `Runtime.HandlerError` for every exception, and throws the worker away.
"""

from typing import Any

from ministack.core import lambda_runtime
from ministack.services import lambda_svc

_AS_IT_IS = (
    '_real_stdout.write(json.dumps({"status": "error", "error": str(e), "trace": traceback.format_exc()}) + "\\n")'
)
_AS_AWS_DOES = (
    '_real_stdout.write(json.dumps({"status": "ok", "result": {"__raised__": {'
    '"errorMessage": str(e), "errorType": type(e).__name__, "requestId": context.aws_request_id, '
    '"stackTrace": traceback.format_tb(e.__traceback__)}}}) + "\\n")'
)


def apply() -> None:
    script = lambda_runtime._PYTHON_WORKER_SCRIPT
    if _AS_IT_IS not in script:
        raise RuntimeError("MiniStack's Lambda worker has changed: see lab/emulator/lambda_errors.py")
    lambda_runtime._PYTHON_WORKER_SCRIPT = script.replace(_AS_IT_IS, _AS_AWS_DOES)
    execute = lambda_svc._execute_function_warm

    def execute_with_class(func: dict[str, Any], event: Any, request_id: str) -> dict[str, Any]:
        outcome: dict[str, Any] = execute(func, event, request_id)
        body = outcome.get("body")
        if isinstance(body, dict) and "__raised__" in body:
            return {"body": body["__raised__"], "error": True, "log": outcome.get("log", "")}
        return outcome

    lambda_svc._execute_function_warm = execute_with_class
