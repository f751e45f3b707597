"""What every action has around it: strict parsing of its event, a log line at each end, and errors with a code."""

import functools
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec
from aws_lambda_powertools import Logger
from botocore.exceptions import ClientError

from lambdas.adapters.aws import error_code, is_transient, unavailable
from lambdas.adapters.settings import Settings, read_settings
from lambdas.domain.errors import Unexpected
from lambdas.domain.mailark_error import MailarkError

Request = TypeVar("Request")

logger = Logger(service="mailark")


@dataclass(frozen=True)
class Run:
    """One run of an action: where it works, and how long it may still take."""

    action: str
    settings: Settings
    _ends_at: float

    def seconds_left(self) -> float:
        """Seconds until Lambda stops this function."""
        return max(0.0, self._ends_at - time.monotonic())

    @staticmethod
    def now() -> datetime:
        return datetime.now(UTC)


def action(
    kind: type[Request],
) -> Callable[[Callable[[Request, Run], Any]], Callable[[Any, Any], Any]]:
    """Make a Lambda handler of a function that takes a `kind` and returns plain values or dataclasses.

    Whatever goes wrong leaves as a `MailarkError`: one that Mailark does not know becomes `Unexpected`, whose
    message holds no value of the failed call, since such a value may be a secret.
    """

    def decorate(function: Callable[[Request, Run], Any]) -> Callable[[Any, Any], Any]:
        name = function.__module__.rsplit(".", 1)[-1]

        @functools.wraps(function)
        def handler(event: Any, context: Any) -> Any:
            run = Run(name, read_settings(), time.monotonic() + context.get_remaining_time_in_millis() / 1000)
            operation = event.get("operation") if isinstance(event, dict) else None
            logger.set_correlation_id(operation.get("id") if isinstance(operation, dict) else None)
            started = time.monotonic()
            try:
                result = msgspec.to_builtins(function(msgspec.convert(event, kind), run))
            except MailarkError as error:
                logger.error("action failed", action=name, error=error.code)
                raise
            except Exception as error:  # noqa: BLE001  # whatever is not known leaves as Unexpected, without its values
                where = traceback.extract_tb(error.__traceback__)
                logger.error(
                    "action failed unexpectedly",
                    action=name,
                    error=_problem(error),
                    frames=[f"{frame.filename}:{frame.lineno} {frame.name}" for frame in where],
                )
                if is_transient(error):
                    raise unavailable(error) from None
                raise Unexpected(action=name, problem=_problem(error)) from None
            logger.info("action done", action=name, seconds=round(time.monotonic() - started, 3))
            return result

        return handler

    return decorate


def _problem(error: Exception) -> str:
    """What went wrong, without any value of the call: the class, and for AWS the code and the operation."""
    if isinstance(error, ClientError):
        return f"{error_code(error)} from {error.operation_name}"
    return type(error).__name__
