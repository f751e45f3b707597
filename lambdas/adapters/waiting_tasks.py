"""Tasks of state machines that wait until they are woken by their token."""

from typing import Any

from botocore.exceptions import ClientError

from lambdas.adapters.aws import client, error_code

_GONE = ("InvalidToken", "TaskDoesNotExist", "TaskTimedOut")


class WaitingTasks:
    """The tasks of one region."""

    def __init__(self, region: str) -> None:
        self._states: Any = client("stepfunctions", region)

    def wake(self, token: str) -> bool:
        """Let a task go on, with nothing; False where none waits under the token any more."""
        try:
            self._states.send_task_success(taskToken=token, output="{}")
        except ClientError as error:
            if error_code(error) in _GONE:
                return False
            raise
        return True
